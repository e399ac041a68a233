"""Names of files that every system can make and every reader takes."""

from __future__ import annotations

from posixpath import splitext

from clipgrip.data.portable import no_split, safe
from clipgrip.data.rows import Row
from clipgrip_line.pictures.formats import ending_of, is_called_image


def file_name(row: Row, head: bytes) -> str:
    """The image's own name behind its hash, so that no two are the same, with an ending that readers of images know.

    ``head`` is how the file begins.
    """
    stem, ending = splitext(row.path.rpartition("/")[2])
    usual = ending_of(head)
    if usual and not is_called_image(f"x{ending}"):
        stem, ending = f"{stem}{ending}".rstrip("."), usual
    ending = f".{safe(ending[1:])}" if len(ending) > 1 else ""
    return f"{row.sha256[:12]}-{no_split(safe(stem))}{ending}"
