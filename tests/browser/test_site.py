"""The documentation's site, opened from its folder: nothing is fetched from elsewhere, and its search works."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from playwright.sync_api import Browser

ROOT = Path(__file__).parents[2]
SITE = ROOT / "build" / "site" / "html"
PAGES = ("index", "tutorial", "api", "first-steps", "operations/guide.ja", "decisions/index")


@pytest.fixture(scope="module")
def site() -> str:
    """The address of a site that was just built."""
    if not find_spec("zensical") or not find_spec("mkdocstrings"):
        pytest.skip("zensical and mkdocstrings are not installed: pip install -e '.[docs]'")
    command = [sys.executable, "-m", "tools.docs_site"]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    return SITE.as_uri()


def test_the_site_opens_from_its_folder_and_asks_no_other_machine(
    browser: Browser, site: str
) -> None:
    page = browser.new_page()
    asked: list[str] = []
    faults: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: faults.append(str(error)))
    for name in PAGES:
        page.goto(f"{site}/{name}.html")
        assert page.locator("h1").count() == 1, name
        broken = "images => images.filter((one) => one.complete && !one.naturalWidth).length"
        assert page.locator("article img").evaluate_all(broken) == 0, name
    assert [url for url in asked if not url.startswith(("file:", "data:", "about:"))] == []
    assert faults == []
    page.close()


@pytest.mark.parametrize("words", ["calibration", "抜き取り"])
def test_the_site_is_searched_without_a_server(browser: Browser, site: str, words: str) -> None:
    page = browser.new_page()
    page.goto(f"{site}/index.html")
    page.keyboard.press("/")
    page.get_by_role("combobox").fill(words)
    found = page.locator("ol li").filter(has_text=words)
    found.first.wait_for()
    assert page.get_by_role("combobox").input_value() == words
    page.close()
