"""Images are decoded and preprocessed once, and kept as bytes in memory or in a mapped file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pictures import random_image
from PIL import Image

from clipgrip.backbone.clip import ClipBackbone
from clipgrip.backbone.pixels import FOLDER, read_pixels
from clipgrip.data.images import UndecodableImage
from clipgrip.errors import CacheError, DataError


@pytest.fixture(scope="module")
def backbone(tiny_clip: Path) -> ClipBackbone:
    return ClipBackbone("tiny", tiny_clip)


def items(count: int = 70) -> list[tuple[str, Callable[[], Image.Image]]]:
    """The last one is a copy of the first."""
    made = [(f"{n:064x}", lambda n=n: random_image(n, 33, 36)) for n in range(count - 1)]
    return [*made, made[0]]


def test_rows_are_what_the_backbone_sees_in_the_order_of_the_items(backbone: ClipBackbone) -> None:
    heard: list[tuple[int, int]] = []
    pixels = read_pixels(backbone, items(), on_progress=lambda *at: heard.append(at))
    expected = np.stack([backbone.preprocess(load()) for _, load in items()])
    assert torch.equal(pixels, torch.from_numpy(expected))
    assert heard[-1] == (69, 69)
    assert len(read_pixels(backbone, [])) == 0


def test_many_lie_in_a_file_that_is_written_once(
    backbone: ClipBackbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_memory = read_pixels(backbone, items())
    mapped = read_pixels(backbone, items(), root=tmp_path, in_memory=1000)
    assert torch.equal(mapped, in_memory)
    (file,) = (tmp_path / FOLDER).iterdir()

    def fail(_: Any) -> Any:
        raise AssertionError("decoded again")

    again = [
        (content, items()[0][1] if row == 0 else fail) for row, (content, _) in enumerate(items())
    ]
    assert torch.equal(read_pixels(backbone, again, root=tmp_path, in_memory=1000), in_memory)  # type: ignore[arg-type]
    before = file.read_bytes()
    mapped[0] = 0  # a copy in memory: the file is never changed
    assert file.read_bytes() == before
    read_pixels(backbone, items()[::-1], root=tmp_path, in_memory=1000)
    assert len(list((tmp_path / FOLDER).iterdir())) == 2


def test_a_flipped_bit_in_the_file_is_found_and_the_pixels_are_made_anew(
    backbone: ClipBackbone, tmp_path: Path
) -> None:
    whole = read_pixels(backbone, items(), root=tmp_path, in_memory=1000).clone()
    (file,) = (tmp_path / FOLDER).iterdir()
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    assert torch.equal(read_pixels(backbone, items(), root=tmp_path, in_memory=1000), whole)


def test_an_image_that_cannot_be_read_leaves_no_half_file(
    backbone: ClipBackbone, tmp_path: Path
) -> None:
    def gone() -> Image.Image:
        raise UndecodableImage("unreadable", "cannot be read (gone)")

    with pytest.raises(DataError, match="gone"):
        read_pixels(backbone, [*items(), ("f" * 64, gone)], root=tmp_path, in_memory=1000)
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_a_cache_that_cannot_be_written_says_how_much_room_is_needed(
    backbone: ClipBackbone, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CacheError, match=r"GB of preprocessed images.*CLIPGRIP_CACHE"):
        read_pixels(backbone, items(), root=tmp_path / "file", in_memory=1000)
