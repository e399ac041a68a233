"""The page *At work*: how to begin, then the light, the alarms and who answered them."""

from __future__ import annotations

import os
from pathlib import Path

from PIL import Image, ImageEnhance
from projects import picture
from review_helpers import Browser

from clipgrip.report.at_work import at_work_page
from clipgrip.review.session import ReviewSession
from clipgrip.runs.watch.responding import answer_alarm
from clipgrip.runs.watch.status import line_of
from clipgrip.runs.watch.store import open_watch
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
    assert "clipgrip watch" in browser.get("/work").text
    assert "まだ始まっていません" in japanese.get("/work").text
    line = tmp_path / "line"
    line.mkdir()
    for seeds, light in ((range(1000, 1040), 1.0), (range(2000, 2080), 0.4)):
        bring(line, seeds, light)
        watch_files(folder, Predictor.open(folder), line, lambda _: None)
    for text, words in (
        (browser.get("/work").text, ("×", "darker than before", "Check lamp", "watch answer")),
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
        "page-en": at_work_page(status, names, "en"),
        "page-ja": at_work_page(status, names, "ja"),
    }
    assert made["page-en"].count("<img") == made["page-ja"].count("<img") == 24
    for name, text in made.items() if place else ():
        Path(str(place), f"{name}.html").write_text(text, "utf-8")
