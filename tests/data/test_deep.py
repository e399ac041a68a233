"""Pictures of more than 8 bits, and whole pictures whose surroundings are damaged, come out as they are seen."""

from __future__ import annotations

import contextlib
import io
import os
import random
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pytest
from data_helpers import encoded, picture, plant, png, reasons
from PIL import Image

from clipgrip.data.images import UndecodableImage, decode, quick_check, shown_of, upright_size
from clipgrip.data.ingest import ingest
from clipgrip_line.pictures import deep
from clipgrip_line.pictures.containers import MAX_SCANS

W, H = 40, 16
RAMP = np.linspace(0, 4095, W * H).astype(np.uint16).reshape(H, W)
COLOUR = np.stack([RAMP, RAMP[::-1], RAMP[:, ::-1]], -1)
EXPECTED = np.rint(COLOUR * 255.0 / 4095)


def chunk(kind: bytes, body: bytes, crc: int | None = None) -> bytes:
    code = zlib.crc32(kind + body) if crc is None else crc
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", code)


def png16(values: np.ndarray, kind: int, extra: bytes = b"") -> bytes:
    """``kind``: 0 grey, 2 RGB, 4 grey and alpha, 6 RGBA; each row has another filter where that needs no arithmetic."""
    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0))
    parts = head + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def tiff(
    values: np.ndarray,
    order: str = "<",
    photometric: int = 2,
    planes: bool = False,
    deflate: bool = False,
) -> bytes:
    """A TIFF of one strip, or one for each band."""
    bands = 1 if values.ndim == 2 else values.shape[-1]
    raw = values.astype(values.dtype.newbyteorder(order))
    strips = [raw[..., band].tobytes() for band in range(bands)] if planes else [raw.tobytes()]
    strips = [zlib.compress(strip) for strip in strips] if deflate else strips
    kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    bits = (values.dtype.itemsize * 8,) * bands
    tags = {
        256: (4, values.shape[1:2]),
        257: (4, values.shape[:1]),
        258: (3, bits),
        259: (3, (8 if deflate else 1,)),
    }
    tags |= {262: (3, (photometric,)), 273: (4, (0,) * len(strips)), 277: (3, (bands,))}
    tags |= {278: (4, values.shape[:1]), 279: (4, tuple(map(len, strips)))}
    tags |= {284: (3, (2 if planes else 1,)), 339: (3, (kind,) * bands)}
    end = 8 + 2 + 12 * len(tags) + 4
    sizes = {3: "H", 4: "I"}
    room = sum(len(v) * struct.calcsize(sizes[t]) for t, v in tags.values())
    at, places = end + room, []
    for strip in strips:
        places.append(at)
        at += len(strip)
    tags[273] = (4, tuple(places))
    entries, blob = b"", b""
    for tag, (type_, numbers) in sorted(tags.items()):
        body = struct.pack(f"{order}{len(numbers)}{sizes[type_]}", *numbers)
        where = body.ljust(4, b"\0")
        if len(body) > 4:
            where = struct.pack(f"{order}I", end + len(blob))
            blob += body
        entries += struct.pack(f"{order}HHI", tag, type_, len(numbers)) + where
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8)
    count = struct.pack(f"{order}H", len(tags))
    return head + count + entries + bytes(4) + blob.ljust(room, b"\0") + b"".join(strips)


def off(data: bytes, expected: np.ndarray) -> float:
    return float(np.abs(np.asarray(decode(data), np.float64) - expected).max())


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("planes", [False, True])
@pytest.mark.parametrize("deflate", [False, True])
def test_twelve_bits_of_colour_in_tiff_use_the_whole_range(
    order: str, planes: bool, deflate: bool
) -> None:
    options = {"planes": planes, "deflate": deflate}
    if planes and deflate:  # libtiff gives only the high byte of these
        with pytest.raises(UndecodableImage, match="12 bits in 16-bit colour of this kind of TIFF"):
            decode(tiff(COLOUR, order, **options))
    else:
        assert off(tiff(COLOUR, order, **options), EXPECTED) <= 1
    full = (COLOUR.astype(np.uint32) * 16).astype(np.uint16)
    assert off(tiff(full, order, **options), full >> 8) == 0


