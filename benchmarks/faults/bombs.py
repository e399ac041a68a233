"""Much work from little: refused in a second of the processor, with less than 2 GB, in a process that is measured."""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

from benchmarks.faults.pictures import look
from benchmarks.faults.place import Place
from benchmarks.faults.trials import Attempt, Case, Outcome
from clipgrip.errors import ClipgripError

MOST_SECONDS = 1.0
MOST_MEGABYTES = 2000.0
Use = Callable[[Place, bytes], object]


def cases(place: Place, _: bool) -> Iterator[Case]:
    """Each once: there is nothing random in them."""
    for name, (make, use) in BOMBS.items():
        yield Case("bombs", f"bomb: {name}", 1, _exploded(place, make, use))


def _exploded(place: Place, make: Callable[[], bytes], use: Use) -> Attempt:
    def attempt(_: random.Random, __: int) -> Outcome:
        data = make()
        idle = place.fork(lambda: None)
        ended = place.fork(lambda: use(place, data))
        spent = ended.seconds - idle.seconds
        seen = f"refused with {ended.megabytes:.0f} MB in {spent:.2f} s"
        if not ended.is_sentence or ended.code != 2:
            return Outcome(f"not refused: {ended.end}")
        if spent > MOST_SECONDS or ended.megabytes > MOST_MEGABYTES:
            return Outcome(seen)
        return Outcome(seen=seen)

    return attempt


def picture(_: Place, data: bytes) -> None:
    """Read as an image."""
    reason = look(data)
    print(reason)
    raise SystemExit(2 if reason else 0)


def table(place: Place, data: bytes) -> None:
    """A list of classes."""
    _command(place, "bomb.csv", data, ["run", "images", "--classes", "bomb.csv", "--out", "bombed"])


def labels(place: Place, data: bytes) -> None:
    """A table of labels."""
    words = ["run", "images", "--classes", "classes.txt", "--labels", "bomb.csv", "--out", "bombed"]
    _command(place, "bomb.csv", data, words)


def parquet(place: Place, data: bytes) -> None:
    """A table of images."""
    words = ["run", "bomb.parquet", "--classes", "classes.txt", "--out", "bombed"]
    _command(place, "bomb.parquet", data, words)


def settings(place: Place, data: bytes) -> None:
    """A project's file."""
    _command(place, "bomb.toml", data, ["run", "--config", "bomb.toml"])


def pilot(place: Place, data: bytes) -> None:
    """A pilot."""
    words = ["report", "whole", "--for", "board", "--pilot", "bomb.json", "--out", "bombed"]
    _command(place, "bomb.json", data, words)


def brought(form: str) -> Use:
    """An import of the review."""

    def use(place: Place, data: bytes) -> None:
        from clipgrip.review.exchange import imported
        from clipgrip.review.session import ReviewSession
        from clipgrip.review.store import open_review

        folder = place.folder / "reviewed"
        with open_review(folder) as store:
            session = ReviewSession(folder, store)
            try:
                told = imported(session, form, data, "Ito")
            except ClipgripError as error:
                print(error)
                raise SystemExit(2) from None
            print(str(told)[:500])
            raise SystemExit(0 if told["answers"] else 2)

    return use


def _command(place: Place, name: str, data: bytes, words: list[str]) -> None:
    import sys

    from clipgrip.cli.main import main

    (place.folder / name).write_bytes(data)
    sys.argv = ["clipgrip", *words]
    main()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width: int, height: int, body: bytes = bytes(1000), before: bytes = b"") -> bytes:
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    packed = _chunk(b"IDAT", zlib.compress(body))
    return b"\x89PNG\r\n\x1a\n" + head + before + packed + _chunk(b"IEND", b"")


def _saved(form: str, size: tuple[int, int], mode: str = "L", **more: object) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size).save(out, form, **more)
    return out.getvalue()


def _wide_jpeg2000() -> bytes:
    """Claims another width and height than it has."""
    data = bytearray(_saved("JPEG2000", (64, 64), "RGB"))
    at = data.find(b"\xff\x4f\xff\x51") + 8
    for place in (at, at + 16):
        data[place : place + 8] = struct.pack(">II", 20_000, 20_000)
    return bytes(data)


def _scans() -> bytes:
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).save(out, "JPEG", progressive=True)
    data = out.getvalue()
    last = data.rfind(b"\xff\xda")
    return data[:last] + data[last:-2] * 2000 + b"\xff\xd9"


def _large_scans() -> bytes:
    """Few enough scans, each over a picture that claims 13,000 x 13,000 pixels."""
    data = _saved("JPEG", (64, 64), progressive=True)
    at, last = data.find(b"\xff\xc2") + 5, data.rfind(b"\xff\xda")
    claimed = data[:at] + struct.pack(">HH", 13_000, 13_000) + data[at + 4 : last]
    return claimed + data[last:-2] * 190 + b"\xff\xd9"


def _exif() -> bytes:
    """Each part of EXIF behind the first makes a copy of all before it."""
    data = _saved("JPEG", (64, 64))
    part = b"\xff\xe1" + struct.pack(">H", 9) + b"Exif\0\0x"
    return data[:2] + part * 900_000 + data[2:]


def _packed_bmp() -> bytes:
    """Rows that are all end, which are filled up pixel by pixel."""
    side = 13_000
    head = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, 0, 0, 0, 256, 0) + bytes(1024)
    body = b"\x01\0\0\0" * side
    return b"BM" + struct.pack("<IHHI", 14 + len(head) + len(body), 0, 0, 1078) + head + body


