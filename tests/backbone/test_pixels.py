"""Images are decoded and preprocessed once, and kept as bytes in memory or in a mapped file."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from pictures import random_image
from PIL import Image

from clipgrip.backbone import pixels as module
from clipgrip.backbone.clip import ClipBackbone
from clipgrip.backbone.pixels import read_pixels
from clipgrip.data.images import UndecodableImage
from clipgrip.errors import CacheError, DataError
from clipgrip.files import part_name
from clipgrip.mapped import is_mapped


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


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the cache, in which the pixels of more than a few pictures lie."""
    monkeypatch.setattr(module, "IN_MEMORY", 1000)
    monkeypatch.setenv("CLIPGRIP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_many_lie_in_a_file_that_goes_with_them(
    backbone: ClipBackbone, large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_file = read_pixels(backbone, items())
    assert is_mapped(in_file)
    monkeypatch.undo()
    in_memory = read_pixels(backbone, items())
    assert not is_mapped(in_memory)
    assert torch.equal(in_file, in_memory)
    in_file[0] = 0
    del in_file
    assert not list(large.rglob("*.*"))


def test_what_an_older_version_kept_for_ever_is_taken_away(
    backbone: ClipBackbone, large: Path
) -> None:
    for name in ("pixels-v1-2", "pixels-of-mine"):
        (large / name).mkdir(parents=True)
    read_pixels(backbone, items())
    assert [path.name for path in large.iterdir()] == ["pixels-of-mine"]


def test_what_a_killed_process_left_is_taken_away(backbone: ClipBackbone, large: Path) -> None:
    large.mkdir()
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    Path(part_name(large).replace(f"-{os.getpid()}-", f"-{process.pid}-")).write_bytes(b"pixels")
    read_pixels(backbone, items())
    assert list(large.iterdir()) == []


def test_an_image_that_cannot_be_read_leaves_no_file(backbone: ClipBackbone, large: Path) -> None:
    def gone() -> Image.Image:
        raise UndecodableImage("unreadable", "cannot be read (gone)")

    with pytest.raises(DataError, match="gone"):
        read_pixels(backbone, [*items(), ("f" * 64, gone)])
    assert list(large.iterdir()) == []


def test_a_cache_that_cannot_be_written_says_how_much_room_is_needed(
    backbone: ClipBackbone, large: Path
) -> None:
    large.write_text("")
    with pytest.raises(CacheError, match=r"GB of preprocessed images.*CLIPGRIP_CACHE"):
        read_pixels(backbone, items())