def test_twelve_bits_of_colour_in_png_use_the_whole_range() -> None:
    assert off(png16(COLOUR, 2), EXPECTED) <= 1
    full = np.full((H, W, 1), 4095, np.uint16)
    assert off(png16(np.concatenate([COLOUR, full], -1), 6), EXPECTED) <= 1
    opaque = np.full((H, W, 1), 65535, np.uint16)
    assert off(png16(np.concatenate([COLOUR, opaque], -1), 6), EXPECTED) <= 1
    grey = np.rint(RAMP * 255.0 / 4095)[..., None].repeat(3, -1)
    assert off(png16(np.stack([RAMP, opaque[..., 0]], -1), 4), grey) <= 1
    assert off(png16(RAMP[..., None], 0), grey) <= 1


def test_sixteen_bits_of_colour_stay_as_they_were() -> None:
    full = (COLOUR.astype(np.uint32) * 16).astype(np.uint16)
    assert off(png16(full, 2), full >> 8) == 0
    assert off(png16(np.zeros_like(COLOUR), 2), np.zeros((H, W, 3))) == 0


def test_twelve_bits_of_colour_in_ppm_use_the_whole_range() -> None:
    data = f"P6\n{W} {H}\n65535\n".encode() + COLOUR.astype(">u2").tobytes()
    assert off(data, EXPECTED) <= 1


def test_white_is_zero_is_no_negative() -> None:
    values = np.linspace(0, 65535, W * H).astype(np.uint16).reshape(H, W)
    expected = 255 - np.rint(values[..., None].repeat(3, -1) * 255.0 / 65535)
    assert off(tiff(values, photometric=0), expected) <= 1
    with pytest.raises(UndecodableImage, match="16-bit unsigned"):  # Pillow has no such mode
        decode(tiff(values, ">", photometric=0))


def test_unsigned_32_bits_do_not_wrap_round() -> None:
    values = np.linspace(0, 2**32 - 1, W * H).astype(np.uint32).reshape(H, W)
    got = np.asarray(decode(tiff(values, photometric=1)))[..., 0].ravel().astype(int)
    assert (np.diff(got) >= 0).all()
    assert (got[0], got[-1]) == (0, 255)


def test_a_transparent_value_of_sixteen_bits_lies_on_white() -> None:
    key = chunk(b"tRNS", struct.pack(">H", int(RAMP[0, 5])))
    assert decode(png16(RAMP[..., None], 0, key)).getpixel((5, 0)) == (255, 255, 255)
    wide = (COLOUR.astype(np.uint32) * 16).astype(np.uint16)
    key = chunk(b"tRNS", struct.pack(">HHH", *(int(v) for v in wide[3, 7])))
    got = decode(png16(wide, 2, key))
    assert got.getpixel((7, 3)) == (255, 255, 255)
    assert got.getpixel((8, 3)) == tuple(int(v) >> 8 for v in wide[3, 8])


def with_chunk(extra: bytes) -> bytes:
    data = encoded(picture(3))
    return data[:33] + extra + data[33:]


@pytest.mark.parametrize(
    "extra",
    [
        chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(3_000_000))),
        chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(3_000_000))),
        chunk(b"iTXt", b"a\0\1\0\0\0" + zlib.compress(bytes(3_000_000))),
        chunk(b"tEXt", b"a\0b", crc=1),
        chunk(b"sRGB", b""),
        chunk(b"pHYs", b"\0"),
        chunk(b"gAMA", b""),
        chunk(b"eXIf", b"junk", crc=7),
        chunk(b"acTL", b"\0"),
    ],
)
def test_what_stands_beside_the_pixels_of_a_png_spoils_no_picture(extra: bytes) -> None:
    assert decode(with_chunk(extra)).tobytes() == picture(3).tobytes()
    assert quick_check(with_chunk(extra)) == (8, 6)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0, "quality": 95}])
