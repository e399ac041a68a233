"""How often the model is wrong: by hand, by the promise's own rule, and by simulation."""

from __future__ import annotations

from itertools import takewhile

import numpy as np
import pytest
import torch
from projects import Place, rows
from review_helpers import Browser, answer, truth

from clipgrip.data.tables import write_csv
from clipgrip.metrics import Share, wilson_interval
from clipgrip.review import classes as edits
from clipgrip.review.draws import asked_for
from clipgrip.review.measure import audit_proof, errors, estimate, gap, measured_rows, prefix
from clipgrip.review.overview import mark, mark_of_class, overview, terms_of
from clipgrip.review.promises import keep_promise
from clipgrip.review.queues import audit, doubtful, most_helpful
from clipgrip.review.session import ReviewSession
from clipgrip.runs import audit_store
from clipgrip.runs.audit_sheet import Sheet, write_sheet
from clipgrip.runs.store import open_store
from clipgrip.trust.knowledge import JUDGED, LABELS_PER_CLASS
from clipgrip.trust.promise import promise
from clipgrip.trust.scope import against_all, misses_and_overkill, overall
from clipgrip.trust.terms import Terms

LOOSE = Terms(0.45, 0.5)


def audit_truly(session: ReviewSession, place: Place, n: int) -> list[int]:
    """Answer the first ``n`` of the draw with the truth."""
    ids, shown = truth(session, place), audit(session.snapshot)[:n].tolist()
    for row in shown:
        answer(session, row, int(ids[row]), purpose="audit")
    return shown


def test_errors_are_those_counted_by_hand(session: ReviewSession, parts: Place) -> None:
    ids, shown = truth(session, parts), audit(session.snapshot)[:15].tolist()
    said = session.snapshot.view.label
    ids[shown[::3]] = said[
        shown[::3]
    ]  # the person agrees with every third answer, whatever the model is worth
    for row in shown:
        answer(session, row, int(ids[row]), purpose="audit")
    found = errors(session.snapshot)
    wrong = [row for row in shown if said[row] != ids[row]]
    assert 0 < len(wrong) < 15
    assert (found.overall.count, found.overall.total) == (len(wrong), 15)
    assert found.overall.value == len(wrong) / 15
    assert found.overall.interval == wilson_interval(len(wrong), 15)
    assert sorted(found.wrong) == sorted(wrong)
    for one in session.snapshot.classes.stored:
        as_said = [row for row in shown if said[row] == one.id]
        of_class = [row for row in shown if ids[row] == one.id]
        answered, true = found.answered[one.id], found.true[one.id]
        assert (answered.total, true.total) == (len(as_said), len(of_class))
        assert answered.count == sum(row in wrong for row in as_said)
        assert true.count == sum(row in wrong for row in of_class)


def test_nothing_audited_is_no_rate(session: ReviewSession) -> None:
    found = errors(session.snapshot)
    assert (found.overall.value, found.overall.interval) == (None, None)
    assert mark(found.overall, 0.02) == "unknown"


def test_an_answer_behind_a_gap_waits(session: ReviewSession, parts: Place) -> None:
    order, ids = session.snapshot.round.draw.rows.tolist(), truth(session, parts)
    for place in (0, 1, 3, 4):
        answer(session, order[place], int(ids[order[place]]), purpose="audit")
    assert list(prefix(session.snapshot)) == order[:2]
    assert gap(session.snapshot) == 2
    assert errors(session.snapshot).overall.total == 2
    assert audit(session.snapshot)[0] == order[2]
    answer(session, order[2], int(ids[order[2]]), purpose="audit")
    assert (gap(session.snapshot), errors(session.snapshot).overall.total) == (0, 5)


def test_an_image_that_cannot_be_told_counts_as_wrong(session: ReviewSession) -> None:
    order = session.snapshot.round.draw.rows.tolist()
    answer(session, order[0], int(session.snapshot.view.label[order[0]]), purpose="audit")
    answer(session, order[1], None, purpose="audit")
    found = errors(session.snapshot)
    assert (found.overall.count, found.overall.total) == (1, 2)
    assert found.wrong == (order[1],)
    told = audit_proof(session.snapshot, LOOSE)
    assert told is not None
    assert told.truth[1] == -1


