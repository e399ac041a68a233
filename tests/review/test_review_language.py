"""What the review's page refuses is said in the reader's language: routes, forms, files, the guard, the round."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from review_helpers import Browser

from clipgrip.errors import RunError
from clipgrip.review import job
from clipgrip.review.session import ReviewSession
from clipgrip.sentences import mark
from clipgrip_line.web.language import address_without

JAPANESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")
IMAGE = "0" * 64
ANSWER = {"token": "a" * 12, "image": IMAGE, "klass": 0}
REFUSED: tuple[tuple[str, Any], ...] = (
    ("/api/answers", {"answers": [ANSWER]}),
    ("/api/answers", {"answers": []}),
    ("/api/undo", {"tokens": "none"}),
    ("/api/classes", {"action": "merge", "id": 0, "into": 0}),
    ("/api/classes", {"action": "split", "id": 0, "names": ["one"]}),
    ("/api/classes", {"action": "edit", "id": 99, "name": "x"}),
    ("/api/promise", {"max_error": 99}),
    ("/api/draw", {"kind": "class", "max_error": 2, "unknown": 1}),
    ("/api/nothing", {}),
)


@pytest.fixture
def browser(session: ReviewSession) -> Browser:
    made = Browser(session)
    made.client.cookies.set("clipgrip_language", "ja")
    return made


@pytest.mark.parametrize(("path", "body"), REFUSED)
def test_what_a_page_sends_in_vain_is_refused_in_japanese(
    browser: Browser, path: str, body: Any
) -> None:
    answer = browser.post(path, body)
    assert answer.status_code in (400, 404, 409)
    assert JAPANESE.search(answer.json()["error"]), answer.text


@pytest.mark.parametrize(
    ("form", "data"),
    [
        ("coco", b"no json"),
        ("coco", b'{"images": [], "categories": []}'),
        ("coco", b'{"images": [{}], "categories": [], "annotations": []}'),
        ("fiftyone", b"[]"),
        ("label-studio", b'"text"'),
        ("label-studio", b'[{"data": 1}]'),
        ("folders", b"no zip"),
        ("csv", b"\xff\xfe\xff"),
        ("csv", b"a,b\n1,2\n"),
        ("cocoo", b""),
    ],
)
def test_a_file_that_cannot_be_brought_in_is_refused_in_japanese(
    browser: Browser, form: str, data: bytes
) -> None:
    answer = browser.post(f"/api/import/{form}", data)
    assert answer.status_code in (400, 404), answer.text
    assert JAPANESE.search(answer.json()["error"]), answer.text
    assert "Did you mean" not in answer.text


def test_pages_pictures_and_exports_that_are_not_there_say_so_in_japanese(
    browser: Browser,
) -> None:
    for path in ("/nothing", f"/thumb/{IMAGE}", "/export/cocoo", "/review?queue=none"):
        answer = browser.get(path)
        assert answer.status_code in (400, 404), path
        assert JAPANESE.search(answer.text), answer.text


def test_the_guard_speaks_the_language_of_the_browser(session: ReviewSession) -> None:
    browser = Browser(session)
    for language, is_japanese in (("ja,en;q=0.8", True), ("en", False), ("", False)):
        answer = browser.client.post("/api/undo", headers={"accept-language": language})
        assert answer.status_code == 403
        assert bool(JAPANESE.search(answer.text)) is is_japanese


def test_why_a_round_failed_is_told_in_either_language(
    folder: Path, session: ReviewSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise RunError(mark("a round is running. Wait until it is done, or stop it first."))

    monkeypatch.setattr("clipgrip.review.rounds.next_round", failing)
    listener = job.FileListener(folder, "Sato")
    assert job._carried_out(folder, "Sato", listener) == 2
    browser = Browser(session)
    english = browser.get("/api/rounds").json()["error"]
    assert english.startswith("a round is running.")
    browser.client.cookies.set("clipgrip_language", "ja")
    assert JAPANESE.search(browser.get("/api/rounds").json()["error"])
    assert json.loads((folder / job.NAME).read_text("utf-8"))["error"] == english


def test_the_language_of_the_command_decides_until_the_person_chooses_on_the_page(
    session: ReviewSession,
) -> None:
    browser = Browser(session, "en-GB,en;q=0.8", asked="ja")
    browser.client.cookies.set("clipgrip_language", "en")  # chosen on another page, long ago
    assert '<html lang="ja">' in browser.get("/").text
    assert JAPANESE.search(browser.client.delete("/").text)
    assert JAPANESE.search(browser.get("/nothing").text)
    browser.post("/api/choice", {"language": "en"})
    assert '<html lang="en">' in browser.get("/").text
    assert '<html lang="en">' in Browser(session, "ja", asked="en").get("/").text
    assert '<html lang="ja">' in Browser(session, "ja").get("/").text


@pytest.mark.parametrize(
    ("path", "english", "japanese"),
    [
        (
            "/review?n=x",
            'n = "x" is not allowed. Give a whole number from 10 to 500.',
            "10から500までの整数",
        ),
        ("/review?n=9999", "Give a whole number from 10 to 500.", "10から500までの整数"),
        (
            "/review?skip=-1",
            'skip = "-1" is not allowed. Give a whole number of at least 0.',
            "skip",
        ),
        ("/review?class=b", 'class = "b" is not allowed. Give a whole number.', "整数"),
        ("/one?queue=surset", "Give one of doubtful, ", "surest"),
        ("/api/next?n=0", "Give a whole number from 1 to 500.", "1から500までの整数"),
        (f"/image/{IMAGE}?full=2", 'full = "2" is not allowed. Give true or false.', "true"),
        (
            f"/alarm/huge/{IMAGE}",
            'size = "huge" is not allowed. Give one of thumb, image.',
            "thumb",
        ),
        (f"/export/csv?ticket={'x' * 65}", "Give a text of at most 64 characters.", "64文字以内"),
        ("/?lang=fr", 'no screens or reports in "fr". Known: en, ja.', "fr"),
    ],
)
def test_an_address_with_a_wrong_value_says_what_is_allowed_and_what_to_do(
    session: ReviewSession, path: str, english: str, japanese: str
) -> None:
    told = Browser(session).get(path)
    assert told.status_code == 400
    shown = Browser(session, "ja").get(path)
    both = [one.json()["error"] if "/api/" in path else one.text for one in (told, shown)]
    assert english in both[0]
    assert ("Correct the address, or go back to the first page." in both[0]) == ("lang" not in path)
    assert japanese in both[1]
    assert JAPANESE.search(both[1])
    assert "should be" not in "".join(both)  # pydantic's words


@pytest.mark.parametrize(
    ("path", "body", "english"),
    [
        ("/api/undo", {"tokens": "none"}, 'tokens = "none" is not allowed. Give a list of 1 to'),
        (
            "/api/undo",
            {"tokens": []},
            "tokens = [] is not allowed. Give a list of 1 to 2000 entries.",
        ),
        (
            "/api/answers",
            {"answers": [{**ANSWER, "token": "x"}]},
            'token = "x" is not allowed. Give a text of 8 to 64 characters.',
        ),
        ("/api/answers", {"answers": [5]}, "What the page sent cannot be read."),
        ("/api/choice", {"language": "xx"}, 'language = "xx" is not allowed. Give one of en, ja.'),
        (
            "/api/promise",
            {"max_error": 99},
            "max_error = 99 is not allowed. Give a number above 0 and",
        ),
        (
            "/api/promise",
            {"confidence": 1},
            "confidence = 1 is not allowed. Give a number from 50 to",
        ),
        ("/api/draw", {"kind": "alike", "unknown": 1}, "unknown is not known here."),
        ("/api/draw", {}, "kind is missing."),
        (
            "/api/answers",
            {"answers": [{**ANSWER, "verdict": "?"}]},
            'answers.0.verdict = "?" is not',
        ),
        ("/api/undo", [1], "What the page sent cannot be read."),
    ],
)
def test_what_a_page_sends_wrongly_is_refused_in_our_own_words(
    session: ReviewSession, path: str, body: Any, english: str
) -> None:
    told = Browser(session).post(path, body)
    assert told.status_code == 400
    assert english in told.json()["error"]
    assert "should be" not in told.text


def test_a_language_in_the_address_is_kept_and_leaves_the_address(session: ReviewSession) -> None:
    browser = Browser(session, "en", asked="en")
    asking = {"accept": "text/html,*/*"}
    told = browser.client.get("/review?n=20&lang=ja", headers=asking, follow_redirects=False)
    assert (told.status_code, told.headers["location"]) == (303, "/review?n=20")
    assert '<html lang="ja">' in browser.get("/").text
    assert '<html lang="en">' in browser.get("/?lang=en").text  # a program's, of this answer alone
    elsewhere = {"query_string": b"lang=ja&a=1"}
    assert address_without(elsewhere, "//evil.example", "lang") == "/evil.example?a=1"