@pytest.mark.parametrize("cut", [1, 2])
def test_a_jpeg_without_its_end_mark_is_whole(options: dict[str, Any], cut: int) -> None:
    data = encoded(picture(3, (65, 43)), "JPEG", **options)
    assert decode(data[:-cut]).tobytes() == decode(data).tobytes()
    assert decode(data[:-cut], at_least=20).size == decode(data, at_least=20).size


def test_a_jpeg_that_lacks_a_part_of_its_picture_is_not_whole() -> None:
    data = encoded(picture(3, (65, 43)), "JPEG", quality=95)
    for cut in (6, 12, 40, 300, len(data) // 2):
        with pytest.raises(UndecodableImage, match="damaged or cut off"):
            decode(data[:-cut])


def test_avif_is_known_by_any_of_its_brands() -> None:
    data = encoded(picture(3, (32, 32)), "AVIF")
    assert data[8:12] == b"avif"
    assert decode(data[:8] + b"mif1" + data[12:]).size == (32, 32)


def heic(image: Image.Image, **more: Any) -> bytes:
    """As a phone writes it: how it lies stands in the container."""
    out = io.BytesIO()
    file = pillow_heif.from_pillow(image)
    for one in more.pop("others", ()):
        file.add_from_pillow(one)
    file.save(out, quality=-1, **more)
    return out.getvalue()


def test_heic_is_read() -> None:
    data = heic(picture(3, (64, 32)))
    assert decode(data).size == quick_check(data) == upright_size(data) == (64, 32)
    assert shown_of(data) is None
    for cut in (len(data) - 40, len(data) // 2, 60):
        with pytest.raises(UndecodableImage, match="damaged or cut off"):
            decode(data[:cut])


@pytest.mark.parametrize("lies", range(1, 9))
def test_a_heic_stands_upright(lies: int) -> None:
    """The same as a JPEG that lies so."""
    image, out = halves(), io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = lies
    image.save(out, "JPEG", exif=exif, quality=95)
    upright = decode(out.getvalue())
    data = heic(image, exif=exif.tobytes())
    assert upright_size(data) == decode(data).size == upright.size
    difference = np.asarray(decode(data), int) - np.asarray(upright, int)
    assert np.abs(difference).mean() < 10


def halves() -> Image.Image:
    """Red in one corner, green in the opposite one."""
    pixels = np.zeros((40, 64, 3), np.uint8)
    pixels[:20, :32], pixels[20:, 32:] = (255, 0, 0), (0, 255, 0)
    return Image.fromarray(pixels)


def test_deep_and_transparent_heic_is_read() -> None:
    clear = Image.new("RGBA", (64, 32), (0, 0, 0, 0))
    assert np.asarray(decode(heic(clear))).min() > 250
    row = np.linspace(0, 65535, 64).astype(np.uint16)
    deep = pillow_heif.from_bytes("RGB;16", (64, 8), np.tile(row.repeat(3), 8).tobytes())
    out = io.BytesIO()
    deep.save(out, quality=-1)
    across = np.asarray(decode(out.getvalue()), int)[4, :, 0]
    assert across.min() < 3
    assert across.max() > 252
    assert (np.diff(across) >= 0).all()


def test_of_a_heic_with_several_pictures_the_main_one_is_used_and_said() -> None:
    dark, light = Image.new("RGB", (64, 64), (9, 9, 9)), Image.new("RGB", (64, 64), (250, 250, 250))
    data = heic(dark, others=[light], primary_index=1)
    assert np.asarray(decode(data)).min() > 240
    assert shown_of(data) == "a file of several pictures; its main one is used"


@pytest.mark.parametrize(
    ("data", "reason", "words"),
    [
        (tiff(np.zeros((4, 4, 5), np.uint8)), "unsupported", "5 bands of 8-bit unsigned"),
        (tiff(np.zeros((4, 4))), "unsupported", "64-bit floating-point numbers; read are"),
        (tiff(np.zeros((4, 4, 3), np.float32)), "unsupported", "3 bands of 32-bit floating-point"),
        (b"BM is a name, and this a text", "not-an-image", "not one of the formats"),
        (b"P6 is a road to the north", "not-an-image", "not one of the formats"),
        (b"P6 5 is a road to the north", "not-an-image", "like a text"),
    ],
)
def test_what_is_not_read_has_its_true_reason(data: bytes, reason: str, words: str) -> None:
    with pytest.raises(UndecodableImage, match=words) as error:
        decode(data)
    assert error.value.reason == reason


def test_further_pages_and_frames_are_said(tmp_path: Path) -> None:
    pages = [picture(n) for n in range(3)]
    plant(
        tmp_path,
        {
            "a.tif": encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:]),
            "b.gif": encoded(pages[1], "GIF", save_all=True, append_images=pages[2:]),
            "c.png": encoded(pages[2], "PNG", save_all=True, append_images=pages[:1]),
            "d.tif": encoded(picture(9), "TIFF"),
        },
    )
    result = ingest(tmp_path, classes=["x", "y"])
    assert reasons(result) == dict.fromkeys(("a.tif", "b.gif", "c.png"), "first-page-only")
    assert len(result.manifest) == 4


