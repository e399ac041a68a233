"""One small finished run for all tests of the review; each test works on a copy of its folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from projects import Place, make_place, project, quick

from clipgrip.review.session import ReviewSession
from clipgrip.review.store import open_review
from clipgrip.runs.pipeline import run


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """48 generated images of four classes, a quarter of them for testing; read only."""
    return make_place(tmp_path_factory.mktemp("review") / "parts", per_class=12)


@pytest.fixture(scope="session")
def begun(
    parts: Place, tiny_clip: Path, shared_cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder of a finished run on ``parts`` with two labels of the class scratch; read only."""
    folder = tmp_path_factory.mktemp("runs") / "begun"
    pool = [path for path in parts.truth if path not in parts.test_paths]
    labels = parts.table("two.csv", [path for path in pool if parts.truth[path] == "scratch"][:2])
    with quick(shared_cache):
        run(project(parts, tiny_clip, folder, rounds=2, labels=labels, candidates="all"))
    return folder


@pytest.fixture
def folder(begun: Path, quick: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A copy of the run that may be written."""
    return Path(shutil.copytree(begun, tmp_path / "run"))


@pytest.fixture
def session(folder: Path) -> Iterator[ReviewSession]:
    """A review that has just begun."""
    with open_review(folder, create=True) as store:
        yield ReviewSession(folder, store)
