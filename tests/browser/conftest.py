"""One small run with hostile names, reviewed in Chromium; servers with copies of it."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="playwright is not installed: pip install playwright")

from browsing import HOSTILE, Serving, Visitor, serving, visiting
from playwright.sync_api import Browser, sync_playwright
from projects import picture

from clipgrip.backbone.cache import ROOT_VARIABLE
from clipgrip.config import project
from clipgrip.runs.pipeline import run

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
CLASSES = ("scratch", "dent", "good part", HOSTILE)
PER_CLASS = 40


@pytest.fixture(scope="session")
def reviewed_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """160 pictures, one of them with a name that is a script; beside the run lies its cache."""
    folder = tmp_path_factory.mktemp("browser")
    images = folder / "images"
    images.mkdir()
    for number in range(PER_CLASS * len(CLASSES)):
        hostile = "<script>alert(2)<%2Fscript>'\"&" if number == 0 else ""
        tint = 50 * (number // PER_CLASS)
        picture(number, tint).save(images / f"part {number:03d}{hostile}.png")
    with (folder / "classes.csv").open("w", newline="", encoding="utf-8") as file:
        lines = [("name", "prompt"), *((name, name.strip("<>")) for name in CLASSES)]
        csv.writer(file).writerows(lines)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ROOT_VARIABLE, str(folder / "cache"))
        options = {"images": images, "classes": folder / "classes.csv", "out": folder / "run"}
        run(project({**options, "strategy": "fpl"}))
    return folder / "run"


@pytest.fixture(scope="session")
def server(reviewed_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A review that many share: each test answers images that are open when it comes."""
    with serving(_copy(reviewed_run, tmp_path_factory), reviewed_run.parent / "cache") as started:
        yield started


@pytest.fixture(scope="module")
def own_server(reviewed_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A review of this module's own, which it may change and kill."""
    with serving(_copy(reviewed_run, tmp_path_factory), reviewed_run.parent / "cache") as started:
        yield started


def _copy(run: Path, factory: pytest.TempPathFactory) -> Path:
    copy = factory.mktemp("review") / "run"
    shutil.copytree(run, copy)
    return copy


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium; of the module, because an event loop that goes on would disturb other tests."""
    if not CHROMIUM:
        pytest.skip("no chromium here; install it with: apt-get install chromium")
    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def aki(browser: Browser, server: Serving) -> Iterator[Visitor]:
    """A person who reads English."""
    with visiting(browser, server) as visitor:
        yield visitor
