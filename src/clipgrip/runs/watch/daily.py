"""The daily audit: a few new images drawn at random within what is promised, answered by a person on a sheet."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from clipgrip.data.classes import UNLABELED_MARKS, ClassNames, canonical
from clipgrip.data.discover import PATH_COLUMNS, Claim
from clipgrip.data.match import position
from clipgrip.data.tables import Table, csv_bytes, read_table
from clipgrip.errors import DataError, RunError
from clipgrip.files import AnyPath
from clipgrip.runs.auditing import ANSWER_COLUMNS, AUDIT, SHEET
from clipgrip.runs.watch.scopes import WatchedScope
from clipgrip.runs.watch.store import SeenImage, WatchStore
from clipgrip.written import write_output

MARK = re.compile(r"daily-([1-9][0-9]*)-([0-9a-f]{8})")
"""Column audit: number of the draw, and which line it is of."""


@dataclass(frozen=True)
class DailySheet:
    """A filled sheet of one draw."""

    draw: int
    mark: str
    table: Table = field(repr=False)

    @classmethod
    def read(cls, place: AnyPath, encoding: str | None = None) -> DailySheet | None:
        """The sheet, or None where it is none of a daily audit.

        Raises:
            DataError: the file is no table.
        """
        table = read_table(place, encoding)
        column = table.find(("audit",))
        marks = set() if column is None else {row[column].strip() for row in table.rows}
        found = MARK.fullmatch(marks.pop() if len(marks) == 1 else "")
        return None if found is None else cls(int(found[1]), found[0], table)


def draw_images(
    store: WatchStore, standing: Sequence[WatchedScope], count: int, now: str
) -> tuple[int, list[SeenImage]]:
    """Up to ``count`` of the images since the last draw, at random, within the promises that stand; its number.

    Where nothing is promised, of all. Which ones is decided by their content, not by names or times.

    Raises:
        RunError: no image came since the last draw.
    """
    store.seals.check("draw")
    last, upto = store.db.execute(
        "SELECT coalesce(max(number), 0), coalesce(max(upto), 0) FROM draw"
    ).fetchone()
    last_of_path = {
        canonical(one.path): one for one in store.images(upto + 1)
    }  # some cameras write over files
    since = [
        one
        for one in last_of_path.values()
        if not standing or any(scope.holds(one.label, one.confidence) for scope in standing)
    ]
    if not since:
        raise RunError(
            "no new image within what is promised came since the last draw. Show new ones first: clipgrip watch RUN "
            "IMAGES."
        )
    number = last + 1
    chosen = sorted(since, key=lambda one: _lot(number, one.sha256))[:count]
    with store.db:
        newest = store.state().images
        store.db.execute("INSERT INTO draw VALUES (?, ?, ?, ?)", (number, newest, len(chosen), now))
        store.db.executemany(
            "UPDATE image SET draw = ?, place = ? WHERE number = ?",
            ((number, place, one.number) for place, one in enumerate(chosen, 1)),
        )
        store.seals.renew("draw")
        store.seals.renew("image")
    return number, chosen


def write_daily(
    store: WatchStore, number: int, images: Sequence[SeenImage], place: AnyPath
) -> None:
    """The sheet of a draw."""
    mark = f"daily-{number}-{_line_id(store)}"
    rows = [(n, mark, one.path, "") for n, one in enumerate(images, 1)]
    write_output(place, csv_bytes(SHEET, rows), AUDIT)


def read_answers(
    store: WatchStore, sheet: DailySheet, classes: ClassNames, by: str, now: str
) -> int:
    """Keep the answers of a sheet; how many are new. Answers count in the order of the draw, without a gap.

    Raises:
        DataError: another line's sheet, a label that is no class, a gap, or an answer that was another one before.
    """
    if not sheet.mark.endswith(_line_id(store)):
        raise DataError(
            f"{sheet.table.name}: it was drawn for another line. Give the run that it was drawn for."
        )
    drawn = _drawn(store, sheet.draw)
    store.seals.check("answer")
    answered = _answered(sheet, drawn, classes)
    known = dict(store.db.execute("SELECT sha256, label FROM answer"))
    for image, label in answered:
        if known.get(image.sha256, label) != label:
            raise DataError(
                f'{sheet.table.name}: "{image.path}" was answered otherwise before, and answers are not changed once '
                "they count. Give the answer as it was."
            )
    fresh = [(image, label) for image, label in answered if image.sha256 not in known]
    with store.db:
        store.db.executemany(
            "INSERT INTO answer (sha256, label, predicted, confidence, said_by, said_at) VALUES (?, ?, ?, ?, ?, ?)",
            ((i.sha256, label, i.label, i.confidence, by, now) for i, label in fresh),
        )
        store.seals.renew("answer")
    return len(fresh)


def _drawn(store: WatchStore, draw: int) -> list[SeenImage]:
    places = dict(store.db.execute("SELECT number, place FROM image WHERE draw = ?", (draw,)))
    found = [one for one in store.images() if one.number in places]
    return sorted(found, key=lambda one: int(places[one.number]))


def _answered(
    sheet: DailySheet, drawn: Sequence[SeenImage], classes: ClassNames
) -> list[tuple[SeenImage, int]]:
    """The drawn images that are answered, with their classes, in the order of the draw."""
    table = sheet.table
    paths, answers = table.need(PATH_COLUMNS), table.need(ANSWER_COLUMNS)
    images, given = {canonical(one.path): one for one in drawn}, dict[str, int]()
    for number, cells in enumerate(table.rows):
        where, path = table.where(number), canonical(cells[paths])
        if path not in images:
            raise DataError(
                f'{where}: "{cells[paths]}" is no image of this draw. Keep the sheet as it was drawn.'
            )
        if canonical(cells[answers]) not in UNLABELED_MARKS:
            given[path] = position(Claim(path, cells[answers], where), classes)
    order = [canonical(one.path) for one in drawn]
    if [path for path in order if path in given] != order[: len(given)]:
        gap = next(n for n, path in enumerate(order, 1) if path not in given)
        raise DataError(
            f"{table.name}: image {gap} of the draw has no answer, though later ones have. Answer from the top without "
            "a gap: choosing which images to answer makes the sample no longer random."
        )
    return [(images[path], given[path]) for path in order[: len(given)]]


def _lot(draw: int, sha256: str) -> str:
    return hashlib.sha256(f"{draw} {sha256}".encode()).hexdigest()


def _line_id(store: WatchStore) -> str:
    line = store.begun()
    return hashlib.sha256(f"{line.run} {line.begun_at}".encode()).hexdigest()[:8]