def test_an_image_that_cannot_be_told_counts_against_misses_and_overkill_too(
    session: ReviewSession,
) -> None:
    """Whatever the model answered: one defect taken for another would be neither."""
    order = session.snapshot.round.draw.rows.tolist()
    for row in order:
        answer(session, row, None, purpose="audit")
    told = audit_proof(session.snapshot, LOOSE, (1,))
    assert told is not None
    assert session.snapshot.round.draw.audit is not None
    pool = session.snapshot.round.draw.audit.pool
    stands_for = against_all(pool.labels, told.groups)
    for group in told.groups:
        members = group.members(pool.labels)
        assert group.wrong[pool.labels, stands_for][members].all()
    assert all(scope.threshold is None for scope in told.promise.scopes)


def test_a_disagreement_stops_the_count_until_it_is_settled(session: ReviewSession) -> None:
    order = session.snapshot.round.draw.rows.tolist()
    for row in order[:3]:
        answer(session, row, 1, purpose="audit")
    answer(session, order[1], 2, "Ito", purpose="audit")
    assert (len(prefix(session.snapshot)), gap(session.snapshot)) == (1, 2)
    answer(session, order[1], 2, "Abe", purpose="settle")
    assert (len(prefix(session.snapshot)), gap(session.snapshot)) == (3, 0)


def test_a_drawn_image_that_was_reviewed_counts_with_that_answer(session: ReviewSession) -> None:
    order = session.snapshot.round.draw.rows.tolist()
    answer(session, order[0], 3)
    answer(session, order[1], 2, purpose="audit")
    assert order[0] not in audit(session.snapshot)
    assert measured_rows(session.snapshot).tolist() == order[:2]
    assert session.snapshot.states.audit[order[1]]
    assert not session.snapshot.states.audit[order[0]]


@pytest.mark.parametrize("ok", [(), (3,)])
def test_the_promise_is_that_of_the_same_audit(
    session: ReviewSession, parts: Place, ok: tuple[int, ...]
) -> None:
    shown, ids = audit_truly(session, parts, 16), truth(session, parts)
    told = audit_proof(session.snapshot, LOOSE, ok)
    assert told is not None
    assert session.snapshot.round.draw.audit is not None
    place = {image: n for n, image in enumerate(session.snapshot.round.draw.audit.hashes)}
    at = np.array([place[session.snapshot.view.rows[row].sha256] for row in shown])
    groups = misses_and_overkill(4, [2]) if ok else overall(4)
    expected = promise(session.snapshot.round.draw.audit.pool, at, ids[shown] - 1, groups, LOOSE)
    assert told.promise.scopes == expected.scopes
    assert (told.promise.decided == expected.decided).all()
    assert told.promise.counted > 0


def test_the_sheet_of_the_command_line_is_the_same_draw(
    session: ReviewSession, parts: Place, tmp_path: object
) -> None:
    audit_truly(session, parts, 6)
    assert session.snapshot.round.draw.audit is not None
    sheet = session.folder / "sheet.csv"
    audit = session.snapshot.round.draw.audit
    write_sheet(audit, audit.order[:6], sheet)
    cells = rows(sheet)
    for cell in cells:
        cell["answer"] = parts.truth[cell["path"]]
    write_csv(sheet, list(cells[0]), [list(cell.values()) for cell in cells])
    at, said = Sheet.read(sheet).answers(session.snapshot.round.draw.audit)
    told = audit_proof(session.snapshot, LOOSE)
    assert told is not None
    assert (told.rows, told.truth) == (tuple(at.tolist()), tuple(said.tolist()))


