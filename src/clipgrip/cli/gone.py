"""Images of a sheet whose files are gone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from clipgrip.sentences import Sentence, mark

if TYPE_CHECKING:
    from clipgrip.data.rows import Row

GONE = mark(
    "{n} of these images cannot be found any more ({first}, for example), so nobody can look at all of them. "
    "Bring back what is missing, or run again on the images that there are."
)


def gone_lines(rows: Iterable[Row]) -> list[str]:
    """What is to be said where images of a sheet have no file any more; nothing where all are there."""
    from clipgrip.data.sources import is_gone

    gone = [row.path for row in rows if is_gone(row.source)]
    return [Sentence(GONE, n=len(gone), first=gone[0])] if gone else []
