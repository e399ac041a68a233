"""The smallest fakes that can be wrong: a two-layer random CLIP in a folder, and its images."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = (
    "1"  # threads that wait for each other on a busy machine cost minutes
)
os.environ["TOKENIZERS_PARALLELISM"] = "false"

from shapes import check_shapes

check_shapes()  # before anything of clipgrip is imported

import pytest
from pictures import random_image
from PIL import Image
from tiny import make_tiny_clip

LOOPBACK = ("127.0.0.1", "::1", "localhost")


@pytest.fixture(scope="session", autouse=True)
def _no_network() -> Iterator[None]:
    """Nothing in the suite reaches another machine."""
    connect = socket.socket.connect

    def only_here(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in LOOPBACK:
            raise AssertionError(f"a test wants to connect to {address}")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", only_here)
        patch.setattr(socket.socket, "connect_ex", only_here)
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_added_models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The models that the user added are none of the suite's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLIPGRIP_MODELS", str(tmp_path_factory.mktemp("added")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _one_engine() -> Iterator[None]:
    """Which engine is the faster one here is measured by no test, so that each machine gives the same answers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("clipgrip.backbone.fastest.multiplies_bfloat16", lambda: True)
        yield


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a random CLIP: 32 x 32 pixels, patches of 8, two layers each side, 24-wide space, context 77."""
    folder = tmp_path_factory.mktemp("models") / "tiny-clip"
    return make_tiny_clip(folder, seed=0)


@pytest.fixture
def images() -> list[Image.Image]:
    """24 generated RGB images of different sizes."""
    return [random_image(seed, 20 + seed * 7 % 60, 20 + seed * 11 % 50) for seed in range(24)]


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One embedding cache for all tests that only need one to be there."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def quick(shared_cache: Path) -> Iterator[pytest.MonkeyPatch]:
    """Trainings of three steps, and a cache that is not the user's."""
    from projects import quick

    with quick(shared_cache) as patch:
        yield patch


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """32 generated images of four classes, a quarter of them for testing; read only."""
    from projects import make_place

    return make_place(tmp_path_factory.mktemp("projects") / "place")


@pytest.fixture(scope="session")
def finished(
    place: Any, tiny_clip: Path, shared_cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder of a finished run on ``place``; read only."""
    from projects import project, quick

    from clipgrip.runs.pipeline import run

    folder = tmp_path_factory.mktemp("runs") / "finished"
    with quick(shared_cache):
        run(project(place, tiny_clip, folder))
    return folder
