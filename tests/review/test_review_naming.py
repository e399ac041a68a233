"""The review shows which class names do not fit, and other words to try."""

from __future__ import annotations

import pytest
import torch
from projects import Place
from review_helpers import Browser, answer, truth

from clipgrip.review.naming import NameBoard
from clipgrip.review.queues import doubtful
from clipgrip.review.session import ReviewSession
from clipgrip.trust.naming import NameFit, Naming


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The labels that names were judged with, each time; the first class's text points at the second's images."""
    seen: list[list[int]] = []

    def judged(
        images: object, texts: torch.Tensor, scale: float, labels: torch.Tensor, _: object
    ) -> Naming:
        seen.append(labels.tolist())
        first = NameFit(0, 0.1, "other", 1, int((labels == 0).sum()))
        return Naming((first, *(NameFit(c, 0.9, "fits") for c in range(1, len(texts)))))

    monkeypatch.setattr("clipgrip.review.naming.naming", judged)
    monkeypatch.setattr("clipgrip.review.naming.knows_no_name", lambda _: False)
    return seen


@pytest.mark.parametrize(
    ("language", "words"), [("en", "do not seem|does not seem"), ("ja", "合って")]
)
def test_a_doubted_name_is_said_on_the_overview_and_shown_with_other_words(
    session: ReviewSession, asked: list[list[int]], language: str, words: str
) -> None:
    browser = Browser(session, language)
    front, page = browser.get("/").text, browser.get("/classes").text
    assert any(word in front for word in words.split("|"))
    assert 'href="/classes"' in front
    assert 'data-words="a scratch on the surface"' in page
    assert "0.10" in page
    assert len(asked) == 1  # the second page took what was known


def test_people_s_answers_count_but_not_those_of_the_audit(
    session: ReviewSession, parts: Place, asked: list[list[int]]
) -> None:
    board, ids = NameBoard(), truth(session, parts)
    board.lines(session.snapshot)
    row = int(doubtful(session.snapshot)[0])
    answer(session, row, int(ids[row]))
    board.lines(session.snapshot)
    assert sum(label >= 0 for label in asked[1]) == sum(label >= 0 for label in asked[0]) + 1
    drawn = next(
        r
        for r in session.snapshot.round.draw.rows.tolist()
        if r != row and session.snapshot.states.klass[r] < 0
    )
    answer(session, drawn, int(ids[drawn]), purpose="audit")
    assert len(asked) == 2
    board.lines(session.snapshot)
    assert len(asked) == 2  # nothing has changed for it


def test_no_name_is_judged_where_the_run_said_that_the_model_knows_nothing(
    session: ReviewSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = session.snapshot.view.outcome.run.facts
    monkeypatch.setitem(facts, "knowledge", [{"kind": "pointless"}])
    monkeypatch.setitem(facts, "labels", None)
    assert NameBoard().lines(session.snapshot) == {}
    assert 'id="doubted"' not in Browser(session).get("/classes").text


@pytest.mark.parametrize("weight", [0, 1])
def test_names_and_labels_that_changed_places_are_both_named_on_the_pages(
    session: ReviewSession, monkeypatch: pytest.MonkeyPatch, weight: int
) -> None:
    def judged(
        _images: object, texts: torch.Tensor, _scale: float, labels: torch.Tensor, _: object
    ) -> Naming:
        ring = [NameFit(c, 0.1, "other", 1 - c, 2) for c in (0, 1)]
        third = NameFit(2, 0.2, "nothing", None, 2)
        return Naming((*ring, third, *(NameFit(c, 0.9, "fits") for c in range(3, len(texts)))))

    monkeypatch.setattr("clipgrip.review.naming.naming", judged)
    monkeypatch.setattr("clipgrip.review.naming.knows_no_name", lambda _: False)
    monkeypatch.setattr("clipgrip.review.naming.labels_alone_decide", lambda _: weight == 0)
    facts = session.snapshot.view.outcome.run.facts
    monkeypatch.setitem(facts, "names", {"classes": [], "nameless": []})
    front = Browser(session, "en").get("/").text
    assert "Either the names or the labels of these 2 classes seem exchanged" in front
    assert ("class texts does not seem" in front) == bool(weight)
    monkeypatch.setitem(facts, "names", None)  # the run itself judged none: the model knew no name
    front = Browser(session, "en").get("/").text
    assert ("seem exchanged" in front) == bool(weight)
