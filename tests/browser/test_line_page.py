"""The operator's page: seen from three metres, answered by keys, in both languages, on a tablet."""

from __future__ import annotations

import os
import socket
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import uvicorn
from line_fakes import GOOD, SCRATCH, UNSURE, FakeModel, app_of, picture, promised, service_of
from playwright.sync_api import Browser, Page
from proxies import proxied
from test_accessible import AXE, RUN

from clipgrip_line.service.service import Service
from clipgrip_line.web.address import Access

TOKEN = "a token nobody guesses"
NAMES = {"ja": ("良品", "きず", "へこみ"), "en": ("good", "scratch", "dent")}


@pytest.fixture
def line(tmp_path: Path) -> Iterator[tuple[Service, str]]:
    """A running service, and its address."""
    with _serving(tmp_path / "line") as served:
        yield served


@contextmanager
def _serving(state: Path, **settings: Any) -> Iterator[tuple[Service, str]]:
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    model = FakeModel(promise=promised(), names=NAMES)
    access = Access("127.0.0.1", port)
    service = service_of(state, model, access=access, name="Line 3", alpha=0.2, **settings)
    server = uvicorn.Server(uvicorn.Config(app_of(service), log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, args=([listening],))
    service.start()
    thread.start()
    yield service, f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()
    service.stop()
    listening.close()


def test_a_link_on_another_site_leads_in_and_every_page_stays_below_the_path_of_a_proxy(
    browser: Browser, tmp_path: Path
) -> None:
    with (
        _serving(tmp_path / "line", tokens=(TOKEN,)) as (_, address),
        proxied(
            urlsplit(address).port or 0, "/line3", strips=True, host=urlsplit(address).netloc
        ) as port,
    ):
        page = browser.new_context(locale="en").new_page()
        wrong: list[str] = []
        page.on("response", lambda told: wrong.append(told.url) if told.status >= 400 else None)
        there = f"http://127.0.0.1:{port}/line3/"
        page.route(
            "http://chat.example/",
            lambda route: route.fulfill(
                body=f'<a href="{there}?token={TOKEN}">line 3</a>', content_type="text/html"
            ),
        )
        page.goto("http://chat.example/")
        page.click("a")
        page.wait_for_url(there)
        page.click("#ja")
        page.wait_for_selector("html[lang=ja]")
        page.click("nav a")
        page.wait_for_selector("#paths section")
        assert page.get_attribute("html", "lang") == "ja"
        assert page.url == there + "docs"
        page.context.close()
        assert not wrong


def _opened(browser: Browser, address: str, language: str, width: int, height: int) -> Page:
    context = browser.new_context(
        viewport={"width": width, "height": height}, locale=language, color_scheme="light"
    )
    page = context.new_page()
    page.goto(address)
    return page


def _send(page: Page, address: str, data: bytes) -> Any:
    told = page.request.post(f"{address}/v1/predict?lot=L7", data=data)
    assert told.ok
    return told.json()["answers"][0]


@pytest.mark.parametrize(
    ("language", "ok", "person"), [("en", "OK", "to a person"), ("ja", "OK", "人が判断")]
)
def test_the_last_image_is_shown_with_its_verdict(
    browser: Browser, line: tuple[Service, str], language: str, ok: str, person: str
) -> None:
    _, address = line
    page = _opened(browser, address, language, 1280, 800)
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text))
    for data, symbol, word, place in (
        (GOOD, "○", ok, 0),
        (SCRATCH, "×", "NG", 1),
        (UNSURE, "△", person, 0),
    ):
        _send(page, address, data)
        page.wait_for_function(
            "s => document.getElementById('symbol').textContent === s", arg=symbol
        )
        assert page.inner_text("#word") == word
        assert page.inner_text("#class") == NAMES[language][place]
    assert page.inner_text("#waits") == "1"
    size = page.evaluate("() => document.getElementById('symbol').getBoundingClientRect().height")
    assert size > 100, "readable from three metres"
    assert errors == []
    page.context.close()


def test_what_waits_is_answered_by_keys_taken_back_and_kept(
    browser: Browser, line: tuple[Service, str]
) -> None:
    service, address = line
    page = _opened(browser, address, "en", 810, 1080)
    for level in (100, 110):
        _send(page, address, picture(level, level, level))
    page.wait_for_function("() => document.getElementById('waits').textContent === '2'")
    page.keyboard.press("a")
    page.wait_for_selector("#people:visible")
    page.fill("#by", "Aki")
    page.locator("#by").blur()
    page.keyboard.press("3")
    page.wait_for_function("() => !document.getElementById('undo').disabled")
    page.keyboard.press("u")
    page.wait_for_function("() => document.getElementById('undo').disabled")
    page.keyboard.press("2")
    page.wait_for_function("() => !document.getElementById('undo').disabled")
    page.click("#unsure")
    page.wait_for_selector("#line:visible")
    rows = service.ledger.reader.execute("SELECT class, by, undone FROM said ORDER BY number").fetchall()  # fmt: skip
    assert rows == [("dent", "Aki", 1), ("scratch", "Aki", 0), ("", "Aki", 0)]
    page.context.close()


