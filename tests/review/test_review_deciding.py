"""Who decides an image: pages, exports, boards, bundles, versions and predict say it alike, whatever fell at work."""

from __future__ import annotations

import csv
import io
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from review_helpers import Browser, answer
from test_review_draws import LOOSE, by_class

from clipgrip.cli.promise_lines import kept_line
from clipgrip.report.board.figures import figures
from clipgrip.report.board.from_review import board_facts
from clipgrip.report.board.from_run import BoardRequest, kept_promise
from clipgrip.report.board.results import Results
from clipgrip.review.choosing import choose_draw
from clipgrip.review.deciding import standing_at_work
from clipgrip.review.draws import asked_for, audit_of, chosen_draw
from clipgrip.review.exchange import exported
from clipgrip.review.overview import Overview, overview
from clipgrip.review.promises import keep_promise
from clipgrip.review.session import ReviewSession
from clipgrip.runs.audit_store import StoredPromise, add_answers, add_promise
from clipgrip.runs.store import open_store
from clipgrip.runs.watch.standing import bundled_promise
from clipgrip.runs.watch.upholding import Upheld, run_scopes
from clipgrip.trust.terms import Terms
from clipgrip.words import Language, Words

STRICT = Terms(0.001, 0.99)


def by_model(session: ReviewSession) -> dict[str, str]:
    """Path -> label, of what the exported table calls the model's."""
    export = exported(session.snapshot, session.store, "csv")
    table = csv.DictReader(io.StringIO(b"".join(export).decode("utf-8-sig")))
    return {row["path"]: row["label"] for row in table if row["decided_by"] == "model"}


def first_page(session: ReviewSession) -> Overview:
    chosen = chosen_draw(session.snapshot, session.store)
    return overview(session.snapshot, asked_for(session.store), chosen)


def keep_two(session: ReviewSession, folder: Path) -> int:
    """As `keep_promise` stores what proves two classes; the model answers with one of them alone."""
    audit = audit_of(session.snapshot, by_class(session))
    assert audit is not None
    inside = int((audit.pool.confidence >= 0.515).sum())
    counts = {"threshold": 0.515, "audited": 0, "wrong": 0}
    scopes = [
        {"group": "scratch", "images": inside, **counts},
        {"group": "dent", "images": 0, **counts},
    ]
    facts = {"max_error": 0.45, "confidence": 0.5, "about": "delivered", "scopes": scopes}
    facts |= {"pool": len(audit.pool), "decided_by_model": inside, "planned": None}
    with open_store(folder) as store:
        add_promise(store, audit.run, StoredPromise(audit.id, "Sato", "2026-11-01T00:00:00", facts))
    return inside


def fall(monkeypatch: pytest.MonkeyPatch, run: Path, *names: str) -> None:
    """What the watch's file says once daily answers have refuted some groups."""
    every = [
        Upheld(one, 0.01, 9, 9 if one.name in names else 0, 1.0, fallen, 1)
        for one in run_scopes(run)
        for fallen in [{"at": "2026-11-29T00:00:00+00:00"} if one.name in names else None]
    ]
    place = "clipgrip.runs.watch.standing"
    monkeypatch.setattr(f"{place}.is_watched", lambda _: True)
    monkeypatch.setattr(f"{place}.open_watch", lambda _: nullcontext())
    monkeypatch.setattr(f"{place}.upheld", lambda *_: every)


@pytest.mark.parametrize(("language", "holds"), [("en", True), ("ja", False)])
def test_one_group_that_falls_gives_its_images_to_people_and_no_others_everywhere(
    session: ReviewSession,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    language: Language,
    holds: bool,
) -> None:
    kept = keep_two(session, folder)
    before, say = by_model(session), Words(language)
    assert len(before) == first_page(session).model == kept > 0
    standing = [one.name for one in run_scopes(folder)]
    name = next(one for one in standing if (one in before.values()) == holds)
    fall(monkeypatch, folder, name)
    left = {path: label for path, label in before.items() if label != name}
    assert by_model(session) == left
    assert first_page(session).model == len(left)
    board = kept_promise(session.snapshot.view.outcome, LOOSE)
    assert board is not None
    assert (board.by_model, board.fallen) == (len(left), (name,))
    facts_of_board = replace(board_facts(folder, BoardRequest("2026-11-29")), automation=board)
    note = " ".join(one.note for one in figures(Results(facts_of_board), say) if "B" in one.sources)
    assert ("withdrawn at work" if language == "en" else "稼働中に保証を取り消した") in note
    bundle = bundled_promise(standing_at_work(folder))
    assert bundle is not None
    assert [one.name for one in bundle.scopes] == [one for one in standing if one != name]
    page = Browser(session, language=language).get("/").text
    assert 'id="withdrawn"' in page
    told = "still the model" if language == "en" else "引き続きモデルが判定"
    assert told in page