def test_a_promise_is_kept_with_who_and_what_people_said_stands_in_its_file(
    session: ReviewSession, parts: Place
) -> None:
    ids = truth(session, parts)
    unsure, *shown = audit(session.snapshot)[:16].tolist()
    answer(session, unsure, None, purpose="audit")
    for row in shown:
        answer(session, row, int(ids[row]), purpose="audit")
    reviewed = [
        row for row in doubtful(session.snapshot)[:3].tolist() if row not in (unsure, *shown)
    ]
    for row in reviewed:
        answer(session, row, 4)
    facts = keep_promise(session, LOOSE, (), "Sato")
    lines = {line["path"]: line for line in rows(session.folder / "automation.csv")}
    assert (
        len(lines) == len(session.snapshot.round.draw.audit.hashes)
        if session.snapshot.round.draw.audit
        else False
    )
    path = session.snapshot.view.rows[unsure].path
    assert (lines[path]["decided_by"], lines[path]["label"]) == ("person", "")
    for row in shown:
        path = session.snapshot.view.rows[row].path
        assert (lines[path]["decided_by"], lines[path]["label"]) == ("person", parts.truth[path])
    for row in reviewed:
        line = lines[session.snapshot.view.rows[row].path]
        assert (line["decided_by"], line["label"]) == ("person", "steel")
    with open_store(session.folder) as store:
        (kept,) = audit_store.promises(store, session.snapshot.round.stored.run)
    assert (kept.said_by, kept.facts) == ("Sato", facts)
    assert session.store.changes()[-1].action == "promise"


def test_no_promise_about_classes_that_the_run_did_not_have(session: ReviewSession) -> None:
    edits.edit(session, 1, "scratch", "another text", "Sato")
    assert audit_proof(session.snapshot, LOOSE) is None
    with pytest.raises(Exception, match="Run the next round first"):
        keep_promise(session, LOOSE, (), "Sato")
    edits.edit(session, 1, "another name", "scratch", "Sato")  # the words are again the run's
    assert audit_proof(session.snapshot, LOOSE) is not None


def test_a_share_out_of_range_is_refused() -> None:
    for wrong in (0.0, 0.5, -1.0):
        with pytest.raises(Exception, match="between 0 and 50"):
            terms_of(wrong, 0.95)


def test_confidence_is_set_right_only_by_enough_audited_images(
    session: ReviewSession, parts: Place
) -> None:
    before = estimate(session.snapshot)
    assert not before.calibrated
    assert before.overall == pytest.approx(
        float(1 - session.snapshot.view.confidence[session.snapshot.states.state == 0].mean()),
        abs=1e-3,
    )
    audit_truly(session, parts, len(session.snapshot.round.draw.rows.tolist()))
    after = estimate(session.snapshot)
    assert after.overall is None  # nothing is left open
    assert set(after.by_class) == {1, 2, 3, 4}


def test_marks_say_what_the_interval_proves() -> None:
    assert mark(Share(0, 500), 0.02) == "good"
    assert mark(Share(1, 20), 0.02) == "unclear"
    assert mark(Share(1, 7), 0.02) == "unclear"  # one of seven is no proof of more than 2 %
    assert mark(Share(10, 20), 0.02) == "bad"


def simulate(seed: int, *, reviewed_first: bool) -> tuple[float, float]:
    """(measured, true) error rate of one review: 400 images, reviewed by doubt while the audit goes on.

    Half of the people's time goes to the most doubtful images, which are wrong more often. Reviewed images of the draw
    count with their answer; the audit skips them. With ``reviewed_first`` false they are left out, as a naive audit of
    what is still open would do.
    """
    chance = np.random.default_rng(seed)
    confidence = chance.uniform(0.3, 1.0, 400)
    wrong = chance.random(400) > confidence
    draw, doubt = chance.permutation(400), np.argsort(confidence)
    answered = np.zeros(400, bool)
    audited = 0
    reviews = iter(doubt)
    while audited < 60:
        answered[next(image for image in reviews if not answered[image])] = True
        answered[next(image for image in draw if not answered[image])] = True
        audited += 1
    shown = list(takewhile(lambda image: answered[image], draw))
    if not reviewed_first:
        done = set(doubt[:60].tolist())
        shown = [image for image in shown if image not in done]
    return float(wrong[shown].mean()), float(wrong.mean())


def test_reviewing_doubtful_images_meanwhile_does_not_bias_the_measured_rate() -> None:
    counted = np.array([simulate(seed, reviewed_first=True) for seed in range(400)])
    gaps = counted[:, 0] - counted[:, 1]
    assert abs(gaps.mean()) < 3 * gaps.std() / np.sqrt(len(gaps))
    naive = np.array([simulate(seed, reviewed_first=False) for seed in range(400)])
    assert (naive[:, 0] - naive[:, 1]).mean() < -0.03  # what the design avoids