@pytest.mark.parametrize("size", [(1280, 800), (810, 1080)])
def test_nothing_is_wider_than_the_screen(
    browser: Browser, line: tuple[Service, str], size: tuple[int, int]
) -> None:
    _, address = line
    page = _opened(browser, address, "ja", *size)
    _send(page, address, GOOD)
    page.wait_for_function("() => document.getElementById('symbol').textContent === '○'")
    wide = page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0
    page.context.close()


def _ring(service: Service, address: str) -> None:
    """Bright pictures, then dark ones."""
    numbers = np.random.default_rng(1)
    for low, high in ((100, 250), (5, 40)):
        for _ in range(120):
            colour = [int(one) for one in numbers.integers(low, high, 3)]
            urllib.request.urlopen(f"{address}/v1/predict", picture(*colour)).close()
    while service.watching.look():
        pass


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("size", [(1280, 800), (810, 1080), (390, 844)])
def test_an_alarm_shows_pictures_and_is_answered(
    browser: Browser, line: tuple[Service, str], size: tuple[int, int], language: str
) -> None:
    service, address = line
    _ring(service, address)
    page = _opened(browser, address, language, *size)
    page.wait_for_selector("#compare:visible")
    page.click("#compare")
    page.wait_for_selector("#pictures:visible")
    for place in ("#before", "#after"):
        assert page.locator(f"{place} img").count() == 12
    page.wait_for_function(
        "() => Array.from(document.querySelectorAll('#pictures img')).every(i => i.complete && i.naturalWidth > 0)"
    )
    wide = page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0
    _shot(page, f"alarm-{language}-{size[0]}")
    page.keyboard.press("Escape")
    page.wait_for_selector("#pictures", state="hidden")
    _shot(page, f"page-{language}-{size[0]}")
    page.click("[data-verdict=normal]")
    page.wait_for_selector("#alarm", state="hidden")
    page.context.close()


def _shot(page: Page, name: str) -> None:
    """For people who look at the page: CLIPGRIP_SHOTS names a folder."""
    folder = os.environ.get("CLIPGRIP_SHOTS")
    if folder:
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.screenshot(path=f"{folder}/{name}-{scheme}.png", full_page=True)


def test_after_a_restart_the_page_says_that_pictures_are_not_kept(
    browser: Browser, tmp_path: Path
) -> None:
    """Found by a reader: the strip was black tiles, and the last picture a black field."""
    for restarted in (False, True):
        with _serving(tmp_path / "line") as (_, address):
            page = _opened(browser, address, "en", 1280, 800)
            if not restarted:
                for data in (GOOD, SCRATCH):
                    _send(page, address, data)
            page.wait_for_selector("#strip li")
            page.wait_for_function(
                "() => [...document.querySelectorAll('#strip img')].every((one) => one.naturalWidth)"
            )
            assert page.locator("#strip li.bare").count() == (2 if restarted else 0)
            assert page.is_visible("#unkept") == restarted
            assert page.is_visible("#picture") != restarted
            page.wait_for_timeout(1200)
            assert page.is_visible("#picture") != restarted, "another look changes nothing"
            page.context.close()


@pytest.mark.skipif(not AXE.is_file(), reason="set CLIPGRIP_WEB_CHECKS to a folder with axe-core")
def test_the_pages_are_accessible(browser: Browser, line: tuple[Service, str]) -> None:
    _, address = line
    for language in ("en", "ja"):
        page = _opened(browser, address, language, 1280, 800)
        _send(page, address, UNSURE)
        page.wait_for_function("() => document.getElementById('waits').textContent === '1'")
        page.evaluate(AXE.read_text("utf-8"))
        assert page.evaluate(RUN) == []
        page.keyboard.press("a")
        page.wait_for_selector("#people:visible")
        assert page.evaluate(RUN) == []
        page.goto(f"{address}/docs")
        page.wait_for_selector("#paths section")
        page.evaluate(AXE.read_text("utf-8"))
        assert page.evaluate(RUN) == []
        page.context.close()
