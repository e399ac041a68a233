"""Whether a picture's bytes reach as far as its own format says they do.

Decoders show a picture that lacks nothing but its last bytes. While a file is being written that is too early: with
the next bytes it would be another content.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from clipgrip_line.pictures.containers import MAX_CHUNKS, jpeg_markers
from clipgrip_line.pictures.formats import HEAD_BYTES, reader_of
from clipgrip_line.pictures.unusable import UndecodableImage

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
"""Bytes of a value in TIFF by its type."""
_STRIPS = ((273, 279), (324, 325))
"""Tags of where strips and tiles begin, and of how long they are."""
MAX_VALUES = 500_000
"""Fields and places of strips that are looked at, of all pages of a TIFF: they may share their bytes."""
_INTEGERS = {3: "H", 4: "I", 13: "I", 16: "Q"}
_CODESTREAM = b"\xff\x4f"
"""How that of a JPEG 2000 begins."""
_TEXT = 0x20202020
"""What four blanks are as a size."""
Field = tuple[int, int, int]
"""Type, count, and where the values lie."""


def is_whole(data: bytes) -> bool:
    """False where the end is missing. True where the format does not say, so that only a decoder can tell."""
    try:
        check = _CHECKS.get(reader_of(data[:HEAD_BYTES]).name)
        return check is None or check(data)
    except UndecodableImage:
        return True
    except (struct.error, IndexError, OverflowError):  # what should stand here is not there
        return False


def lacks_only_more(data: bytes) -> bool:
    """Whether all of the picture that is shown is there, and only what its file says follows it is not.

    A second picture that somebody took away, or a few bytes of which nobody can say whether they begin a box.
    """
    try:
        check = _SHOWN.get(reader_of(data[:HEAD_BYTES]).name)
        return check is not None and check(data)
    except (UndecodableImage, struct.error, IndexError, OverflowError):
        return False


def _png(data: bytes) -> bool:
    at = 8
    for _ in range(MAX_CHUNKS):
        (size,), kind = struct.unpack_from(">I", data, at), data[at + 4 : at + 8]
        at += 12 + size
        if kind == b"IEND" or at > len(data):
            break
    return at <= len(data)


def _jpeg(data: bytes) -> bool:
    """With all the pictures that it says it holds (MPO, of two lenses or with an HDR map)."""
    ended = False
    for marker, at in jpeg_markers(data):
        is_list = marker == 0xE2 and data[at + 2 : at + 6] == b"MPF\0"
        if is_list and _mpf_end(data, at + 6) > len(data):
            return False
        ended = marker == 0xD9
    return ended


def _jpeg_ends(data: bytes) -> bool:
    """The first picture alone: what is shown of an MPO."""
    return any(marker == 0xD9 for marker, _ in jpeg_markers(data))


def _mpf_end(data: bytes, base: int) -> int:
    """Where the last picture of an MPO ends; ``base``: where its list, a TIFF of its own, begins."""
    part = data[base : base + 0x10000]
    order = ">" if part[:2] == b"MM" else "<"
    (at,) = struct.unpack_from(order + "I", part, 4)
    tags, _, _ = _directory(part, at, order, big=False)
    _, count, place = tags.get(0xB002, (0, 0, 0))
    rows = struct.iter_unpack(order + "4xII4x", part[place : place + count // 16 * 16])
    return max(((start and base + start) + size for size, start in rows), default=0)


def _tiff(data: bytes) -> bool:
    """Where nothing is packed a decoder counts the pixels, and some cameras call a last strip too long."""
    order = ">" if data[:2] == b"MM" else "<"
    big = 43 in data[2:4]
    (at,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
    pages: set[int] = set()
    left = MAX_VALUES
    while at and at not in pages and left > 0:  # pages in a circle are for the decoder to refuse
        pages.add(at)
        tags, at, fields = _directory(data, at, order, big=big)
        left -= fields + sum(tags[tag][1] for pair in _STRIPS for tag in pair if tag in tags)
        packed = _integers(data, tags.get(259), order)[:1] > [1]
        for starts, sizes in _STRIPS:
            ends = _integers(data, tags.get(starts), order)
            if packed:
                more = _integers(data, tags.get(sizes), order)
                ends = [start + size for start, size in zip(ends, more, strict=False)]
            if max(ends, default=0) > len(data):
                return False
    return bool(pages)


def _directory(data: bytes, at: int, order: str, *, big: bool) -> tuple[dict[int, Field], int, int]:
    """The fields of a page by tag, where the next page's begin, and their number; struct.error: they lie outside."""
    head, field, word, room = ("Q", "HHQ", "Q", 8) if big else ("H", "HHI", "I", 4)
    (number,) = struct.unpack_from(order + head, data, at)
    at += struct.calcsize(order + head)
    tags: dict[int, Field] = {}
    for _ in range(number):
        tag, kind, count = struct.unpack_from(order + field, data, at)
        size, place = _SIZES.get(kind, 1) * count, at + struct.calcsize(order + field)
        at = place + room
        if size > room:
            (place,) = struct.unpack_from(order + word, data, place)
        if place + size > len(data):
            raise struct.error
        tags[tag] = (kind, count, place)
    return tags, int(struct.unpack_from(order + word, data, at)[0]), int(number)


