"""The random audit of a review that draws each group apart, or to measure: asked, answered, proven on the page."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from projects import rows
from review_helpers import Browser, answer

from clipgrip.errors import ConfigError, RunError
from clipgrip.report.board.from_review import board_facts
from clipgrip.report.board.from_run import BoardRequest
from clipgrip.review import classes as edits
from clipgrip.review.choosing import choose_draw
from clipgrip.review.draws import (
    ChosenDraw,
    Kind,
    apart_proof,
    asked_for,
    audit_of,
    chosen_draw,
    measured_so_far,
    to_ask,
)
from clipgrip.review.exchange import exported
from clipgrip.review.measure import errors
from clipgrip.review.overview import overview
from clipgrip.review.promises import keep_promise
from clipgrip.review.session import ReviewSession
from clipgrip.runs.audit_store import promises
from clipgrip.runs.promised import proven_by
from clipgrip.runs.store import open_store
from clipgrip.runs.watch.standing import Standing
from clipgrip.runs.watch.upholding import Upheld
from clipgrip.trust.terms import Terms
from clipgrip_line.trust.scope import WatchedScope

LOOSE = Terms(0.45, 0.5)


def by_class(session: ReviewSession) -> ChosenDraw:
    return choose_draw(session, "class", (), LOOSE, 100, "Sato")


def answer_all(session: ReviewSession, chosen: ChosenDraw, said: np.ndarray) -> int:
    """Answer what is asked until nothing pays any more; how many answers that took."""
    given = 0
    while len(asked := to_ask(session.snapshot, chosen)):
        for row in asked.tolist():
            answer(session, row, int(said[row]))
            given += 1
    return given


def test_groups_are_asked_apart_until_nothing_pays_and_each_is_promised(
    session: ReviewSession, folder: Path
) -> None:
    chosen = by_class(session)
    assert chosen_draw(session.snapshot, session.store) == chosen
    labels = session.snapshot.view.label
    first = to_ask(session.snapshot, chosen)
    assert len(first)
    assert answer_all(session, chosen, labels) >= len(first)
    proof = apart_proof(session.snapshot, chosen)
    assert proof is not None
    assert proof.promise.apart
    assert any(scope.whole for scope in proof.promise.scopes)
    facts = keep_promise(session, LOOSE, (), "Sato")
    audit = audit_of(session.snapshot, chosen)
    assert audit is not None
    assert facts["audit"] == audit.id
    assert audit.id.startswith("class.")
    assert facts["decided_by_model"] == int(proof.promise.decided.sum()) > 0
    assert {row["decided_by"] for row in rows(folder / "automation.csv")} == {"model", "person"}
    with open_store(folder) as store:
        run = store.run()
        assert run is not None
        assert promises(store, run.id)[-1].facts["scopes"] == facts["scopes"]


def test_it_is_the_draw_of_the_command(session: ReviewSession) -> None:
    """Of each class the first images of the order in which ``clipgrip audit draw --by-class`` asks."""
    chosen = by_class(session)
    audit, snapshot = audit_of(session.snapshot, chosen), session.snapshot
    assert audit is not None
    asked = set(to_ask(snapshot, chosen).tolist())
    for group in audit.groups:
        within = audit.draw().within(group.members(audit.pool.labels))
        mine = snapshot.round.draw.pool_rows[within]
        n = sum(row in asked for row in mine.tolist())
        assert set(mine[:n].tolist()) <= asked


def test_answers_of_groups_do_not_measure_the_whole_and_are_learned_from(
    session: ReviewSession,
) -> None:
    browser = Browser(session)
    told = browser.post(
        "/api/draw", {"kind": "class", "max_error": 45, "confidence": 50, "ok": [], "planned": 100}
    )
    assert told.status_code == 200, told.text
    assert told.json()["left"] > 0
    shown = browser.get("/api/next?queue=audit&n=5").json()["images"]
    assert "proposed" not in shown[0]
    sent = [
        {"token": f"token-{n:04d}", "image": one["image"], "klass": 1, "purpose": "apart"}
        for n, one in enumerate(shown)
    ]
    assert browser.post("/api/answers", {"answers": sent}).status_code == 200
    states = session.snapshot.states
    assert not states.audit.any()
    assert int(states.labeled.sum()) >= len(sent)


def test_an_image_that_measures_stays_out_of_learning_whatever_draw_asks(
    session: ReviewSession,
) -> None:
    row = int(session.snapshot.round.draw.rows[0])
    answer(session, row, 1, purpose="audit")
    image = session.snapshot.view.rows[row].sha256
    sent = {"token": "token-again", "image": image, "klass": 2, "purpose": "apart"}
    assert Browser(session).post("/api/answers", {"answers": [sent]}).status_code == 200
    assert session.snapshot.states.audit[row]


def test_misses_and_overkill_are_drawn_apart(session: ReviewSession) -> None:
    with pytest.raises(ConfigError, match="no group has enough images"):
        choose_draw(session, "ok", (1,), Terms(0.001, 0.99), 100, "Sato")
    assert chosen_draw(session.snapshot, session.store) == ChosenDraw()
    chosen = choose_draw(session, "ok", (1,), LOOSE, 100, "Sato")
    answer_all(session, chosen, session.snapshot.view.label)
    proof = apart_proof(session.snapshot, chosen)
    assert proof is not None
    assert [scope.group for scope in proof.promise.scopes] == ["misses", "overkill"]
    with pytest.raises(ConfigError, match="at least one class"):
        choose_draw(session, "ok", (), LOOSE, 100, "Sato")
    assert chosen_draw(session.snapshot, session.store) == chosen


def test_an_answer_behind_a_gap_of_its_group_waits(session: ReviewSession) -> None:
    chosen = by_class(session)
    audit = audit_of(session.snapshot, chosen)
    assert audit is not None
    group = max(audit.groups, key=lambda one: int(one.members(audit.pool.labels).sum()))
    within = audit.draw().within(group.members(audit.pool.labels))
    mine = session.snapshot.round.draw.pool_rows[within].tolist()
    for place in (0, 2):
        answer(session, mine[place], 1)
    proof = apart_proof(session.snapshot, chosen)
    assert proof is not None
    assert proof.answers == 1


def test_to_measure_asks_the_first_phase_then_the_rest_of_the_plan(
    session: ReviewSession,
) -> None:
    chosen = choose_draw(session, "measure", (), Terms(), 30, "Sato")
    assert measured_so_far(session.snapshot) is None
    labels = session.snapshot.view.label.copy()
    first = len(to_ask(session.snapshot, chosen))
    assert 0 < first < 30
    given = answer_all(session, chosen, labels)
    assert first < given <= 30
    found = measured_so_far(session.snapshot)
    assert found is not None
    assert (found.overall.answers, round(found.overall.value, 3)) == (given, 1.0)
    assert found.overall.low < 1
    assert errors(session.snapshot).overall.total <= given  # no even sample of all


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_page_offers_each_way_and_shows_how_groups_stand(
    session: ReviewSession, language: str
) -> None:
    browser = Browser(session, language=language)
    page = browser.get("/audit").text
    assert page.count('name="kind"') == 4
    assert 'id="groups"' not in page
    by_class(session)
    page = browser.get("/audit").text
    assert 'id="groups"' in page
    assert '"purpose": "apart"' in page
    name = "draws: each class apart" if language == "en" else "クラスごとに抜き取る"
    assert name in browser.get("/classes").text
    first = browser.get("/").text
    assert ("How each group stands" if language == "en" else "グループごとの状況") in first
    found = overview(
        session.snapshot,
        asked_for(session.store),
        chosen=chosen_draw(session.snapshot, session.store),
    )
    assert found.step == "more-audit"
    choose_draw(session, "measure", (), Terms(), 30, "Sato")
    assert 'id="measured"' in browser.get("/audit").text
    choose_draw(session, "alike", (), Terms(), 100, "Sato")
    assert '"purpose": "audit"' in browser.get("/audit").text


def test_misses_and_overkill_are_not_called_all_wrong_labels(session: ReviewSession) -> None:
    """With several defects a promise for misses and overkill says nothing of one taken for another."""
    browser = Browser(session)
    assert "With at most 2% wrong" in browser.get("/").text
    choose_draw(session, "ok", (1,), LOOSE, 100, "Sato")
    page = browser.get("/").text
    assert "With at most 45% misses and at most 45% overkill" in page
    assert "With at most 45% wrong" not in page
    keep_promise(session, LOOSE, (), "Sato")
    page = browser.get("/classes").text
    assert "promise read: at most 45.0% misses and at most 45.0% overkill" in page
    by_class(session)
    assert "With at most 45% wrong" in browser.get("/").text


def test_other_classes_end_a_draw_apart(session: ReviewSession) -> None:
    by_class(session)
    edits.edit(session, 1, "other", "something else", "Sato")
    assert chosen_draw(session.snapshot, session.store).kind == "alike"
    with pytest.raises(RunError, match="classes were changed"):
        by_class(session)


def calibrations(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of each time that confidence is calibrated, whether it was because of a correction."""
    told: list[bool] = []
    monkeypatch.setattr(
        "clipgrip.review.session.keep_calibration",
        lambda _, *, corrected=False: told.append(corrected),
    )
    return told


