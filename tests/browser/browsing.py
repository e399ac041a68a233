"""A review that is served by a process of its own, and people who open it in Chromium."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Dialog, Error, Page, Request

WAIT = 60_000
"""Milliseconds before a test gives up; a busy machine is slow, not wrong."""
AWAY = (
    *("ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE", "ERR_SOCKET"),
    "ERR_CONTENT_LENGTH_MISMATCH",  # killed in the middle of a picture
)
"""What the console says while the server is away."""
HOSTILE = "<img src=x onerror=alert(1)>"
"""A class with a name that is a trap."""
UNSENT = "() => Object.keys(localStorage).filter((key) => /:[0-9a-f]{32}$/.test(key)).length"


@dataclass
class Serving:
    """``clipgrip review`` on a folder; the port stays the same after a restart."""

    folder: Path
    cache: Path
    port: int = 0
    process: subprocess.Popen[str] | None = None
    options: tuple[str, ...] = ()
    public: str = ""
    """Where a reverse proxy offers it; empty: people open it directly."""

    @property
    def address(self) -> str:
        return self.public or f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Returns when the link is printed."""
        words = [sys.executable, "-m", "clipgrip", "review", str(self.folder), "--no-browser"]
        self.process = subprocess.Popen(
            [*words, "--port", str(self.port), *self.options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "CLIPGRIP_CACHE": str(self.cache)},
        )
        assert self.process.stdout is not None
        said = []
        for line in self.process.stdout:
            said.append(line)
            if found := re.search(r"http://127\.0\.0\.1:(\d+)/", line):
                self.port = int(found[1])
                return
        raise AssertionError(f"the review did not start:\n{''.join(said)}")

    def kill(self) -> None:
        """As a power cut: nothing is said good-bye to."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def rows(self, query: str, *values: object) -> list[Any]:
        """What review.db holds."""
        with closing(sqlite3.connect(f"file:{self.folder / 'review.db'}?mode=ro", uri=True)) as db:
            return db.execute(query, values).fetchall()

    def standing(self, purpose: str = "review") -> dict[str, tuple[str, int | None, str]]:
        """Content hash -> (verdict, class id, person) of the last answer that was not taken back."""
        rows = self.rows(
            "SELECT image, verdict, class, person FROM answer WHERE purpose = ? AND number NOT IN "
            "(SELECT answer FROM undo) ORDER BY number",
            purpose,
        )
        return {image: (verdict, klass, person) for image, verdict, klass, person in rows}


@contextmanager
def serving(folder: Path, cache: Path) -> Iterator[Serving]:
    """The server, stopped in the end."""
    server = Serving(folder, cache)
    server.start()
    try:
        yield server
    finally:
        if server.process is not None and server.process.poll() is None:
            server.kill()


@dataclass
class Visitor:
    """One person in a browser of their own; ``wrong`` fills with what must never happen."""

    server: Serving
    page: Page
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(WAIT)
        self.page.on("console", self._console)
        self.page.on("pageerror", self._error)
        self.page.on("dialog", self._dialog)
        self.page.on("request", self._request)
        self.accepts = False
        """Whether a question of the page is answered with yes."""

    def open(self, path: str) -> Page:
        """Open a page and wait until its script is there."""
        self.page.goto(self.server.address + path)
        self.ready()
        return self.page

    def ready(self) -> None:
        self.page.wait_for_selector("html[data-ready=yes]", state="attached")

    def moving(self, act: Callable[[], Any]) -> None:
        """Do what leads to another page, and wait until it is there."""
        with self.page.expect_navigation():
            act()
        self.ready()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def saved(self) -> None:
        """Wait until the page holds nothing that the server has not said to be on its disk."""
        self.page.wait_for_function(f"() => ({UNSENT})() === 0")

    def value(self, script: str, argument: Any = None) -> Any:
        return self.page.evaluate(script, argument)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not any(a in message.text for a in AWAY):
            self.wrong.append(f"console: {message.text}")

    def _error(self, error: Error) -> None:
        self.wrong.append(f"script: {error}")

    def _dialog(self, dialog: Dialog) -> None:
        if self.accepts and dialog.type == "confirm":
            dialog.accept()
        else:
            self.wrong.append(f"dialog: {dialog.message}")
            dialog.dismiss()

    def _request(self, request: Request) -> None:
        where = urlsplit(request.url)
        if where.scheme != "blob" and where.netloc != urlsplit(self.server.address).netloc:
            self.wrong.append(f"request: {request.url}")


@contextmanager
def visiting(
    browser: Browser, server: Serving, name: str = "Aki", language: str = "en-GB"
) -> Iterator[Visitor]:
    """A person with a name, on the smallest screen that is promised to do."""
    context = browser.new_context(viewport={"width": 1366, "height": 768}, locale=language)
    if name:
        cookie = {"name": "clipgrip_person", "value": quote(name), "url": server.address}
        context.add_cookies([cookie])  # type: ignore[list-item]
    visitor = Visitor(server, context.new_page())
    try:
        yield visitor
        assert visitor.wrong == [], visitor.wrong
    finally:
        context.close()
