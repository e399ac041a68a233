"""The pages on a small screen, with names that would be scripts elsewhere."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from browsing import HOSTILE, Serving, Visitor, visiting
from playwright.sync_api import Browser

PAGES = ("/", "/audit", "/review", "/one", "/classes", "/rounds", "/files", "/work")
WIDTH = "() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
LONG_WORD = """() => (document.querySelector("main li") ?? document.querySelector("main section"))
  .append("x_".repeat(100))"""
HEIGHT = "() => [document.documentElement.scrollHeight, document.documentElement.clientHeight]"


@pytest.mark.parametrize("language", ["en-GB", "ja-JP"])
def test_nothing_is_wider_than_a_small_screen(
    browser: Browser, server: Serving, language: str
) -> None:
    with visiting(browser, server, "A person with a rather long name", language) as aki:
        for path in PAGES:
            aki.open(path)
            wide, screen = aki.value(WIDTH)
            assert wide <= screen, path
            cut = aki.value(
                "() => [...document.querySelectorAll('.top nav')].some((n) => n.scrollWidth > n.clientWidth + 1)"
            )
            assert not cut, f"the tabs are cut off on {path}"


def test_a_class_name_of_one_long_word_wraps_wherever_a_sentence_names_it(
    browser: Browser, server: Serving, reviewed_run: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(reviewed_run, tmp_path / "run"))
    command = [sys.executable, "-m", "clipgrip", "report", str(run)]
    subprocess.run(command, check=True, capture_output=True)
    page = browser.new_page(viewport={"width": 400, "height": 800})
    for address in (f"{server.address}/", (run / "report.html").as_uri()):
        page.goto(address)
        page.evaluate(LONG_WORD)
        wide, screen = page.evaluate(WIDTH)
        assert wide <= screen, address
    page.close()


CUT = """() => {
  const wide = document.documentElement.clientWidth;
  return [...document.querySelectorAll("body *")].filter((one) => {
    if (!one.checkVisibility() || one.closest("dialog, .scroll, #stage")) return false;
    const { left, right, width } = one.getBoundingClientRect();
    const hidden = getComputedStyle(one).overflowX === "hidden" && one.scrollWidth > one.clientWidth + 1;
    return width && (right > wide + 1 || left < -1 || hidden);
  }).map((one) => `${one.tagName} ${one.className} ${one.textContent.trim().slice(0, 20)}`);
}"""


@pytest.mark.parametrize("language", ["en-GB", "ja-JP"])
@pytest.mark.parametrize("width", [390, 768, 1024])
def test_nothing_is_cut_off_on_a_phone_or_a_tablet(
    browser: Browser, server: Serving, language: str, width: int
) -> None:
    with visiting(browser, server, "Aki", language) as aki:
        aki.page.set_viewport_size({"width": width, "height": 800})
        for path in PAGES:
            aki.open(path)
            wide, screen = aki.value(WIDTH)
            assert wide <= screen, path
            assert aki.value(CUT) == [], path


@pytest.mark.parametrize("language", ["en-GB", "ja-JP"])
def test_one_image_at_a_time_needs_no_scrolling(
    browser: Browser, server: Serving, language: str
) -> None:
    with visiting(browser, server, "Aki", language) as aki:
        for path in ("/one", "/audit"):
            aki.open(path)
            tall, screen = aki.value(HEIGHT)
            assert tall <= screen, path
            aside = "() => (a => a.scrollHeight - a.clientHeight)(document.querySelector('aside'))"
            assert aki.value(aside) <= 1, path


def test_names_that_are_scripts_are_shown_as_text(aki: Visitor) -> None:
    aki.open("/one")  # a dialog, a script or a console message fails every test that has a visitor
    assert HOSTILE in aki.page.inner_text("#choices")
    images = aki.value("() => JSON.parse(document.getElementById('page').textContent).images")
    aki.open("/review?n=200")
    assert HOSTILE in aki.page.inner_text(".filter")
    hostile = aki.page.locator("img[alt*='<script>']")
    aki.open("/review?queue=answered&n=200") if hostile.count() == 0 else None
    assert aki.page.locator("img[src='x'], article script").count() == 0
    assert all("<" not in one["image"] for one in images)
    assert HOSTILE in (aki.open("/classes").locator(".into").first.text_content() or "")
    assert HOSTILE in aki.open("/").inner_text("main")


def test_every_control_is_reached_with_the_tab_key(aki: Visitor) -> None:
    for path in ("/", "/files", "/rounds"):
        aki.open(path)
        wanted = aki.value(
            "() => [...document.querySelectorAll('a[href], button, input, select')]"
            ".filter((e) => e.checkVisibility() && !e.disabled && !e.closest('dialog')).length"
        )
        reached = set()
        for _ in range(wanted + 2):
            aki.press("Tab")
            reached.add(
                aki.value(
                    "() => [...document.querySelectorAll('*')].indexOf(document.activeElement)"
                )
            )
        assert len(reached) >= wanted, path