@pytest.mark.parametrize("kind", ["of a sheet", "apart"])
def test_what_fell_is_not_proven_anew_on_the_board_by_answers_that_nobody_kept(
    session: ReviewSession, folder: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    for row in session.snapshot.round.draw.rows[:10].tolist():
        answer(session, row, int(session.snapshot.view.label[row]), purpose="audit")
    monkeypatch.setattr(BoardRequest, "terms", lambda *_: LOOSE)
    before = board_facts(folder, BoardRequest("2026-11-29")).automation
    assert before is not None
    assert before.by_model > 0
    if kind == "apart":
        keep_two(session, folder)
        fallen = ["scratch", "dent"]
    else:
        audit = audit_of(session.snapshot, chosen_draw(session.snapshot, session.store))
        assert audit is not None
        scope = {"group": "all", "threshold": 0.0, "images": 34, "audited": 4, "wrong": 0}
        facts = {"max_error": 0.45, "confidence": 0.5, "about": "delivered", "scopes": [scope]}
        facts |= {"pool": 34, "decided_by_model": 30, "planned": None}
        at = "2026-11-01T00:00:00"
        with open_store(folder) as store:
            add_promise(store, audit.run, StoredPromise("sheet", "Sato", at, facts))
        fallen = ["all"]
    fall(monkeypatch, folder, *fallen)
    assert by_model(session) == {}
    found = board_facts(folder, BoardRequest("2026-11-29")).automation
    assert found is None or found.by_model == 0


def test_an_image_that_the_people_of_a_sheet_answered_is_not_the_models(
    session: ReviewSession, folder: Path
) -> None:
    keep_two(session, folder)
    before, view = by_model(session), session.snapshot.view
    row = next(n for n, one in enumerate(view.rows) if one.path in before)
    audit = audit_of(session.snapshot, by_class(session))
    assert audit is not None
    at = "2026-11-02T00:00:00"
    with open_store(folder) as store:
        add_answers(store, audit.run, "sheet", [(view.rows[row].sha256, 1)], by="Ito", at=at)
    assert before.keys() - by_model(session).keys() == {view.rows[row].path}


def test_versions_name_the_group_that_fell_while_the_others_stand() -> None:
    scopes = [{"group": one, "threshold": 0.5} for one in ("dent", "steel")]
    facts = {
        "max_error": 0.02,
        "confidence": 0.95,
        "about": "delivered",
        "pool": 9,
        "planned": None,
    }
    facts |= {"scopes": scopes, "decided_by_model": 7, "rule": "betting"}
    kept = {"facts": facts, "said_at": "2026-01-01T00:00:00+00:00", "said_by": "", "fallen": []}
    say = Words("en")
    assert "withdrawn" not in kept_line(kept, say)
    assert kept_line(kept | {"fallen": ["dent"]}, say).endswith("withdrawn at work of dent alone")
    assert kept_line(kept | {"fallen": ["dent", "steel"]}, say).endswith("; withdrawn at work")


def test_a_reading_that_proves_nothing_leaves_everything_to_people_on_every_page(
    session: ReviewSession, folder: Path
) -> None:
    """What proves more at other terms is nobody's promise until it is kept."""
    choose_draw(session, "alike", (), LOOSE, 100, "Sato")
    for row in session.snapshot.round.draw.rows[:10].tolist():
        answer(session, row, int(session.snapshot.view.label[row]), purpose="audit")
    assert by_model(session)
    assert keep_promise(session, STRICT, (), "Sato")["decided_by_model"] == 0
    choose_draw(session, "alike", (), LOOSE, 100, "Sato")
    assert (by_model(session), first_page(session).model) == ({}, 0)
    bundle = bundled_promise(standing_at_work(folder))
    assert bundle is not None
    assert bundle.scopes == ()


@pytest.mark.parametrize("language", ["en", "ja"])
def test_answers_after_a_kept_promise_are_said_to_prove_more_until_it_is_kept_anew(
    session: ReviewSession, language: Language
) -> None:
    choose_draw(session, "alike", (), LOOSE, 100, "Sato")
    drawn = session.snapshot.round.draw.rows.tolist()

    def answered(rows: list[int]) -> None:
        for row in rows:
            answer(session, row, int(session.snapshot.view.label[row]), purpose="audit")

    answered(drawn[:1])
    kept = keep_promise(session, LOOSE, (), "Sato")["decided_by_model"]
    answered(drawn[1:12])
    found = first_page(session)
    assert found.model == len(by_model(session)) <= kept
    assert found.deciders.more > 0
    browser = Browser(session, language=language)
    assert 'id="more"' in browser.get("/").text
    keep_promise(session, LOOSE, (), "Sato")
    assert first_page(session).model == found.model + found.deciders.more == len(by_model(session))
    assert 'id="more"' not in browser.get("/").text


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_plan_beyond_the_pool_is_refused_and_a_late_one_is_told_what_stands(
    session: ReviewSession, language: Language
) -> None:
    browser = Browser(session, language=language)
    body = {"kind": "alike", "max_error": 45, "confidence": 50, "ok": [], "planned": 100}

    def refused(plan: int) -> str:
        told = browser.post("/api/draw", {**body, "plan": plan})
        assert told.status_code == 400
        return str(told.json()["error"])

    for plan in (35, 5000, 200_000):
        assert ("only 34 images" if language == "en" else "34枚") in refused(plan)
    assert ("answers can promise half" if language == "en" else "画像の半分") in refused(35)
    assert 'max="34"' in browser.get("/audit").text
    first = int(session.snapshot.round.draw.rows[0])
    answer(session, first, int(session.snapshot.view.label[first]), purpose="audit")
    late = "every answer counts as it comes" if language == "en" else "回答はその都度"
    assert late in refused(24)
    assert browser.post("/api/undo", {"tokens": [session.snapshot.answers[-1].token]}).is_success
    assert browser.post("/api/draw", {**body, "plan": 24}).is_success
    answer(session, first, int(session.snapshot.view.label[first]), purpose="audit")
    told = refused(30)
    assert late not in told
    assert ("read at 24 answers" if language == "en" else "24件の回答で") in told