def _integers(data: bytes, field: Field | None, order: str) -> list[int]:
    if field is None or field[0] not in _INTEGERS:
        return []
    kind, count, place = field
    return list(struct.unpack_from(f"{order}{count}{_INTEGERS[kind]}", data, place))


def _bmp(data: bytes) -> bool:
    """Where nothing is packed by its pixels alone: some cameras write another size of the file."""
    size, first, header = struct.unpack_from("<I4xII", data, 2)
    if header == 12:
        width, height, bits = struct.unpack_from("<HH2xH", data, 18)
        packing, pixels = 0, 0
    else:
        width, height, bits, packing, pixels = struct.unpack_from("<ii2xHII", data, 18)
    if packing in (0, 3):
        size, pixels = 0, (width * bits + 31) // 32 * 4 * abs(height)
    return len(data) >= max(size, first + pixels)


def _gif(data: bytes) -> bool:
    at = 13 + _palette(data[10])
    while data[at] != 0x3B:
        if data[at] == 0x2C:
            at += 11 + _palette(data[at + 9])
        elif data[at] == 0x21:
            at += 2
        else:
            return True  # no GIF goes on so: for the decoder
        while data[at]:
            at += data[at] + 1
        at += 1
    return True


def _palette(flags: int) -> int:
    """Bytes of a table of colours."""
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _webp(data: bytes) -> bool:
    return bool(len(data) >= 8 + struct.unpack_from("<I", data, 4)[0])


def _ppm(data: bytes) -> bool:
    """Where numbers are written as text, the last one may lack digits; elsewhere pixels are counted by the decoder."""
    return data[1] in b"456" or data[-1:].isspace()


def _jpeg2000(data: bytes) -> bool:
    if data.startswith(_CODESTREAM):
        return _codestream_end(data, 0) <= len(data)
    return _boxes(data)


def _codestream_end(data: bytes, at: int) -> int:
    """Where the codestream of a JPEG 2000 that begins at ``at`` ends; struct.error where it is cut."""
    at += 2
    while (marker := struct.unpack_from(">H", data, at)[0]) != 0xFFD9:
        (step,) = struct.unpack_from(">H", data, at + 2)
        step += 2
        if marker == 0xFF90:  # a part of a tile: it says how long it is, but for the last one
            (part,) = struct.unpack_from(">I", data, at + 6)
            step = part or data.find(b"\xff\xd9", at) - at
        if step < 2:
            raise struct.error
        at += step
    return at + 2


def _boxes(data: bytes) -> bool:
    """Up to the last box; what is no box behind those of the picture was added by a camera."""
    at, seen = 0, set[bytes]()
    while at < len(data):
        if _has_picture(seen) and _is_no_box(data[at : at + 8]):
            return True
        end, kind = _box(data, at)
        if end > len(data):
            return False
        at = end
        seen.add(kind)
    return True


def _picture_boxes(data: bytes) -> bool:
    """Those that are shown, whatever follows."""
    at, seen = 0, set[bytes]()
    while not _has_picture(seen):
        at, kind = _box(data, at)
        seen.add(kind)
    return at <= len(data)


def _box(data: bytes, at: int) -> tuple[int, bytes]:
    """Where a box ends, and its kind; one without a size goes on to the end of the file, or of its codestream."""
    size, kind = struct.unpack_from(">I4s", data, at)
    if size == 0:
        start = at + 8
        is_stream = data.startswith(_CODESTREAM, start)
        return (_codestream_end(data, start) if is_stream else len(data)), kind
    if size == 1:
        (size,) = struct.unpack_from(">Q", data, at + 8)
    if size < 8:
        raise struct.error
    return at + size, kind


def _has_picture(kinds: set[bytes]) -> bool:
    return b"jp2c" in kinds or {b"meta", b"mdat"} <= kinds


def _is_no_box(head: bytes) -> bool:
    """Text or zeros: a box has a kind of four letters, and no picture's has so many bytes as letters would say."""
    if len(head) < 8:
        return False  # it may be the beginning of one
    (size,) = struct.unpack(">I", head[:4])
    return size >= _TEXT or not head[4:].isascii() or not head[4:].decode("ascii").isprintable()


_CHECKS: dict[str, Callable[[bytes], bool]] = {
    "PngImageFile": _png,
    "JpegImageFile": _jpeg,
    "TiffImageFile": _tiff,
    "BmpImageFile": _bmp,
    "GifImageFile": _gif,
    "WebPImageFile": _webp,
    "PpmImageFile": _ppm,
    "Jpeg2KImageFile": _jpeg2000,
    "AvifImageFile": _boxes,
    "HeifImageFile": _boxes,
}
_SHOWN: dict[str, Callable[[bytes], bool]] = {
    "JpegImageFile": _jpeg_ends,
    "Jpeg2KImageFile": _picture_boxes,
    "AvifImageFile": _picture_boxes,
    "HeifImageFile": _picture_boxes,
}
