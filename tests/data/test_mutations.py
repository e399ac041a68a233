"""Damaged images of every format: a picture or a reason, nothing else."""

from __future__ import annotations

import random
import time

import pytest
from data_helpers import encoded, picture
from PIL import Image

from clipgrip.data.images import UndecodableImage, decode, quick_check
from clipgrip.data.issues import REASONS


def _originals() -> dict[str, bytes]:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = picture(size=(48, 32))
    return {
        "jpeg": encoded(image, "JPEG", exif=exif, dpi=(72, 72)),
        "progressive": encoded(image, "JPEG", progressive=True),
        "png": encoded(image, exif=exif),
        "palette": encoded(image.convert("P"), transparency=3),
        "tiff": encoded(image, "TIFF", exif=exif),
        "lzw": encoded(image, "TIFF", compression="tiff_lzw"),
        "webp": encoded(image, "WEBP", exif=exif),
        "gif": encoded(image, "GIF"),
        "bmp": encoded(image, "BMP"),
        "ppm": encoded(image, "PPM"),
        "jpeg2000": encoded(image, "JPEG2000"),
    }


ORIGINALS = _originals()


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Bytes changed near the head or anywhere, cut off, or with a piece moved."""
    out = bytearray(data)
    reach = rng.choice([64, len(out)])
    for _ in range(rng.choice([1, 1, 2, 8, 50])):
        out[rng.randrange(min(reach, len(out)))] = rng.randrange(256)
    if rng.random() < 0.2:
        del out[rng.randrange(len(out)) :]
    if rng.random() < 0.1:
        start = rng.randrange(len(out) + 1)
        out[start:start] = out[: rng.randrange(40)]
    return bytes(out)


def looked_at(data: bytes) -> str | None:
    """The reason why not, or None for a picture; any other exception fails the test."""
    try:
        quick_check(data)
        decode(data)
    except UndecodableImage as error:
        return error.reason
    return None


@pytest.mark.parametrize("kind", ORIGINALS)
@pytest.mark.filterwarnings("default")
def test_damage_gives_a_picture_or_a_reason(kind: str, recwarn: pytest.WarningsRecorder) -> None:
    rng = random.Random(kind)
    for _ in range(60):
        data = mutated(ORIGINALS[kind], rng)
        start = time.thread_time()
        assert looked_at(data) in (None, *REASONS)
        assert time.thread_time() - start < 5


@pytest.mark.parametrize("kind", ORIGINALS)
def test_damage_is_harmless_also_when_warnings_are_errors(kind: str) -> None:
    rng = random.Random(kind + "!")
    answers = [looked_at(mutated(ORIGINALS[kind], rng)) for _ in range(30)]
    assert set(answers) <= {None, *REASONS}
