"""Bytes of pictures changed, cut and moved: a picture, or the reason why not."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from functools import cache

import numpy as np
import pillow_heif
from PIL import Image, features

from benchmarks.faults.place import Place
from benchmarks.faults.trials import Attempt, Case, Outcome
from clipgrip.data.images import UndecodableImage, decode, quick_check, shown_of, upright_size

FORMATS: dict[str, dict[str, object]] = {
    "PNG": {}, "JPEG": {}, "BMP": {}, "GIF": {}, "TIFF": {}, "WEBP": {}, "PPM": {}, "JPEG2000": {},
    "JPEG progressive": {"progressive": True}, "TIFF compressed": {"compression": "tiff_lzw"},
    "AVIF": {}, "HEIC": {},
}  # fmt: skip


def cases(_: Place, quick: bool) -> Iterator[Case]:
    """Each format as often; together some 10,000."""
    known = [name for name in FORMATS if name != "AVIF" or features.check("avif")]
    times = 30 if quick else 910
    for name in known:
        yield Case("pictures", f"mutated {name}", times, _mutated(name))


@cache
def whole(name: str) -> bytes:
    """A picture of this format."""
    noise = np.random.default_rng(0).integers(0, 255, (30, 40, 3), np.uint8)
    out, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    more = dict(FORMATS[name])
    if name.startswith(("JPEG", "PNG", "WEBP")) and name != "JPEG2000":
        more["exif"] = exif
    if name == "HEIC":
        pillow_heif.from_pillow(Image.fromarray(noise)).save(out, exif=exif.tobytes())
    else:
        Image.fromarray(noise).save(out, name.split()[0], **more)
    return out.getvalue()


def _mutated(name: str) -> Attempt:
    def attempt(chance: random.Random, _: int) -> Outcome:
        data = bytearray(whole(name))
        reach = chance.choice([64, len(data)])
        for _n in range(chance.choice([1, 1, 2, 8, 50])):
            data[chance.randrange(min(reach, len(data)))] = chance.randrange(256)
        if chance.random() < 0.2:
            del data[chance.randrange(len(data)) :]
        elif chance.random() < 0.1:
            start = chance.randrange(len(data) + 1)
            data[start:start] = data[: chance.randrange(40)]
        return Outcome(seen="refused with a reason" if look(bytes(data)) else "")

    return attempt


def look(data: bytes) -> str:
    """Why it is no picture, or nothing."""
    try:
        quick_check(data)
        shown_of(data)
        upright_size(data)
        decode(data)
        decode(data, at_least=8)
    except UndecodableImage as error:
        return error.reason
    return ""
