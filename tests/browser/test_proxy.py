"""People open the review through a reverse proxy, under another name and below a path."""

from __future__ import annotations

import shutil
import socket
from contextlib import closing
from pathlib import Path

import pytest
from browsing import Serving, visiting
from playwright.sync_api import Browser
from proxies import proxied

NAME = "review.localhost"
PAGES = ("/", "/audit", "/review", "/one", "/classes", "/rounds", "/files")


def _free() -> int:
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.mark.parametrize(
    ("strips", "host"),
    [(False, ""), (True, ""), (True, "127.0.0.1")],
    ids=["kept", "taken away", "own host"],
)
def test_a_whole_visit_stays_below_the_path(
    browser: Browser, reviewed_run: Path, tmp_path: Path, strips: bool, host: str
) -> None:
    folder = Path(shutil.copytree(reviewed_run, tmp_path / "run"))
    own = _free()
    with proxied(own, "/clipgrip", strips=strips, host=f"{host}:{own}" if host else "") as port:
        options = ("--allow-name", f"{NAME}:{port}", "--path-prefix", "clipgrip")
        public = f"http://{NAME}:{port}/clipgrip"
        server = Serving(folder, reviewed_run.parent / "cache", own, None, options, public)
        server.start()
        try:
            with visiting(
                browser, server
            ) as aki:  # a request to anywhere else, or a refused one, fails the test
                for path in PAGES:
                    aki.open(path)
                aki.moving(lambda: aki.page.click("nav a >> nth=3"))
                aki.page.wait_for_function(
                    "() => document.getElementById('image').naturalWidth > 0"
                )
                aki.press("1")
                aki.saved()
                aki.moving(lambda: aki.page.click(".brand"))
                aki.moving(lambda: aki.page.click(".next .button"))
                aki.open("/review?n=50")
                aki.press("2")
                aki.saved()
                assert [klass for _, klass, _ in server.standing().values()] == [1, 2]
                aki.moving(lambda: aki.press("v"))
                assert aki.page.url.startswith(f"{public}/one?")
                aki.moving(lambda: aki.page.click("[data-language=ja]"))
                assert aki.page.get_attribute("html", "lang") == "ja"
                aki.open("/files")
                with aki.page.expect_download() as coming:
                    aki.page.click("a[href$='/export/labels']")
                assert Path(coming.value.path()).stat().st_size > 20
        finally:
            server.kill()
