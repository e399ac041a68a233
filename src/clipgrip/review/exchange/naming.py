"""Names of files and folders that every system can make and every reader takes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from posixpath import splitext

from clipgrip.data.images import HEAD_BYTES, READERS
from clipgrip.data.manifest import Row

ENDINGS = {
    "JpegImagePlugin": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PngImagePlugin": (".png", ".apng"),
    "BmpImagePlugin": (".bmp", ".dib"),
    "TiffImagePlugin": (".tif", ".tiff"),
    "WebPImagePlugin": (".webp",),
    "GifImagePlugin": (".gif",),
    "PpmImagePlugin": (".ppm", ".pgm", ".pbm", ".pnm"),
    "Jpeg2KImagePlugin": (".jp2", ".j2k", ".jpx", ".j2c", ".jpc"),
    "AvifImagePlugin": (".avif", ".avifs"),
}
"""Endings of each format, the usual one first; by the name of its reader."""
_KNOWN = frozenset(ending for endings in ENDINGS.values() for ending in endings)
_UNSAFE = frozenset('<>:"/\\|?*')
_RESERVED = frozenset(
    (
        "con",
        "prn",
        "aux",
        "nul",
        *(f"{kind}{n}" for kind in ("com", "lpt") for n in "0123456789¹²³"),
    )
)
"""Names that Windows keeps for devices."""
_LONGEST = 120
"""Bytes of a name."""
_SPLIT = re.compile(
    r"(?:(?<=[-._ 0-9])|^)(train|training|validation|valid|dev|val|test|testing|eval|evaluation)(?=[-._ 0-9]|$)"
)
"""A word that Hugging Face's ``imagefolder`` takes for a split; where one file has such a name, it reads no other."""


def folder_names(names: Sequence[str]) -> dict[str, str]:
    """Class name -> a folder that any system can make, no two the same where capitals do not count."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        folder = made = no_split(safe(name))
        number = 2
        while made.casefold() in taken:
            made, number = f"{folder} {number}", number + 1
        taken.add(made.casefold())
        found[name] = made
    return found


def file_name(row: Row, head: bytes) -> str:
    """The image's own name behind its hash, so that no two are the same, with an ending that readers of images know.

    ``head`` is how the file begins.
    """
    stem, ending = splitext(row.path.rpartition("/")[2])
    usual = ending_of(head)
    if ending.lower() not in _KNOWN and usual:
        stem, ending = f"{stem}{ending}".rstrip("."), usual
    ending = f".{safe(ending[1:])}" if len(ending) > 1 else ""
    return f"{row.sha256[:12]}-{no_split(safe(stem))}{ending}"


def ending_of(head: bytes) -> str:
    """The usual ending of an image that begins so; empty for none that is known."""
    for pattern, reader, _ in READERS:
        if re.match(pattern, head[:HEAD_BYTES], re.DOTALL):
            return ENDINGS[reader][0]
    return ""


def safe(name: str) -> str:
    """A name as the name of a file or folder that any system can make."""
    kept = "".join(c if c.isprintable() and c not in _UNSAFE else "_" for c in name)
    kept = kept.encode()[:_LONGEST].decode(errors="ignore").strip(" .") or "_"
    return f"_{kept}" if kept.split(".")[0].strip().casefold() in _RESERVED else kept


def no_split(name: str) -> str:
    """A name in which no word alone means a split to a reader: ``test 1`` becomes ``test~ 1``."""
    return _SPLIT.sub(r"\1~", name)
