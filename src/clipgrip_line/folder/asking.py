"""People's answers to pictures of a watched folder: a sheet that asks, and what they wrote into it.

Pictures are asked for that were drawn by their content and that the model decided, without what it said: such answers
say how often it is wrong, so promises are bet on them.
"""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipgrip_line.errors import LineError, among
from clipgrip_line.files import read_file, write_bytes_atomic
from clipgrip_line.folder import compaction
from clipgrip_line.folder.journal import NAME, Journal
from clipgrip_line.folder.lines import BOM, line_of
from clipgrip_line.folder.samples import FOLDER as SAMPLES
from clipgrip_line.folder.samples import NAME as STORE
from clipgrip_line.folder.samples import Samples
from clipgrip_line.places import check_new
from clipgrip_line.sentences import mark

OF_SERVICE = mark(
    "{folder} belongs to clipgrip-line serve: alarms and pictures are answered on its page."
)
SHEET = "ask.csv"
COLUMNS = ("path", "sha256", "label")
AUDIT, OTHER = "audit", "promise"
"""Why a person was asked: drawn by content, or any other picture of the line."""
MOST_BYTES = 100 << 20
UNREADABLE = mark("{path} is no table that can be read. Save it as CSV in UTF-8.")


@dataclass(frozen=True)
class Imported:
    """What became of a table's lines."""

    kept: int
    again: int
    """Answers that stand already."""
    empty: int
    foreign: int
    """Contents that this line never answered."""


def write_sheet(journal: Journal, out: Path, folder: Path, most: int) -> int:
    """Pictures that nobody answered yet, the oldest first, and a table to fill in; how many.

    Raises:
        LineError: the folder is there already.
        OSError: the system refused.
    """
    check_new(folder)
    wanted = journal.reader.execute(
        "SELECT image FROM drawn WHERE image NOT IN (SELECT image FROM said WHERE undone=0) ORDER BY number"
    )
    images = [image for (image,) in wanted]
    rows = [
        line_of((f"images/{name}", image, ""))
        for image, name in _copied(out, images, folder / "images", most).items()
    ]
    if rows:
        write_bytes_atomic(folder / SHEET, b"".join([BOM, line_of(COLUMNS), *rows]))
    return len(rows)


def write_pictures(journal: Journal, out: Path, folder: Path) -> dict[str, str]:
    """The pictures of every answer that stands, as far as they are kept; the names of their files by content."""
    decided = journal.reader.execute(
        "SELECT DISTINCT image FROM said WHERE undone=0 AND class <> '' ORDER BY image"
    )
    return _copied(out, [image for (image,) in decided], folder)


def _copied(
    out: Path, images: Sequence[str], folder: Path, most: int | None = None
) -> dict[str, str]:
    """Kept pictures by content, written into a folder; the names of their files."""
    found: dict[str, str] = {}
    if not (out / SAMPLES / STORE).is_file():
        return found
    with closing(Samples(out / SAMPLES, 0)) as store:
        by_image = {one.image: one for one in store.images()}
        for image in images:
            one = by_image.get(image)
            data = None if one is None or len(found) == most else store.read(one)
            if one is not None and data is not None:
                folder.mkdir(parents=True, exist_ok=True)
                write_bytes_atomic(folder / one.file, data)
                found[image] = one.file
    return found


def take_in(journal: Journal, table: Path, by: str, at: str) -> Imported:
    """Keep the labels of a table, all or none; the latest of a picture stands.

    Raises:
        LineError: it is no such table, or a label is no class of the line.
        NotKept: the disk refused.
    """
    try:
        rows = list(_labels(table))
    except csv.Error:
        raise LineError(UNREADABLE, path=table) from None
    classes = classes_of(journal)
    for number, _, label in rows:
        if label and label not in classes:
            raise LineError(
                "{path} line {number}: no class {name}. Known: {known}.{nearest}",
                path=table,
                number=number,
                name=label,
                **among(label, classes),
            )
    given = [(image, label) for _, image, label in rows if label]

    def change(db: sqlite3.Connection) -> list[str]:
        return [_say(db, image, label, by, at) for image, label in given]

    outcomes = journal.do(change)
    counts = {kind: outcomes.count(kind) for kind in ("kept", "again", "foreign")}
    return Imported(**counts, empty=len(rows) - len(given))


def classes_of(journal: Journal, version: str = "") -> tuple[str, ...]:
    """Of a version, else of every one that answered here."""
    rows = journal.reader.execute(
        "SELECT value FROM facts WHERE name LIKE ? ORDER BY rowid", (f"classes {version or '%'}",)
    )
    return tuple(dict.fromkeys(name for (value,) in rows for name in json.loads(value)))


def _say(db: sqlite3.Connection, image: str, label: str, by: str, at: str) -> str:
    if not compaction.is_known(db, bytes.fromhex(image)):
        return "foreign"
    before = db.execute(
        "SELECT number, class FROM said WHERE image=? AND undone=0", (image,)
    ).fetchone()
    if before is not None and before[1] == label:
        return "again"
    if before is not None:
        db.execute("UPDATE said SET undone=1 WHERE number=?", (before[0],))
    drawn = db.execute(
        "SELECT name, class, sure, version FROM drawn WHERE image=?", (image,)
    ).fetchone()
    why, about = (OTHER, ("", "", 0.0, "")) if drawn is None else (AUDIT, drawn)
    (times,) = db.execute("SELECT count(*) FROM said WHERE image=?", (image,)).fetchone()
    db.execute(
        "INSERT INTO said (token, image, class, by, at, why, name, predicted, confidence, version) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (f"{image}-{times}", image, label, by, at, why, *about),
    )
    return "kept"


def _labels(table: Path) -> Iterator[tuple[int, str, str]]:
    """(line, image, label) of a table as people save it: commas, semicolons or tabs, UTF-8 or Excel's Japanese."""
    text = _text(table)
    head = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=head.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    if not {"sha256", "label"} <= set(reader.fieldnames or ()):
        raise LineError(
            "{path} has no columns sha256 and label. Give the table that clipgrip-line answers --sheet wrote, "
            "filled in.",
            path=table,
        )
    for row in reader:
        image, label = _cell(row, "sha256").lower(), _cell(row, "label")
        if not any(_cell(row, name) for name in row if name):  # as Excel keeps emptied lines: ,,
            continue
        if not (len(image) == 64 and set(image) <= set("0123456789abcdef")):
            raise LineError(
                "{path} line {number}: {text} is no SHA-256 of a picture (64 digits of 0-9a-f). Leave "
                "the column as the sheet had it.",
                path=table,
                number=reader.line_num,
                text=image[:80] or '""',
            )
        yield reader.line_num, image, label


def _cell(row: dict[str, Any], name: str) -> str:
    """Without the apostrophe that guards against formulas."""
    text = str(row.get(name) or "").strip()
    return text[1:] if text[:1] == "'" and text[1:2] in "=+-@" else text


def _text(table: Path) -> str:
    data = read_file(table, MOST_BYTES)
    for encoding in ("utf-8-sig", "cp932"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise LineError(UNREADABLE, path=table)


def opened(out: Path) -> Journal:
    """The journal of a watched folder, also while it is watched. LineError: there is none, or it is damaged."""
    from clipgrip_line.service.alone import check_owner
    from clipgrip_line.service.ledger import NAME as SERVED

    check_owner(out, SERVED, OF_SERVICE)
    if not (out / NAME).is_file():
        raise LineError(
            "{out} holds no {name}. Give the folder that clipgrip-line watch got as --out.",
            out=out,
            name=NAME,
        )
    return Journal(out / NAME)
