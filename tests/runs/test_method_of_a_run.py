"""A run says which method made it, is never gone on with by another, and asks nothing twice."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path

import pytest
from projects import Log, Place, project

from benchmarks.research.losses import symmetric_cross_entropy
from benchmarks.research.selectors import margin
from clipgrip import method
from clipgrip.errors import ConfigError, PromptError
from clipgrip.fewshot import head
from clipgrip.pseudolabel import Refinement
from clipgrip.pseudolabel.refine import refiner
from clipgrip.pseudolabel.select import SELECTORS
from clipgrip.report.build import build_report
from clipgrip.report.from_run import facts
from clipgrip.review.session import ReviewSession
from clipgrip.review.store import open_review
from clipgrip.runs import confidence, store
from clipgrip.runs.audit_sheet import Audit
from clipgrip.runs.outcome import METHOD_UNKNOWN, Outcome
from clipgrip.runs.pipeline import run
from clipgrip.runs.reopen import reopen
from clipgrip.serving.batch import predict_files
from clipgrip.serving.predictor import Predictor
from clipgrip.training.loss import LOSSES

pytestmark = pytest.mark.usefixtures("quick")


def test_metrics_hold_every_number_of_the_method_and_each_rounds_evidence(
    place: Place, tiny_clip: Path, tmp_path: Path
) -> None:
    outcome = run(project(place, tiny_clip, tmp_path / "run"))
    told = json.loads((outcome.folder / "metrics.json").read_text("utf-8"))
    assert set(told["method"]["refinement"]) == {field.name for field in fields(Refinement)}
    assert told["method_id"] == method.Method.from_facts(told["method"]).fingerprint()
    for done in told["rounds"]:
        assert done["evidence"]["n_classes"] == len(outcome.task.candidate_classes)


def test_numbers_of_a_project_file_are_taken_and_make_another_run(
    place: Place, tiny_clip: Path, tmp_path: Path
) -> None:
    default = run(project(place, tiny_clip, tmp_path / "run"))
    other = run(project(place, tiny_clip, tmp_path / "run", refinement={"neighbours": 5}))
    assert other.folder == tmp_path / "run-2"
    assert other.run.id != default.run.id
    assert other.metrics["method"]["refinement"]["neighbours"] == 5
    assert other.run.settings["refinement"] == {"neighbours": 5}
    assert "refinement" not in default.run.settings
    assert reopen(other.folder).start.method.refinement == Refinement(neighbours=5)
    with pytest.raises(ConfigError, match="unknown setting"):
        project(place, tiny_clip, tmp_path / "run", refinement={"neighbour": 5})


def test_another_version_of_the_method_never_goes_on_with_a_run(
    place: Place, tiny_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run(project(place, tiny_clip, tmp_path / "run"))
    monkeypatch.setattr(method, "REVISION", method.REVISION + 1)
    second = run(project(place, tiny_clip, tmp_path / "run"), log := Log())
    assert (first.folder.name, second.folder.name) == ("run", "run-2")
    assert any("other settings, data or method" in note for note in log.notes)


@pytest.mark.parametrize("paradigm", ["UL", "SSL"])
def test_what_labels_taught_stays_what_it_was_whatever_newer_code_would_make_of_them(
    place: Place, tiny_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, paradigm: str
) -> None:
    labels = place.labels(paradigm)
    first = run(project(place, tiny_clip, tmp_path / "run", labels=labels))
    assert first.joint is not None
    monkeypatch.setattr(method, "REVISION", method.REVISION + 1)
    monkeypatch.setattr(head, "TEMPERATURES", (0.01,))  # the head of newer code
    again = reopen(first.folder)
    assert again.answers.pool.equal(first.answers.pool)
    assert again.answers.test.equal(first.answers.test)
    assert (again.prompt, Audit.of(again, 0).id) == (first.prompt, Audit.of(first, 0).id)
    (first.folder / "head.safetensors").unlink()
    with pytest.raises(PromptError, match=r"head\.safetensors"):
        reopen(first.folder)


def test_a_head_that_the_same_code_made_is_made_again_where_its_file_is_damaged(
    place: Place, tiny_clip: Path, tmp_path: Path
) -> None:
    first = run(project(place, tiny_clip, tmp_path / "run", labels=place.labels("SSL")))
    (first.folder / "head.safetensors").write_bytes(b"damaged")
    assert reopen(first.folder).answers.pool.equal(first.answers.pool)


def test_a_run_from_before_methods_were_stored_opens_with_its_method_unknown(
    place: Place, tiny_clip: Path, tmp_path: Path
) -> None:
    now = run(project(place, tiny_clip, tmp_path / "run"))
    _forget_method(now)
    old = reopen(now.folder)
    assert old.metrics["method_id"] == METHOD_UNKNOWN
    assert "refinement" not in old.metrics["method"]
    assert old.answers.pool.equal(now.answers.pool)


def test_a_run_of_a_rule_and_a_loss_that_went_since_is_opened_answered_reported_and_reviewed(
    place: Place, tiny_clip: Path, tmp_path: Path
) -> None:
    default = method.PRESETS["default"]["textual"]
    recipe = replace(default.recipe, loss="symmetric")
    with pytest.MonkeyPatch.context() as then:
        then.setitem(SELECTORS, "margin", margin)
        then.setitem(LOSSES, "symmetric", symmetric_cross_entropy)
        old = replace(default, select="margin", recipe=recipe, many_labels=None)
        then.setitem(method.PRESETS, "default", {"textual": old})
        first = run(project(place, tiny_clip, tmp_path / "run"))
        told, before = first.metrics["method"], Predictor.open(first.folder)
        expected = predict_files(before, place.images).probs
    again = reopen(first.folder)
    assert again.answers.pool.equal(first.answers.pool)
    assert again.metrics["method"] == told
    assert (told["select"], told["recipe"]["loss"]) == ("margin", "symmetric")
    assert predict_files(Predictor.open(first.folder), place.images).probs.equal(expected)
    assert "margin" not in SELECTORS
    assert "<html" in build_report(facts(again), "en")
    with open_review(first.folder, create=True) as answers:
        snapshot = ReviewSession(first.folder, answers).snapshot
        assert len(snapshot.view.rows) == len(first.answers.pool)


def _forget_method(outcome: Outcome) -> None:
    with closing(sqlite3.connect(outcome.folder / store.NAME)) as db, db:
        ((text,),) = db.execute("SELECT facts FROM run").fetchall()
        stored = json.loads(text)
        del stored["method_id"], stored["method"]["refinement"]
        db.execute("UPDATE run SET facts = ?", (json.dumps(stored),))
        db.execute("DELETE FROM seal")  # which older versions did not write


def test_zero_shot_is_refined_once_in_a_fresh_run_without_a_test(
    place: Place, tiny_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, first = refiner.refined_task, []

    def counted(*given: object, **known: object) -> object:
        first.append("zero_shot" not in known)
        return real(*given, **known)  # type: ignore[arg-type]

    for module in (refiner, confidence):
        monkeypatch.setattr(module, "refined_task", counted)
    run(project(place, tiny_clip, tmp_path / "run", test=None))
    assert first == [True, False, False]


def test_an_outcome_works_its_metrics_out_once(
    place: Place, tiny_clip: Path, tmp_path: Path
) -> None:
    outcome = run(project(place, tiny_clip, tmp_path / "run"))
    assert outcome.metrics is outcome.metrics
    assert outcome.zero_shot is outcome.zero_shot