@pytest.mark.parametrize(
    ("answered", "missed", "expected"),
    [
        (Share(0, 0), Share(13, 13), "bad"),
        (Share(0, 0), Share(0, 0), "unknown"),
        (Share(0, 500), Share(0, 500), "good"),
        (Share(0, 500), Share(0, 3), "unclear"),
        (Share(10, 20), Share(0, 500), "bad"),
        (Share(0, 500), Share(0, 0), "good"),
    ],
)
def test_a_class_is_marked_by_its_misses_as_well(
    answered: Share, missed: Share, expected: str
) -> None:
    assert mark_of_class(answered, missed, 0.02) == expected


def test_the_page_keeps_the_limit_that_was_asked_for(session: ReviewSession) -> None:
    assert (asked_for(session.store).max_error, asked_for(session.store).confidence) == (0.02, 0.95)
    keep_promise(session, terms_of(0.05, 0.9), (), "Sato")
    assert (asked_for(session.store).max_error, asked_for(session.store).confidence) == (0.05, 0.9)
    page = Browser(session).get("/").text
    assert 'value="5"' in page
    assert 'value="90"' in page
    assert "With at most 5% wrong, 90% sure" in page


def test_the_audited_figure_stands_beside_the_commonest_class(
    session: ReviewSession, parts: Place
) -> None:
    ids = truth(session, parts)
    for row in audit(session.snapshot)[:20].tolist():
        answer(session, row, int(ids[row]), purpose="audit")
    found = overview(session.snapshot, terms_of(0.02, 0.95))
    shown = ids[list(found.audited.rows)].tolist()
    assert found.common is not None
    assert found.common.right == Share(max(map(shown.count, shown)), 20)
    assert f"“{found.common.name}” for every image" in Browser(session).get("/").text


def test_a_model_that_guesses_is_not_looked_at_any_further(
    session: ReviewSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clipgrip.review.overview.FIRST_AUDIT", JUDGED)  # there are but 46 images
    view = session.snapshot.view
    for row in audit(session.snapshot)[:JUDGED].tolist():  # the others stay open
        other = next(one for one in (1, 2) if one != view.label[row])
        answer(session, row, other, purpose="audit")
    found = overview(session.snapshot, terms_of(0.02, 0.95))
    assert [one.kind for one in found.doubts][:1] == ["no-better"]
    assert found.step == "rethink"
    assert "What helps most, in this order:" in Browser(session).get("/").text


def test_what_helps_a_model_that_knows_nothing_comes_before_an_audit(
    session: ReviewSession, parts: Place
) -> None:
    """Found as a plant engineer: below "take another model, or label 30" the page first asked for 50 audit answers."""
    facts = session.snapshot.view.outcome.run.facts
    facts["knowledge"] = [{"kind": "demo"}]
    wanted = LABELS_PER_CLASS * len(session.snapshot.classes.active)
    ids, terms = truth(session, parts), terms_of(0.02, 0.95)
    assert overview(session.snapshot, terms).step == "rethink"
    estimated = overview(session.snapshot, terms).estimated
    assert {estimated.overall, *estimated.by_class.values()} == {None}
    assert "its own word says nothing" in Browser(session).get("/").text
    drawn = set(audit(session.snapshot).tolist())
    rows = [row for row in range(len(ids)) if row not in drawn] or list(range(len(ids)))
    for row in rows[: wanted - 1]:
        answer(session, row, int(ids[row]))
    found = overview(session.snapshot, terms)
    assert (found.step, found.step_count) == ("rethink", wanted - found.fresh)
    facts["knowledge"] = []
    assert overview(session.snapshot, terms).step == "audit"
    assert overview(session.snapshot, terms).estimated.overall is not None
    assert "by the model&#39;s own word" in Browser(session).get("/").text


def test_of_a_model_that_guesses_typical_images_help_most(
    session: ReviewSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its doubts choose worse than chance does (docs/decisions/0079)."""
    facts = session.snapshot.view.outcome.run.facts
    facts["knowledge"] = [{"kind": "demo"}]
    monkeypatch.setattr("clipgrip.review.queues.helpful", lambda *_, **__: torch.tensor([7]))
    assert len(most_helpful(session.snapshot)) > 1
    facts["knowledge"] = []
    assert most_helpful(session.snapshot).tolist() == [7]