def _tiled_tiff() -> bytes:
    """A picture of 8 x 8 pixels in one tile of 60,000 x 60,000."""
    tags = {
        256: 8,
        257: 8,
        258: 8,
        259: 8,
        262: 1,
        277: 1,
        322: 60_000,
        323: 60_000,
        324: 8,
        325: 9,
    }
    fields = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + fields + bytes(1000)


def _ppm() -> bytes:
    return b"P6 60000 60000 255\n" + bytes(100)


def _bmp() -> bytes:
    data = bytearray(_saved("BMP", (8, 8), "RGB"))
    data[18:26] = struct.pack("<ii", 100_000, 100_000)
    return bytes(data)


def _gif() -> bytes:
    data = bytearray(_saved("GIF", (8, 8), "P"))
    data[6:10] = struct.pack("<HH", 65_535, 65_535)
    return bytes(data)


def _tiff() -> bytes:
    """Tags that claim a huge picture."""
    data = bytearray(_saved("TIFF", (8, 8)))
    start = struct.unpack_from("<I", data, 4)[0]
    for entry in range(struct.unpack_from("<H", data, start)[0]):
        at = start + 2 + 12 * entry
        if struct.unpack_from("<H", data, at)[0] in (256, 257):
            struct.pack_into("<HII", data, at + 2, 4, 1, 100_000)
    return bytes(data)


def _overlapping() -> bytes:
    """Entries that share one body, each unpacking to megabytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(2000):
            archive.writestr(f"scratch/{number}.png", b"x")
        archive.writestr("dent/big.png", bytes(50_000_000))
    data = bytearray(out.getvalue())
    position, big = data.find(b"PK\x01\x02"), data.rfind(b"PK\x01\x02")
    while 0 <= position < big:
        data[position + 16 : position + 28] = data[big + 16 : big + 28]
        data[position + 42 : position + 46] = data[big + 42 : big + 46]
        position = data.find(b"PK\x01\x02", position + 4)
    return bytes(data)


def _mountain() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(40):
            archive.writestr(f"scratch/{number}.png", bytes(50_000_000))
    return out.getvalue()


def _many_rows() -> bytes:
    """Two hundred million rows of one value."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    out = io.BytesIO()
    part = pa.table({"path": pa.array(["a.png"] * 1_000_000).dictionary_encode()})
    with pq.ParquetWriter(out, part.schema, compression="zstd") as writer:
        for _ in range(200):
            writer.write_table(part)
    return out.getvalue()


BLANK_WEBP = bytes.fromhex("524946461a000000574542505650384c0e0000002fc7f2b10c071011fd0f4444ff03")
"""What libwebp makes of a black picture."""


def _digits(before: bytes = b"", after: bytes = b"") -> Callable[[], bytes]:
    return lambda: before + b"9" * 60_000 + after


BOMBS: dict[str, tuple[Callable[[], bytes], Use]] = {
    "a PNG that claims 60,000 x 60,000 pixels": (lambda: _png(60_000, 60_000), picture),
    "a PNG that claims 2^31 pixels in a row": (lambda: _png(2**31 - 1, 1), picture),
    "a PNG that claims 400,000 x 4,000 pixels": (lambda: _png(400_000, 4_000), picture),
    "a JPEG 2000 that claims 20,000 x 20,000 pixels": (_wide_jpeg2000, picture),
    "a progressive JPEG of 2,000 scans": (_scans, picture),
    "a PPM that claims 60,000 x 60,000 pixels": (_ppm, picture),
    "a BMP that claims 100,000 x 100,000 pixels": (_bmp, picture),
    "a GIF that claims 65,535 x 65,535 pixels": (_gif, picture),
    "a TIFF that claims 100,000 x 100,000 pixels": (_tiff, picture),
    "a JPEG of 190 scans that claims 13,000 x 13,000 pixels": (_large_scans, picture),
    "a JPEG of 900,000 parts of EXIF": (_exif, picture),
    "a packed BMP of 13,000 x 13,000 pixels": (_packed_bmp, picture),
    "a TIFF of one tile of 60,000 x 60,000 pixels": (_tiled_tiff, picture),
    "a WebP of 34 bytes and 13,000 x 13,000 pixels": (lambda: BLANK_WEBP, picture),
    "a CSV of 60,000 columns": (lambda: b"a," * 60_000 + b"\n" + b"1," * 60_000, table),
    "a CSV of 60,000 columns, as labels": (lambda: b"a," * 60_000 + b"\n", labels),
    "a CSV of one cell of 50 MB": (lambda: b'name,prompt\n"' + b"x" * 50_000_000, table),
    "a number of 60,000 digits in project.toml": (_digits(b"seed = "), settings),
    "nested lists in project.toml": (lambda: b"seed = " + b"[" * 100_000, settings),
    "many keys in project.toml": (lambda: b".".join([b"a"] * 50_000) + b" = 1", settings),
    "a number of 60,000 digits in pilot.json": (_digits(b'{"format": ', b"}"), pilot),
    "nested lists in pilot.json": (lambda: b"[" * 1_000_000, pilot),
    "a ZIP of overlapping entries": (_overlapping, brought("folders")),
    "a ZIP that unpacks to 2 GB": (_mountain, brought("folders")),
    "nested lists as Label Studio's JSON": (lambda: b"[" * 1_000_000, brought("label-studio")),
    "a number of 60,000 digits in COCO": (_digits(b'{"images": ', b"}"), brought("coco")),
    "nested objects as FiftyOne's JSON": (lambda: b'{"a":' * 500_000, brought("fiftyone")),
    "a CSV of 60,000 columns, brought in": (lambda: b"a," * 60_000 + b"\n", brought("csv")),
    "a Parquet file of 200 million rows": (_many_rows, parquet),
}