def test_an_audited_answer_that_is_put_right_calibrates_anew(
    session: ReviewSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number of answers stays the same, so only the change itself can show it."""
    told = calibrations(monkeypatch)
    row = int(session.snapshot.round.draw.rows[0])
    answer(session, row, 1, purpose="audit")
    answer(session, row, 2, purpose="audit")
    answer(session, row, 2, purpose="audit")
    assert told == [False, True, False]


def test_a_counted_answer_that_is_taken_back_calibrates_anew(
    session: ReviewSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that was given for another purpose: its image was drawn all the same."""
    told = calibrations(monkeypatch)
    first, second = session.snapshot.round.draw.rows[:2].tolist()
    answer(session, first, 1)
    again = answer(session, first, 2)
    assert session.undo(again.token, "Sato") is not None
    assert session.snapshot.states.klass[first] == 1
    later = answer(session, second, 1)
    assert session.undo(later.token, "Sato") is not None
    assert told == [True, True, True]


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_plan_is_fixed_before_the_first_answer_and_read_with_all_of_the_doubt(
    session: ReviewSession, folder: Path, language: str
) -> None:
    browser, drawn = Browser(session, language=language), session.snapshot.round.draw.rows
    body = {"kind": "alike", "max_error": 45, "confidence": 50, "ok": [], "planned": 100}
    assert browser.post("/api/draw", {**body, "plan": 24}).status_code == 200
    assert 'name="plan" type="number" min="20" max="34" value="24"' in browser.get("/audit").text
    for row in drawn[:24].tolist():
        answer(session, row, int(session.snapshot.view.label[row]), purpose="audit")
    assert ("Planned: 24 answers" if language == "en" else "24件") in browser.get("/").text
    by_class(session)  # another way in between takes the plan away from nobody
    told = browser.post("/api/draw", {**body, "plan": 30})
    assert told.status_code == 400
    assert ("answered already" if language == "en" else "すでに回答") in told.json()["error"]
    assert browser.post("/api/draw", {**body, "plan": 24}).status_code == 200
    facts = keep_promise(session, LOOSE, (), "Sato")
    assert (facts["planned"], facts["answers_counted"]) == (24, 24)
    with open_store(folder) as store:
        run = store.run()
        assert run is not None
        assert proven_by(promises(store, run.id)[-1].facts).startswith("an exact test at the 24")


def test_a_number_that_measuring_planned_before_is_no_plan_of_a_promise(
    session: ReviewSession,
) -> None:
    choose_draw(session, "measure", (), Terms(), 30, "Sato")
    choose_draw(session, "alike", (), Terms(), 30, "Sato")
    assert keep_promise(session, LOOSE, (), "Sato")["planned"] is None


def test_other_terms_on_the_same_answers_are_said_on_the_page_too(session: ReviewSession) -> None:
    browser = Browser(session)
    first = browser.post("/api/promise", {"max_error": 45, "confidence": 50})
    assert first.json()["notes"] == []
    again = browser.post("/api/promise", {"max_error": 40, "confidence": 50})
    assert "read before under 1 other term" in again.json()["notes"][0]


def by_model(session: ReviewSession) -> int:
    """Images of which the exported table says that the model decided them."""
    export = exported(session.snapshot, session.store, "csv")
    table = list(csv.DictReader(io.StringIO(b"".join(export).decode("utf-8-sig"))))
    return sum(row["decided_by"] == "model" for row in table)


@pytest.mark.parametrize("kind", ["alike", "class"])
def test_an_export_names_the_model_where_the_overview_does(
    session: ReviewSession, monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    chosen = choose_draw(session, kind, (), LOOSE, 100, "Sato")
    rows = (
        session.snapshot.round.draw.rows[:10]
        if kind == "alike"
        else to_ask(session.snapshot, chosen)
    )
    for row in rows.tolist():
        answer(session, row, int(session.snapshot.view.label[row]), purpose="audit")
    found = overview(session.snapshot, LOOSE, chosen)
    assert found.model == by_model(session) > 0
    browser, audit = Browser(session), audit_of(session.snapshot, chosen)
    assert audit is not None
    assert 'id="withdrawn"' not in browser.get("/").text
    scope = WatchedScope(audit.id, "all", frozenset(), 0.0, 0.45, "", "", 1.0)
    fallen = Standing((), (Upheld(scope, 0.01, 9, 9, 1.0, {"at": "2026-11-29"}, 1),))
    for place in ("review.deciding", "report.board.from_review", "report.board.from_run"):
        monkeypatch.setattr(f"clipgrip.{place}.standing", lambda *_, **__: fallen)
    assert overview(session.snapshot, LOOSE, chosen).model == by_model(session) == 0
    assert 'id="withdrawn"' in browser.get("/").text
    if kind == "alike":
        board = board_facts(session.folder, BoardRequest("2026-11-29"))
        assert board.automation is None
