"""The kept pictures in one ZIP, for the next round at the office."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from clipgrip_line.files import naming, openable, part_name
from clipgrip_line.folder.lines import BOM, Cell, line_of
from clipgrip_line.folder.samples import WHYS, Sample, Samples
from clipgrip_line.places import check_new

TABLE = "collected.csv"
COLUMNS = (
    *("path", "why", "answer", "confidence", "verdict", "decided_by", "time", "lot", "taken_as"),
    *("version", "image_id"),
)
DAY = (1980, 1, 1, 0, 0, 0)
"""Equal pictures make equal archives."""


@dataclass(frozen=True)
class Collected:
    """What went into an archive."""

    images: int
    doubtful: int
    missing: int
    """Those whose file was gone or damaged."""
    size: int


def chosen(images: Sequence[Sample], budget: float, share: float) -> list[Sample]:
    """The newest of each kind within its part of the budget; what one kind leaves free, the other may use.

    The random ones stay a random sample of their time: they are cut by age alone.
    """
    parts = {"random": budget * share, "doubtful": budget * (1 - share)}
    sizes = {why: sum(one.size for one in images if one.why == why) for why in WHYS}
    for why, other in (WHYS, WHYS[::-1]):
        parts[why] += max(0.0, parts[other] - sizes[other]) if sizes[why] > parts[why] else 0.0
    found: list[Sample] = []
    for why in WHYS:
        room = parts[why]
        for one in sorted((one for one in images if one.why == why), key=lambda one: -one.number):
            room -= one.size
            if room < 0:
                break
            found.append(one)
    return sorted(found, key=lambda one: one.number)


def least_budget(images: Sequence[Sample], share: float) -> float:
    """Bytes of which the newest picture of a kind finds room in its kind's part; of one picture at least."""
    kinds = {one.why for one in images}
    parts = (
        {"random": share, "doubtful": 1 - share} if len(kinds) > 1 else dict.fromkeys(kinds, 1.0)
    )
    newest = {one.why: one.size for one in sorted(images, key=lambda one: one.number)}
    return min(size / parts[why] for why, size in newest.items() if parts[why])


def collect(store: Samples, images: Sequence[Sample], out: Path) -> Collected:
    """Write the archive whole or not at all; only then do its pictures count as collected.

    Raises:
        LineError: ``out`` is there already.
        OSError: the system refused.
    """
    check_new(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    part = part_name(out.absolute().parent)
    with naming(out):
        try:
            taken = _written(store, images, part)
            os.replace(openable(part), openable(out))
        finally:
            with suppress(FileNotFoundError):
                os.unlink(openable(part))
    store.collected(taken)
    doubtful = sum(one.why == "doubtful" for one in taken)
    size = sum(one.size for one in taken)
    return Collected(len(taken), doubtful, len(images) - len(taken), size)


def _written(store: Samples, images: Sequence[Sample], part: str) -> list[Sample]:
    taken, rows = [], [BOM + line_of(COLUMNS)]
    with open(openable(part), "xb") as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for one in images:
                data = store.read(one)
                if data is not None:
                    archive.writestr(zipfile.ZipInfo(f"images/{one.file}", DAY), data)
                    rows.append(line_of(row_of(one)))
                    taken.append(one)
            archive.writestr(zipfile.ZipInfo(TABLE, DAY), b"".join(rows))
        file.flush()
        os.fsync(file.fileno())
    return taken


def row_of(one: Sample) -> list[Cell]:
    """A line of the table; the answer is in no column that would be read as a label."""
    answer = one.document
    head = [f"images/{one.file}", one.why, answer["class"], answer["confidence"], answer["verdict"]]
    more = [
        answer["decided_by"],
        answer.get("time", ""),
        answer.get("lot", ""),
        answer.get("path", ""),
    ]
    return [*head, *more, answer["version"], one.image]
