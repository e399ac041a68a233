"""Sheets for people's answers: one that was given where images are wanted, and images of one that are gone."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from clipgrip.errors import DataError
from clipgrip.sentences import Sentence, quoted
from clipgrip.words import mark

if TYPE_CHECKING:
    from clipgrip.data.rows import Row

MOST = 10_000_000
"""Bytes of a file that may be a sheet: people fill none that is longer."""
OF_AUDIT = mark(
    "{sheet} is the sheet of a random audit, for people's answers, and not new images. To read the answers in it: "
    "{command}. To label images, give the folder or the files that hold them."
)
TO_LABEL = mark(
    "{sheet} is a sheet of images for people to label (clipgrip labels suggest), and not new images. Its labels teach "
    "a run: clipgrip run IMAGES --labels {quoted}. To label images, give the folder or the files that hold them."
)
GONE = mark(
    "{n} of these images cannot be found any more ({first}, for example), so nobody can look at all of them. "
    "Bring back what is missing, or run again on the images that there are."
)


def check_no_sheet(run: Path, images: Path, encoding: str | None = None) -> None:
    """DataError where the images are a sheet of an audit of any kind, or of `clipgrip labels suggest`."""
    from clipgrip.data.tables import TEXT_SUFFIXES

    if not images.name.lower().endswith(TEXT_SUFFIXES) or not images.is_file():
        return
    what = _sheet(run, images, encoding) if images.stat().st_size <= MOST else None
    if what is not None:
        raise DataError(what)


def _sheet(run: Path, images: Path, encoding: str | None) -> Sentence | None:
    """What a table is, if it is a sheet; a table that cannot be read is told where it is wanted."""
    from clipgrip.data.tables import read_table
    from clipgrip.labeling.suggest import HEADER
    from clipgrip.runs.audit_sheet import SHEET

    try:
        table = read_table(images, encoding)
    except DataError:
        return None
    if table.columns == HEADER:
        return Sentence(TO_LABEL, sheet=images, quoted=quoted(images))
    if not set(SHEET) <= set(table.columns):
        return None
    command = f"clipgrip audit read {quoted(run)} --answers {quoted(images)}"
    return Sentence(OF_AUDIT, sheet=images, command=command)


def gone_lines(rows: Iterable[Row]) -> list[str]:
    """What is to be said where images of a sheet have no file any more; nothing where all are there."""
    from clipgrip.data.sources import is_gone

    gone = [row.path for row in rows if is_gone(row.source)]
    return [Sentence(GONE, n=len(gone), first=gone[0])] if gone else []
