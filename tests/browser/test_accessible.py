"""Every page and report is valid and accessible: axe-core (WCAG 2.2 AA) and html-validate find nothing.

Both are npm packages; CLIPGRIP_WEB_CHECKS names a folder whose node_modules hold them, as .ci/run makes one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import Serving, visiting
from playwright.sync_api import Browser, Page

from clipgrip.bench.results import summary
from clipgrip.report.grid import build_grid
from clipgrip.report.stress import build_stress
from clipgrip.stress.trial import block, blocks

FOLDER = Path(os.environ.get("CLIPGRIP_WEB_CHECKS") or "nowhere") / "node_modules"
AXE = FOLDER / "axe-core" / "axe.min.js"
VALIDATE = FOLDER / "html-validate" / "bin" / "html-validate.mjs"
pytestmark = pytest.mark.skipif(
    not AXE.is_file() or not VALIDATE.is_file(),
    reason="set CLIPGRIP_WEB_CHECKS to a folder where npm has installed axe-core and html-validate",
)
LANGUAGES = ("en", "ja")
PAGES = {
    "overview": "/",
    "audit": "/audit",
    "review": "/review?n=50",
    "settle": "/review?queue=disagree",
    "one": "/one",
    "classes": "/classes",
    "rounds": "/rounds",
    "files": "/files",
}
RUN = """async () => (await axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa",
  "best-practice"] })).violations.flatMap(
  (found) => found.nodes.map((one) => `${found.id}: ${one.html.slice(0, 200)}`))"""
WIDER = "() => document.documentElement.scrollWidth - innerWidth"
RULES = {
    "root": True,
    "extends": ["html-validate:recommended"],
    "rules": {
        "no-inline-style": "off",  # the length of a bar is data
        "prefer-native-element": [
            "error",
            {"exclude": ["listbox"]},
        ],  # images cannot stand in a select
    },
}
BENCH = {
    "data": "flowers102",
    "pool": 9,
    "test": 9,
    "split_by": "content",
    "classes": ["a"],
    "seeds": 2,
    "backbone": {"name": "nano"},
    "size": "full",
    "done": 2,
    "cells": 2,
    "versions": {"clipgrip": "0"},
}


def _cells() -> list[dict[str, Any]]:
    row = {"prompt": "textual", "paradigm": "UL", "strategy": "grip", "preset": "default"}
    row |= {"test": 0.7, "test_zero_shot": 0.6, "poor_change": 0.1, "rich_change": None}
    row |= {"seconds": 1.0, "worst_before": 0.1, "worst_after": 0.2, "peak_megabytes": 100}
    return summary("flowers102", [row, row | {"test": 0.8}])


@pytest.fixture(scope="module")
def reports(reviewed_run: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One file of each kind of report, in both languages."""
    folder = tmp_path_factory.mktemp("reports")
    run = Path(shutil.copytree(reviewed_run, folder / "run"))
    classes = folder / "classes.txt"
    classes.write_text("good\nscratch\ndent\n")
    noisy = {"classes": 4, "pool": 1258, "test": 539, "zero_shot": 0.75, "seeds": 1, "gone": ["margin"], "rows": [
        {**cell._asdict(), "purity": 1 - cell.rate, "accuracy": 0.9 - 0.5 * cell.rate}
        for seed, kind, rate in blocks(1) for cell in block(seed, kind, rate)
    ]}  # fmt: skip
    found = {}
    for language in LANGUAGES:
        for name, words in (
            ("report", ["report", run]),
            ("board", ["report", run, "--for", "board", "--assume", "images_per_year=100000"]),
            ("pilot", ["pilot", "--classes", classes, "--images", "2000", "--ok-class", "good",
                       "--accuracy", "0.9:0.85", "--out", folder / f"pilot-{language}"]),
        ):  # fmt: skip
            subprocess.run(
                [sys.executable, "-m", "clipgrip", *map(str, words), "--lang", language],
                check=True, capture_output=True,
            )  # fmt: skip
            made = folder / f"pilot-{language}.html" if name == "pilot" else run / f"{name}.html"
            found[f"{name}-{language}"] = Path(
                shutil.copy(made, folder / f"{name}-{language}-page.html")
            )
        page = build_stress(noisy, language)  # type: ignore[arg-type]
        found[f"stress-{language}"] = folder / f"stress-{language}.html"
        found[f"stress-{language}"].write_text(page, "utf-8")
        found[f"bench-{language}"] = folder / f"bench-{language}.html"
        found[f"bench-{language}"].write_text(build_grid(BENCH, _cells(), language), "utf-8")  # type: ignore[arg-type]
    return found


@pytest.fixture
def colours(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = browser.new_context(color_scheme=request.param)
    yield context.new_page()
    context.close()


def _faults(page: Page) -> list[str]:
    page.evaluate(AXE.read_text("utf-8"))
    return list(page.evaluate(RUN))


def _invalid(files: dict[str, Path], folder: Path) -> list[str]:
    """What html-validate finds in files."""
    (folder / ".htmlvalidate.json").write_text(json.dumps(RULES))
    for name, file in files.items():
        shutil.copy(file, folder / f"{name}.html")
    told = subprocess.run(
        ["node", str(VALIDATE), "--formatter", "json", *(f"{name}.html" for name in files)],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    values: Any = json.loads(told.stdout)
    results = values["results"] if isinstance(values, dict) else values
    return [
        f"{Path(one['filePath']).name}:{m['line']} {m['ruleId']}: {m['message']}"
        for one in results
        for m in one["messages"]
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_pages_are_accessible_and_valid(
    browser: Browser, server: Serving, language: str, tmp_path: Path
) -> None:
    files = {}
    for scheme in ("light", "dark"):
        with visiting(browser, server, "Aki", language) as aki:
            aki.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            for name, path in PAGES.items():
                aki.open(path)
                for closed in aki.page.locator("summary").all()[:2]:
                    closed.click()
                assert _faults(aki.page) == [], f"{path} {scheme}"
                files[name] = tmp_path / f"{name}-page"
                files[name].write_bytes(aki.page.request.get(server.address + path).body())
            aki.open("/one")
            aki.page.click("#person")  # the dialog
            assert _faults(aki.page) == [], scheme
            aki.press("Escape")
            for width in (390, 768):
                aki.page.set_viewport_size({"width": width, "height": 800})
                for path in PAGES.values():
                    aki.open(path)
                    assert _faults(aki.page) == [], f"{path} {scheme} {width}"
    assert _invalid(files, tmp_path) == []


@pytest.mark.parametrize("colours", ["light", "dark"], indirect=True)
def test_the_reports_are_accessible(colours: Page, reports: dict[str, Path]) -> None:
    for name, file in reports.items():
        for width in (1280, 390):
            colours.set_viewport_size({"width": width, "height": 800})
            colours.goto(file.as_uri())
            found = _faults(colours)
            assert found == [], (name, width, *found)
            if not name.startswith(("board", "pilot")):  # sheets of paper, wider than a phone
                assert colours.evaluate(WIDER) <= 0, (name, width)


def test_the_reports_are_valid(reports: dict[str, Path], tmp_path: Path) -> None:
    assert _invalid(reports, tmp_path) == []
