"""The page *At work*: how to begin, then the light, the alarms and who answered them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from PIL import Image, ImageEnhance
from projects import picture
from review_helpers import Browser

from clipgrip.report.at_work import at_work_page
from clipgrip.review.session import ReviewSession
from clipgrip.runs.lock import locked
from clipgrip.runs.watch.status import line_of
from clipgrip.runs.watch.store import LOCK, answer_alarm, open_watch
from clipgrip.sentences import quoted
from clipgrip.serving.predictor import Predictor
from clipgrip.serving.watching import watch_files


def bring(line: Path, seeds: range, light: float) -> None:
    for seed in seeds:
        part: Image.Image = picture(seed, 50 * (seed % 4))
        ImageEnhance.Brightness(part).enhance(light).save(line / f"{seed}.png")


def test_the_page_says_how_to_begin_then_what_rang_and_who_answered(
    session: ReviewSession, folder: Path, tmp_path: Path
) -> None:
    browser, japanese = Browser(session), Browser(session, language="ja")
    begin = f"clipgrip watch look {quoted(folder.resolve())} NEW_IMAGES"
    assert begin in browser.get("/work").text, "it works from any folder"
    assert "nothing new to learn from" in browser.get("/rounds").text
    assert "まだ始まっていません" in japanese.get("/work").text
    line = tmp_path / "line"
    line.mkdir()
    for seeds, light in ((range(1000, 1040), 1.0), (range(2000, 2080), 0.4)):
        bring(line, seeds, light)
        watch_files(folder, Predictor.open(folder), line, lambda _: None)
    for text, words in (
        (
            browser.get("/work").text,
            ("×", "darker than before", "Check lamp", "What did you find?"),
        ),
        (japanese.get("/work").text, ("×", "暗くなっています", "照明")),
    ):
        assert all(word in text for word in words)
    _keep(browser, japanese, folder, session)
    with open_watch(folder) as store:
        answer_alarm(store, "fixed", by="<Sato>", note="lamp", at="2026-01-01T00:00:00+00:00")
    page = browser.get("/work").text
    assert "&lt;Sato&gt;: the cause is removed" in page
    assert "○" in page


def _keep(browser: Browser, japanese: Browser, folder: Path, session: ReviewSession) -> None:
    """The pages as files where somebody wants to look at them."""
    place = os.environ.get("CLIPGRIP_LOOK_AT")
    status = line_of(folder)
    assert status is not None
    names = session.snapshot.view.outcome.manifest.classes.display
    made = {
        "review-en": browser.get("/work").text,
        "review-ja": japanese.get("/work").text,
        "page-en": at_work_page(status, names, "en", folder),
        "page-ja": at_work_page(status, names, "ja", folder),
    }
    assert made["page-en"].count("<img") == made["page-ja"].count("<img") == 24
    assert f"clipgrip watch answer {quoted(folder)} fixed" in made["page-en"], "a command to copy"
    for name, text in made.items() if place else ():
        Path(str(place), f"{name}.html").write_text(text, "utf-8")


@pytest.fixture
def ringing(session: ReviewSession, folder: Path, tmp_path: Path) -> ReviewSession:
    line = tmp_path / "line"
    line.mkdir()
    for seeds, light in ((range(1000, 1040), 1.0), (range(2000, 2080), 0.4)):
        bring(line, seeds, light)
        watch_files(folder, Predictor.open(folder), line, lambda _: None)
    return session


def test_the_page_shows_the_pictures_of_an_alarm_and_answers_it(
    ringing: ReviewSession, folder: Path, tmp_path: Path
) -> None:
    browser = Browser(ringing)
    browser.post("/api/choice", {"person": "Sato"})
    page = browser.get("/work").text
    images = re.findall(r'src="/alarm/thumb/([0-9a-f]{64})"', page)
    assert len(images) == 24
    shown = browser.get(f"/alarm/thumb/{images[-1]}")
    assert (shown.status_code, shown.headers["content-type"]) == (200, "image/jpeg")
    answer = {"number": 1, "verdict": "normal", "note": "new lamp"}
    told = browser.post("/api/alarm", answer)
    assert told.json() == {"alarm": 1}, told.text
    with open_watch(folder) as store:
        (alarm,) = store.alarms()
        assert store.state().period == 2
    assert alarm.response is not None
    assert {k: alarm.response[k] for k in ("verdict", "note", "by")} == {
        "verdict": "normal",
        "note": "new lamp",
        "by": "Sato",
    }
    page = browser.get("/work").text
    assert "Sato: this is normal from now on" in page
    assert "<form" not in page.split("<main>")[1].split("</main>")[0]
    again = browser.post("/api/alarm", answer)
    assert again.status_code >= 400
    assert "nothing to answer" in again.json()["error"]


def test_a_picture_that_is_gone_or_another_one_now_is_not_shown(
    ringing: ReviewSession, folder: Path, tmp_path: Path
) -> None:
    browser = Browser(ringing)
    with open_watch(folder) as store:
        first, second = store.alarms()[0].facts["after"][:2]
    Path(first["path"]).unlink()
    Path(second["path"]).write_bytes(b"another one")
    page = browser.get("/work").text
    assert first["sha256"] not in page
    assert "Picture not available" in page
    assert browser.get(f"/alarm/thumb/{second['sha256']}").status_code == 404
    assert browser.get(f"/alarm/thumb/{'0' * 64}").status_code == 404


def test_an_alarm_is_not_answered_while_another_process_looks(
    ringing: ReviewSession, folder: Path
) -> None:
    browser = Browser(ringing)
    with locked(folder, LOCK):
        told = browser.post("/api/alarm", {"number": 1, "verdict": "fixed", "note": ""})
    assert told.status_code >= 400
    assert "in use" in told.json()["error"]
    other = browser.post("/api/alarm", {"number": 7, "verdict": "fixed", "note": ""})
    assert "alarm 7 does not ring any more" in other.json()["error"]
    with open_watch(folder) as store:
        assert store.alarms()[0].response is None
