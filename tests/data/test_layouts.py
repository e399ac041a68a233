"""Pictures whose format leaves open what is the picture: unused alpha, previews that stand first, signed numbers."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from data_helpers import encoded, picture
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from clipgrip.data.images import UndecodableImage, decode, quick_check, shown_of

RGB = np.asarray(picture(3, (12, 9)))
GREY = RGB[..., 0]


def bmp(alpha: int, header: int) -> bytes:
    """32 bits a pixel with a mask for alpha, as Windows writes it."""
    height, width = GREY.shape
    pixels = np.full((height, width, 4), alpha, np.uint8)
    pixels[..., :3] = RGB[..., ::-1]
    body = pixels[::-1].tobytes()
    head = struct.pack("<IiiHHIIiiII", header, width, height, 1, 32, 3, len(body), 2835, 2835, 0, 0)
    head += struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    head += (b" niW" + bytes(header - 60)) if header > 56 else b""
    start = 14 + len(head)
    return b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start) + head + body


def tiff(values: NDArray[np.generic], *tags: tuple[int, int, list[int]]) -> bytes:
    """An unpacked TIFF of one strip; ``tags``: number, type (3: 16 bits, 4: 32 bits) and values."""
    height, width = values.shape[:2]
    bands = values.shape[2] if values.ndim == 3 else 1
    body, kind = values.tobytes(), 2 if values.dtype.kind == "i" else 1
    fields = {
        256: (4, [width]), 257: (4, [height]), 258: (3, [values.itemsize * 8] * bands), 259: (3, [1]),
        262: (3, [2 if bands > 2 else 1]), 273: (4, [8]), 277: (3, [bands]), 278: (4, [height]),
        279: (4, [len(body)]), 339: (3, [kind] * bands), **{n: (k, v) for n, k, v in tags},
    }  # fmt: skip
    out = b"II*\0" + struct.pack("<I", 8 + len(body)) + body
    entries, more, base = b"", b"", len(out) + 2 + 12 * len(fields) + 4
    for number, (form, items) in sorted(fields.items()):
        data = struct.pack("<" + {3: "H", 4: "I"}[form] * len(items), *items)
        place = data.ljust(4, b"\0") if len(data) <= 4 else struct.pack("<I", base + len(more))
        more += data if len(data) > 4 else b""
        entries += struct.pack("<HHI", number, form, len(items)) + place
    return out + struct.pack("<H", len(fields)) + entries + bytes(4) + more


@pytest.mark.parametrize("header", [56, 108, 124])
def test_a_bmp_whose_alpha_is_zero_everywhere_shows_its_colours(header: int) -> None:
    assert np.array_equal(np.asarray(decode(bmp(0, header))), RGB)
    assert np.array_equal(np.asarray(decode(bmp(255, header))), RGB)
    assert (
        np.asarray(decode(bmp(128, header))).min() >= 127
    )  # a transparent one still lies on white


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("extra", [[], [(338, 3, [0])], [(338, 3, [2])]])
def test_a_fourth_band_of_a_tiff_that_is_zero_everywhere_is_no_transparency(
    deep: bool, extra: list[tuple[int, int, list[int]]]
) -> None:
    values = np.dstack([RGB, np.zeros_like(GREY)])
    made = tiff(values.astype(np.uint16) * 257 if deep else values, *extra)
    assert np.array_equal(np.asarray(decode(made)), RGB)


def test_a_png_of_nothing_stays_white() -> None:
    empty = Image.fromarray(np.dstack([RGB, np.zeros_like(GREY)]))
    assert np.asarray(decode(encoded(empty))).min() == 255


def test_signed_bytes_do_not_wrap_round() -> None:
    shifted = (GREY.astype(np.int16) - 128).astype(np.int8)
    assert np.array_equal(np.asarray(decode(tiff(shifted)))[..., 0], GREY)


def test_signed_numbers_above_zero_use_the_whole_range() -> None:
    values = (GREY.astype(np.int16) << 7) + (GREY >> 1)
    difference = np.asarray(decode(tiff(values)))[..., 0].astype(int) - GREY
    assert np.abs(difference).max() <= 1


def pages(*sizes: tuple[int, int, int]) -> bytes:
    """A TIFF of pictures by width, height and what the first tag (254) calls them."""
    made = []
    for width, height, kind in sizes:
        tags = ImageFileDirectory_v2()
        tags[254] = kind
        image = picture(7).resize((width, height))
        image.encoderinfo = {"tiffinfo": tags}
        made.append(image)
    first = made[0]
    return encoded(first, "TIFF", save_all=True, append_images=made[1:], **first.encoderinfo)


@pytest.mark.parametrize(
    ("sizes", "size", "said"),
    [
        ([(16, 12, 1), (64, 48, 0)], (64, 48), False),
        ([(16, 12, 1), (32, 24, 1), (64, 48, 0), (60, 40, 0)], (64, 48), True),
        ([(16, 12, 1), (64, 48, 1)], (64, 48), False),
        ([(16, 12, 1)], (16, 12), False),
        ([(64, 48, 0), (16, 12, 1)], (64, 48), False),
    ],
)
def test_a_preview_that_stands_first_in_a_tiff_is_not_taken_for_the_picture(
    sizes: list[tuple[int, int, int]], size: tuple[int, int], said: bool
) -> None:
    data = pages(*sizes)
    assert decode(data).size == quick_check(data) == size
    assert (shown_of(data) is not None) is said


@pytest.mark.parametrize("tag", [(50706, 4, [260]), (330, 4, [8])])
def test_a_cameras_raw_file_is_not_read_by_its_preview(tag: tuple[int, int, list[int]]) -> None:
    with pytest.raises(UndecodableImage, match="raw file, of which only a preview of 12 x 9"):
        quick_check(tiff(RGB, (254, 4, [1]), tag))


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"<!DOCTYPE html>\n<p>403", "a web page"),
        (b"\n<html>", "a web page"),
        (b"%PDF-1.7", "a PDF"),
        (b"PK\x03\x04", "a ZIP"),
        (b"8BPS\0\1", "Photoshop"),
        (b"\xff\x0a\0\0", "JPEG XL"),
    ],
)
def test_what_lies_in_a_pictures_place_is_called_by_its_name(head: bytes, words: str) -> None:
    with pytest.raises(UndecodableImage, match=words) as told:
        decode(head)
    assert told.value.reason == "not-an-image"
