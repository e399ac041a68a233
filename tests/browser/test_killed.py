"""The server is killed and browsers are closed while people answer: what the page called saved is in the database."""

from __future__ import annotations

import re

from browsing import UNSENT, Serving, Visitor, visiting
from playwright.sync_api import Browser

HEAR = """
window.said = JSON.parse(sessionStorage.getItem("said") ?? "[]");
document.addEventListener("saved", ({ detail }) => {
  window.said.push(...detail);
  sessionStorage.setItem("said", JSON.stringify(window.said));
});
"""


def _answer(visitor: Visitor, keys: str) -> None:
    for key in keys:
        before = visitor.value("() => document.getElementById('name').textContent")
        visitor.press(key)
        visitor.page.wait_for_function(
            "(before) => document.getElementById('name').textContent !== before", arg=before
        )


def _stored(server: Serving) -> list[str]:
    return [token for (token,) in server.rows("SELECT token FROM answer")]


def test_a_killed_server_loses_no_answer(browser: Browser, own_server: Serving) -> None:
    with visiting(browser, own_server) as aki:
        aki.page.add_init_script(HEAR)
        aki.open("/one")
        _answer(aki, "123")
        aki.press("4", "1")  # and at once, in the middle of answering:
        own_server.kill()
        said = aki.value("() => window.said")
        assert set(said) <= set(_stored(own_server))
        _answer(aki, "234")
        aki.page.wait_for_selector("#banner:not([hidden])")
        assert "not saved yet" in aki.page.inner_text("#banner")
        assert aki.value(UNSENT) == 1
        own_server.start()
        aki.saved()
        aki.page.wait_for_selector("#banner", state="hidden")
        said, stored = aki.value("() => window.said"), _stored(own_server)
        assert sorted(said) == sorted(stored)
        assert len(stored) == len(set(stored)) == 8
        assert len(own_server.standing()) == 8


def test_answers_of_a_closed_tab_are_sent_when_the_page_is_opened_again(
    browser: Browser, own_server: Serving
) -> None:
    with visiting(browser, own_server) as aki:
        aki.open("/one")
        before = len(_stored(own_server))
        own_server.kill()
        _answer(aki, "12")
        aki.page.wait_for_selector("#banner:not([hidden])")
        again = aki.page.context.new_page()
        aki.page.close()
        own_server.start()
        later = Visitor(own_server, again)
        later.open("/")
        later.saved()
        assert len(_stored(own_server)) == before + 2
        assert later.wrong == []


def test_a_refused_answer_takes_no_other_with_it(browser: Browser, own_server: Serving) -> None:
    with visiting(browser, own_server) as aki:
        aki.open("/one")
        image = aki.value("() => document.getElementById('image').dataset.image")
        before = len(_stored(own_server))
        aki.value(
            """(good) => {
              const review = document.querySelector("meta[name=review]").content;
              const said = { verdict: "class", klass: 1, purpose: "review", seconds: 1 };
              const answers = ["f".repeat(64), good].map((image, n) => ({ ...said, image, token: "waiting-" + n }));
              localStorage.setItem(`clipgrip:${review}:${"0".repeat(32)}`, JSON.stringify(answers));
            }""",
            image,
        )
        aki.open("/")
        aki.saved()
        assert "refused" in aki.page.inner_text("#toast")
        assert _stored(own_server)[before:] == ["waiting-1"]
        aki.wrong.clear()  # the console tells of the refusal


def test_a_page_that_is_too_old_keeps_its_answers(browser: Browser, own_server: Serving) -> None:
    with visiting(browser, own_server) as aki:
        aki.open("/one")
        before = len(_stored(own_server))
        aki.page.context.clear_cookies(name=re.compile("clipgrip_session_"))
        aki.press("1")
        aki.page.wait_for_selector("#banner:not([hidden])")
        assert "too old" in aki.page.inner_text("#banner")
        assert len(_stored(own_server)) == before
        aki.open("/one")
        aki.saved()
        assert len(_stored(own_server)) == before + 1
        aki.wrong.clear()
