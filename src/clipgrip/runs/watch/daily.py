"""The daily audit: a few new images, drawn at random within the promised scopes, which a person answers on a sheet."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from clipgrip.data.classes import ClassNames, canonical
from clipgrip.data.places import source_at
from clipgrip.data.reading import read_image
from clipgrip.data.table import Table
from clipgrip.data.tables import csv_bytes, read_table
from clipgrip.errors import DataError, RunError
from clipgrip.files import AnyPath
from clipgrip.runs.audit_sheet import AUDIT, SHEET
from clipgrip.runs.watch.store import SeenImage, WatchStore
from clipgrip.sentences import Sentence, mark, quoted
from clipgrip.written import write_output
from clipgrip_line.trust.scope import WatchedScope

MARK = re.compile(r"daily-([1-9][0-9]*)-([0-9a-f]{8})")
"""Column audit: number of the draw, and the id of the line."""


NOTHING_NEW = mark(
    "no new image came since the last draw{other}. Show new ones first: clipgrip watch look {run} IMAGES.{lost}"
)
NOTHING_WITHIN = mark(
    "no new image within what is promised came since the last draw{other}. Show new ones first: clipgrip watch look "
    "{run} IMAGES.{lost}"
)


@dataclass(frozen=True)
class Drawn:
    """The images of a daily draw in order; ``other`` have files that are gone or hold another picture now."""

    number: int
    images: Sequence[SeenImage] = field(repr=False)
    other: Sequence[SeenImage] = field(repr=False)


@dataclass(frozen=True)
class DailySheet:
    """A filled sheet of one draw."""

    draw: int
    mark: str
    table: Table = field(repr=False)

    @classmethod
    def read(cls, place: AnyPath, encoding: str | None = None) -> DailySheet | None:
        """Read a sheet; None if it is not of a daily audit. DataError: the file is no table."""
        table = read_table(place, encoding)
        column = table.find(("audit",))
        marks = set() if column is None else {row[column].strip() for row in table.rows}
        found = MARK.fullmatch(marks.pop() if len(marks) == 1 else "")
        return None if found is None else cls(int(found[1]), found[0], table)


@dataclass(frozen=True)
class DailyAnswer:
    """A person's answer for an image of a daily audit; numbers begin at 1."""

    number: int
    label: int
    """The class that counts: that of the last correction, if there is one."""
    predicted: int
    confidence: float
    by: str
    at: str
    corrected: bool = False


def daily_answers(store: WatchStore) -> list[DailyAnswer]:
    """All answers of daily audits, in the order in which they count."""
    store.seals.check("answer")
    right = _corrections(store)
    query = "SELECT number, label, predicted, confidence, said_by, said_at FROM answer"
    return [
        DailyAnswer(
            number, right.get(number, label), predicted, confidence, by, at, number in right
        )
        for number, label, predicted, confidence, by, at in sorted(store.db.execute(query))
    ]


def answered_so_far(store: WatchStore) -> dict[str, int]:
    """Content hash -> class of all answers, with corrections."""
    store.seals.check("answer")
    right = _corrections(store)
    rows = store.db.execute("SELECT number, sha256, label FROM answer")
    return {sha256: right.get(number, label) for number, sha256, label in rows}


def _corrections(store: WatchStore) -> dict[int, int]:
    """Number of the answer -> class of its last correction."""
    store.seals.check("correction")
    return dict(store.db.execute("SELECT answer, label FROM correction ORDER BY number"))


