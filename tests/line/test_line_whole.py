"""What lacks its end is not whole, or no decoder shows it; what is whole is found to be so, in every format."""

from __future__ import annotations

import io
import re
import struct
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from clipgrip_line.pictures.formats import READERS
from clipgrip_line.pictures.images import decode
from clipgrip_line.pictures.unusable import UndecodableImage
from clipgrip_line.pictures.whole import is_whole, lacks_only_more


def drawn(mode: str = "RGB", seed: int = 0, size: tuple[int, int] = (21, 13)) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 255, (*size[::-1], 3), np.uint8)
    return Image.fromarray(noise).convert(mode)


def saved(kind: str, mode: str = "RGB", pages: int = 1, **options: Any) -> bytes:
    out = io.BytesIO()
    if pages > 1:
        more = [drawn(mode, seed) for seed in range(1, pages)]
        options = {"save_all": True, "append_images": more, **options}
    drawn(mode).save(out, kind, **options)
    return out.getvalue()


MADE: dict[str, Callable[[], bytes]] = {
    "png": lambda: saved("PNG"),
    "png in grey": lambda: saved("PNG", "L"),
    "png with a palette": lambda: saved("PNG", "P"),
    "png, moving": lambda: saved("PNG", pages=3),
    "jpeg": lambda: saved("JPEG"),
    "jpeg, progressive": lambda: saved("JPEG", progressive=True),
    "jpeg with restart marks": lambda: saved("JPEG", restart_marker_blocks=1),
    "mpo": lambda: saved("MPO", pages=2),
    "tiff": lambda: saved("TIFF"),
    "tiff, lzw": lambda: saved("TIFF", compression="tiff_lzw"),
    "tiff, deflate": lambda: saved("TIFF", compression="tiff_adobe_deflate"),
    "tiff, packbits": lambda: saved("TIFF", compression="packbits"),
    "tiff, jpeg": lambda: saved("TIFF", compression="jpeg"),
    # the two bytes at its end are there to make its length even: nothing speaks of them
    "tiff with pages": lambda: saved("TIFF", pages=3, compression="tiff_lzw")[:-2],
    "tiff, big": lambda: saved("TIFF", big_tiff=True),
    "tiff, big, lzw": lambda: saved("TIFF", big_tiff=True, compression="tiff_lzw"),
    "bmp": lambda: saved("BMP"),
    "bmp with a palette": lambda: saved("BMP", "P"),
    "gif": lambda: saved("GIF", "P"),
    "gif, moving": lambda: saved("GIF", "P", pages=3),
    "webp": lambda: saved("WEBP"),
    "webp, lossless": lambda: saved("WEBP", lossless=True),
    "webp, moving": lambda: saved("WEBP", pages=3),
    "pgm": lambda: saved("PPM", "L"),
    "ppm": lambda: saved("PPM"),
    "ppm as text": lambda: b"P3 2 1 255\n1 2 3 4 5 255\n",
    "jpeg 2000": lambda: saved("JPEG2000"),
    "jpeg 2000, bare": lambda: saved("JPEG2000", no_jp2=True),
    "avif": lambda: saved("AVIF"),
}
NAMES = list(MADE)


def is_shown(data: bytes) -> bool:
    try:
        decode(data)
    except UndecodableImage:
        return False
    return True


@pytest.mark.parametrize("name", NAMES)
def test_a_whole_picture_is_whole(name: str) -> None:
    data = MADE[name]()
    assert is_shown(data)
    assert is_whole(data)


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_that_lacks_its_end_is_not_whole_or_is_not_shown(name: str) -> None:
    data = MADE[name]()
    early = [n for n in range(1, len(data)) if is_whole(data[:-n]) and is_shown(data[:-n])]
    assert early == []


@pytest.mark.parametrize("name", NAMES)
def test_nothing_that_was_changed_on_its_way_stops_the_look(name: str) -> None:
    data, chance = MADE[name](), np.random.default_rng(0)
    for _ in range(300):
        changed = bytearray(data)
        for at in chance.integers(0, min(len(data), 600), 3):
            changed[at] = chance.integers(256)
        assert is_whole(bytes(changed)) in (True, False)
        assert lacks_only_more(bytes(changed)) in (True, False)