def test_a_jpeg_of_thousands_of_scans_is_refused_before_it_is_decoded() -> None:
    data = encoded(picture(3, (400, 400)), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    bomb = data[:last] + data[last:-2] * (MAX_SCANS * 10) + b"\xff\xd9"
    for check in (decode, quick_check):
        with pytest.raises(UndecodableImage, match="scans") as error:
            check(bomb)
        assert error.value.reason == "too-large"
    inner = b"\xff\xe1" + struct.pack(">H", 2 + 4 * 300) + b"\xff\xda\0\0" * 300
    assert decode(data[:2] + inner + data[2:]).size == (400, 400)


def test_a_small_jpeg_2000_of_gigabytes_is_refused_by_its_header() -> None:
    data = bytearray(encoded(Image.new("RGBA", (64, 64)), "JPEG2000", no_jp2=True))
    assert decode(bytes(data)).size == (64, 64)
    data[8:16] = struct.pack(">II", 13_000, 13_000)
    data[24:32] = struct.pack(">II", 13_000, 13_000)
    with pytest.raises(UndecodableImage, match="at most 60 million") as error:
        decode(bytes(data))
    assert error.value.reason == "too-large"


def test_hundreds_of_nested_folders_are_read(tmp_path: Path) -> None:
    here, depth = os.getcwd(), 980
    plant(tmp_path, {"a.png": png(1)})
    try:
        os.chdir(tmp_path)
        for _ in range(depth):
            os.mkdir("d")
            os.chdir("d")
        Path("b.png").write_bytes(png(2))
        assert len(ingest(tmp_path, classes=["x", "y"]).manifest) == 2
        Path("b.png").unlink()
        for _ in range(depth):  # pytest's own cleaning up is recursive
            os.chdir("..")
            os.rmdir("d")
    finally:
        os.chdir(here)


def test_random_changes_of_deep_pictures_are_pictures_or_reasons() -> None:
    chance = random.Random(0)
    for data in (png16(COLOUR, 2), tiff(COLOUR), tiff(COLOUR, ">", planes=True)):
        for _ in range(60):
            changed = bytearray(data)
            for _ in range(3):
                changed[chance.randrange(min(len(data), 400))] = chance.randrange(256)
            with contextlib.suppress(UndecodableImage):
                decode(bytes(changed))


@pytest.mark.parametrize("kind", [2, 4, 6])
def test_deep_colour_is_made_some_rows_at_a_time(
    monkeypatch: pytest.MonkeyPatch, kind: int
) -> None:
    values = {2: COLOUR, 4: np.stack([RAMP, RAMP], -1), 6: np.dstack([COLOUR, RAMP])}[kind]
    data = png16(values, kind)
    whole = decode(data).tobytes()
    for samples in (1, 200, 3 * W * 5):
        monkeypatch.setattr(deep, "AT_ONCE", samples)
        assert decode(data).tobytes() == whole


def test_deep_colour_of_more_pixels_than_fit_into_memory_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deep, "MAX_PIXELS", W * H - 1)
    with pytest.raises(UndecodableImage, match="40 x 16 pixels, 12 bits in 16-bit colour"):
        decode(png16(COLOUR, 2))
    assert decode(png16(COLOUR * 16, 2)).size == (W, H)