def draw_images(
    store: WatchStore, standing: Sequence[WatchedScope], count: int, now: str, *, run: AnyPath
) -> Drawn:
    """Draw up to ``count`` of the images since the last draw, within the ``standing`` scopes if there are any.

    The draw depends on the content of images, not on names or times. An image whose file is gone or holds another
    picture is replaced by the next one. RunError: no image came since the last draw, or none can be shown; ``run`` is
    the folder that the message names.
    """
    store.seals.check("draw")
    last, upto = store.db.execute(
        "SELECT coalesce(max(number), 0), coalesce(max(upto), 0) FROM draw"
    ).fetchone()
    # some cameras overwrite their files, so only the last image of a path can be shown
    last_of_path = {canonical(one.path): one for one in store.images(upto + 1)}
    since = [
        one
        for one in last_of_path.values()
        if not standing or any(scope.holds(one.label, one.confidence) for scope in standing)
    ]
    number = last + 1
    chosen, other = _split_shown(
        sorted(since, key=lambda one: _random_key(number, one.sha256)), count
    )
    if not chosen:
        nothing = NOTHING_WITHIN if standing else NOTHING_NEW
        raise RunError(
            nothing, other=_gone_hint(other), run=quoted(run), lost=_unanswered_hint(store)
        )
    with store.db:
        newest = store.state().images
        store.db.execute("INSERT INTO draw VALUES (?, ?, ?, ?)", (number, newest, len(chosen), now))
        store.db.executemany(
            "UPDATE image SET draw = ?, place = ? WHERE number = ?",
            ((number, place, one.number) for place, one in enumerate(chosen, 1)),
        )
        store.seals.renew("draw")
        store.seals.renew("image")
    return Drawn(number, chosen, other)


def drawn_again(store: WatchStore, number: int) -> Drawn:
    """The images of an earlier draw, for a new copy of its sheet. RunError: there was no such draw."""
    store.seals.check("draw")
    known = [row[0] for row in store.db.execute("SELECT number FROM draw ORDER BY number")]
    if number not in known:
        raise RunError(
            "there is no daily draw {number}. Known: {known}.",
            number=number,
            known=", ".join(map(str, known)) or "–",
        )
    images = drawn_images(store, number)
    return Drawn(number, images, [one for one in images if not is_shown(one)])


def drawn_images(store: WatchStore, draw: int) -> list[SeenImage]:
    """The images of a draw, in order."""
    places = dict(store.db.execute("SELECT number, place FROM image WHERE draw = ?", (draw,)))
    found = [one for one in store.images() if one.number in places]
    return sorted(found, key=lambda one: int(places[one.number]))


def is_shown(image: SeenImage) -> bool:
    """Whether the file of an image still holds the picture that the model saw."""
    try:
        read_image(source_at(image.path), image.sha256)
    except DataError:
        return False
    return True


def write_daily(store: WatchStore, drawn: Drawn, classes: ClassNames, place: AnyPath) -> int:
    """Write the sheet of a draw, with the answers so far; returns how many these are."""
    stamp = f"daily-{drawn.number}-{line_id(store)}"
    given = answered_so_far(store)
    texts = [classes.display[given[i.sha256]] if i.sha256 in given else "" for i in drawn.images]
    rows = [(n, stamp, one.path, texts[n - 1]) for n, one in enumerate(drawn.images, 1)]
    write_output(place, csv_bytes(SHEET, rows), AUDIT)
    return sum(map(bool, texts))


def _split_shown(
    images: Sequence[SeenImage], count: int
) -> tuple[list[SeenImage], list[SeenImage]]:
    """The first ``count`` images that can be shown, and those among them that cannot."""
    chosen: list[SeenImage] = []
    other: list[SeenImage] = []
    for one in images:
        if len(chosen) == count:
            break
        (chosen if is_shown(one) else other).append(one)
    return chosen, other


def _gone_hint(other: Sequence[SeenImage]) -> str:
    if not other:
        return ""
    return Sentence(
        " (of {n} images that came the file is gone or holds another picture by now, as {path})",
        n=len(other),
        path=other[0].path,
    )


def _unanswered_hint(store: WatchStore) -> str:
    """A hint if an earlier draw still lacks answers: its sheet can be written again."""
    given = answered_so_far(store)
    for (number,) in store.db.execute("SELECT number FROM draw ORDER BY number DESC").fetchall():
        waiting = [one for one in drawn_images(store, number) if one.sha256 not in given]
        if waiting:
            return Sentence(
                " The sheet of draw {number} still waits for {n} answers; --again {number} writes it again.",
                number=number,
                n=len(waiting),
            )
    return ""


def _random_key(draw: int, sha256: str) -> str:
    return hashlib.sha256(f"{draw} {sha256}".encode()).hexdigest()


def line_id(store: WatchStore) -> str:
    """Eight hex digits that identify the watched line on its sheets."""
    line = store.begun()
    return hashlib.sha256(f"{line.run} {line.begun_at}".encode()).hexdigest()[:8]