BOXED = ["jpeg 2000", "jpeg 2000, bare", "avif"]


@pytest.mark.parametrize("name", ["png", "jpeg", "gif", "tiff, lzw", *BOXED])
@pytest.mark.parametrize(
    "added", [b"serial 7\0\0", bytes(512), b"\xff" * 16, b"\1\2\3\4\x81\x82\x83\x84"]
)
def test_what_a_camera_adds_behind_a_picture_does_not_make_it_less(name: str, added: bytes) -> None:
    assert is_whole(MADE[name]() + added)


def test_a_codestream_that_a_box_leaves_open_ends_where_it_says_itself() -> None:
    data = MADE["jpeg 2000"]()
    at = data.index(b"jp2c") - 4
    data = data[:at] + bytes(4) + data[at + 4 :]
    assert is_shown(data)
    assert is_whole(data)
    assert is_whole(data + b"serial 7")
    assert not any(is_whole(data[:-n]) for n in range(1, 300))


@pytest.mark.parametrize("name", ["jpeg 2000", "avif"])
@pytest.mark.parametrize("begun", [b"\0\0\1", b"\0\0\1\0uuid" + bytes(20)])
def test_a_box_that_begins_behind_the_picture_may_go_on_but_is_not_needed(
    name: str, begun: bytes
) -> None:
    data = MADE[name]()
    assert not is_whole(data + begun)
    assert lacks_only_more(data + begun)
    assert not any(lacks_only_more(data[:-n]) for n in range(1, len(data)))


def test_an_mpo_without_its_second_picture_shows_all_of_the_first() -> None:
    data = MADE["mpo"]()
    ends = [n for n in range(1, len(data)) if lacks_only_more(data[:n])]
    assert not is_whole(data[: ends[0]])
    assert ends == list(range(ends[0], len(data)))
    assert data[: ends[0]].endswith(b"\xff\xd9")
    assert decode(data[: ends[0]]).tobytes() == decode(data).tobytes()


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"mpo", "jpeg", "avif"} - set(BOXED)))
def test_of_other_formats_every_byte_is_waited_for(name: str) -> None:
    assert not any(lacks_only_more(MADE[name]()[:-n]) for n in (1, 2, 9))


@pytest.mark.parametrize("size", [0, 14, 2**31 - 1])
def test_a_bmp_that_calls_itself_another_size_is_judged_by_its_pixels(size: int) -> None:
    data = MADE["bmp"]()
    odd = data[:2] + size.to_bytes(4, "little") + data[6:]
    assert is_shown(odd)
    assert is_whole(odd)
    assert not is_whole(odd[:-1])


def test_every_format_that_is_read_has_been_tried() -> None:
    heads = [pattern for pattern, _, _ in READERS]
    tried = {
        place
        for make in MADE.values()
        for place, head in enumerate(heads)
        if re.compile(head, re.DOTALL).match(make())
    }
    assert tried == set(range(len(heads)))


def test_a_text_that_is_no_picture_is_for_the_decoder_to_refuse() -> None:
    assert is_whole(b"no picture at all")
    assert is_whole(b"")


def test_pages_that_share_their_bytes_do_not_take_a_minute() -> None:
    """240 KB in which each of 15,000 pages has 10,000 fields, nearly all of them those of the page before."""
    fields, pages = 10_000, 15_000
    data = bytearray(72 + 8 * pages + 12 * fields)
    data[:8] = b"MM\0*" + struct.pack(">I", 8)
    for page in range(pages):
        at = 8 + 8 * page
        struct.pack_into(">H", data, at, fields)
        struct.pack_into(">I", data, at + 2 + 12 * fields, at + 8)
    begun = time.process_time()
    assert is_whole(bytes(data))  # for the decoder, which refuses it
    assert time.process_time() - begun < 5
