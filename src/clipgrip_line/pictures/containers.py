"""What stands around the pixels of PNG, JPEG, TIFF and JPEG 2000, read without Pillow.

Browsers show pictures whose texts, profiles or end marks are damaged or large; so do we.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Iterator

from PIL import TiffImagePlugin

from clipgrip_line.pictures.unusable import UndecodableImage
from clipgrip_line.sentences import Sentence, mark

MAX_CHUNKS = 100_000
MAX_SCANS = 200
"""Progressive files have about ten; each costs a pass over the whole picture."""
MAX_PASSED = 4_000_000_000
"""Pixels that all scans of a JPEG together may pass over: of the largest pictures, 22 times each."""
MAX_EXIF = 100
"""Parts of EXIF in a JPEG, which has one; Pillow copies what it has with each further one."""

_SAFE_CHUNKS = (b"tRNS", b"eXIf")
"""Ancillary chunks of PNG that change what is seen."""
_END = b"\0\0\0\0IEND\xaeB`\x82"
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_FORMATS = {
    1: mark("unsigned"),
    2: mark("signed"),
    3: mark("floating-point"),
    5: mark("complex"),
    6: mark("complex"),
}


def png_essentials(data: bytes) -> bytes:
    """A PNG without the chunks that change no pixel (text, colour profile, size in metres, further frames).

    UndecodableImage: very many chunks.
    """
    parts, position = [data[:8]], 8
    for _ in range(MAX_CHUNKS):
        head = data[position : position + 8]
        end = position + 12 + int.from_bytes(head[:4])
        if len(head) < 8 or head[4:] == b"IEND":
            return b"".join((*parts, _END))
        if end > len(data):  # cut off: what is there, for the reader to say so
            return b"".join((*parts, data[position:]))
        chunk = data[position:end]
        if not head[4] & 0x20 or (head[4:] in _SAFE_CHUNKS and _is_intact(chunk)):
            parts.append(chunk)
        position = end
    raise UndecodableImage(
        "corrupt", Sentence("a PNG of more than {max_chunks} parts", max_chunks=MAX_CHUNKS)
    )


def _is_intact(chunk: bytes) -> bool:
    return zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:])


def check_exif(data: bytes) -> None:
    """UndecodableImage where a JPEG has very many parts of EXIF."""
    if data.count(b"Exif\0\0") > MAX_EXIF:
        many = Sentence("a JPEG of more than {max_exif} parts of EXIF", max_exif=MAX_EXIF)
        raise UndecodableImage("too-large", many)


def check_scans(data: bytes, pixels: int) -> None:
    """UndecodableImage where a JPEG passes over its picture very often: small in bytes, minutes to decode."""
    most = min(MAX_SCANS, MAX_PASSED // pixels)
    if data.count(b"\xff\xda") <= most:
        return
    scans = 0
    for marker, _ in jpeg_markers(data):
        scans += marker == 0xDA
        if scans > most:
            raise UndecodableImage(
                "too-large", Sentence("a JPEG of more than {max_scans} scans", max_scans=most)
            )


def jpeg_markers(data: bytes) -> Iterator[tuple[int, int]]:
    """Each marker of a JPEG up to its end mark, with the position after it."""
    position, marker = 2, 0
    while marker != 0xD9 and (found := _MARKER.search(data, position)):
        position, marker = found.end(), found[0][1]
        yield marker, position
        if marker not in (0xD8, 0x01):
            position += int.from_bytes(data[position : position + 2])


def with_jpeg_end(data: bytes) -> tuple[bytes, bytes] | None:
    """A JPEG that lacks its end mark with two different continuations; None where it has the mark.

    Where all of the picture is there, a decoder skips what follows it, and both give the same pixels.
    """
    bare = data.rstrip(b"\0")
    if bare.endswith(b"\xff\xd9"):
        return None
    bare = bare.removesuffix(b"\xff")
    return bare + b"\x00" * 16 + b"\xff\xd9", bare + b"\xa5" * 16 + b"\xff\xd9"


def tiff_kind(data: bytes) -> str:
    """A TIFF's pixels in words: ``5 bands of 8-bit unsigned numbers``."""
    try:
        file = io.BytesIO(data)
        head = file.read(8)
        head += file.read(8) if 43 in head[2:4] else b""  # BigTIFF
        directory = TiffImagePlugin.ImageFileDirectory_v2(head)
        file.seek(directory.next)
        directory.load(file)
        bits = directory.get(258, (1,))
        kind = _FORMATS.get(directory.get(339, (1,))[0], mark("untyped"))
        bands, size = directory.get(277, 1), bits[0]
    except (ValueError, TypeError, KeyError, IndexError, SyntaxError, OSError, struct.error):
        return Sentence("an unknown kind")
    values = {"size": size, "kind": Sentence(kind)}
    if bands == 1:
        return Sentence("{size}-bit {kind} numbers", **values)
    return Sentence("{bands} bands of {size}-bit {kind} numbers", bands=bands, **values)


def jpeg2000_components(data: bytes) -> tuple[int, int]:
    """How many components a JPEG 2000 has, and the bits of the first; 4 and 16 where that is not said."""
    start = data.find(b"\xff\x4f\xff\x51")
    if start < 0 or len(data) < start + 43:
        return 4, 16
    return int.from_bytes(data[start + 40 : start + 42]), (data[start + 42] & 0x7F) + 1
