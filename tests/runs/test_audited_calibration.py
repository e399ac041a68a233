"""Confidence that an audit set right, wherever people see it: tables, new images, the review, the report."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from projects import Place, command, make_place, project, quick, rows

from clipgrip.data.tables import write_csv
from clipgrip.errors import PromptError
from clipgrip.review.measure import calibration
from clipgrip.review.session import ReviewSession
from clipgrip.review.store import Answer, open_review
from clipgrip.review.web.server import behind
from clipgrip.review.web.texts import worth_of_confidence
from clipgrip.runs import calibrated, checkpoint
from clipgrip.runs.calibrated import AuditedCalibration, read_calibration, write_calibration
from clipgrip.runs.pipeline import run
from clipgrip.serving.predictor import Predictor
from clipgrip.trust.honesty import AUDITED, honesty
from clipgrip.words import Words


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """80 generated images, 60 of them to be labeled; read only."""
    return make_place(tmp_path_factory.mktemp("many") / "parts", per_class=20)


@pytest.fixture(scope="module")
def untouched(
    many: Place, tiny_clip: Path, shared_cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A finished run on them; read only."""
    out = tmp_path_factory.mktemp("runs") / "many"
    with quick(shared_cache):
        return run(project(many, tiny_clip, out, strategy="zero-shot")).folder


@pytest.fixture
def folder(untouched: Path, quick: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A copy that may be written."""
    return Path(shutil.copytree(untouched, tmp_path / "run"))


def audit(
    capsys: pytest.CaptureFixture[str], folder: Path, truth: dict[str, str], n: int, by: str
) -> str:
    """Draw n images, answer them, and read the sheet with a command; what it printed."""
    sheet = folder.parent / f"audit-{n}.csv"
    drawn = command(capsys, "audit", "draw", folder, "--count", n, "--out", sheet)
    assert drawn.code == 0, drawn.err
    cells = rows(sheet)
    for row in cells:
        row["answer"] = truth[row["path"]]
    write_csv(sheet, list(cells[0]), [list(row.values()) for row in cells])
    told = command(capsys, "audit", by, folder, "--answers", sheet)
    assert told.code == 0, told.err
    return told.out


def test_before_an_audit_every_table_says_that_confidence_is_not_calibrated(
    folder: Path, many: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    said = audit(capsys, folder, many.truth, AUDITED - 1, "read")
    assert "calibrated" not in said
    assert not (folder / calibrated.NAME).exists()
    out = folder.parent / "new.csv"
    assert command(capsys, "predict", folder, many.images, "--out", out).code == 0
    for table in (folder / "predictions.csv", out):
        lines = rows(table)
        assert {row["calibrated"] for row in lines} == {"no"}
        assert all(row["confidence"] == row["model_confidence"] for row in lines)


@pytest.mark.parametrize("by", ["read", "automate"])
def test_enough_audited_answers_calibrate_the_table_and_what_predict_says(
    folder: Path, many: Place, capsys: pytest.CaptureFixture[str], by: str
) -> None:
    before = {row["path"]: row for row in rows(folder / "predictions.csv")}
    audit(capsys, folder, many.truth, AUDITED, by)
    kept = read_calibration(folder)
    assert kept is not None
    assert (kept.n, kept.evidence["judged_by"]) == (AUDITED, "audit")
    after = {row["path"]: row for row in rows(folder / "predictions.csv")}
    assert {row["calibrated"] for row in after.values()} == {"yes"}
    assert [row["label"] for row in after.values()] == [row["label"] for row in before.values()]
    for path, row in after.items():
        assert row["model_confidence"] == before[path]["confidence"]
    assert any(row["confidence"] != row["model_confidence"] for row in after.values())
    out = folder.parent / "new.csv"
    told = command(capsys, "predict", folder, many.images, "--out", out)
    assert f"calibrated by {AUDITED} answers of a random audit" in told.out
    answered = rows(out)
    # an audit that was read for a promise and proves none leaves all new images to people (decision 0091)
    decider = "person" if by == "automate" else "model"
    assert {row.pop("decided_by") for row in answered} == {decider}
    run = rows(folder / "predictions.csv")
    assert {row.pop("decided_by") for row in run} == {"model"}
    assert answered == run
    table = folder.parent / "all.csv"
    more = ("--out", folder.parent / "more.csv", "--all-probabilities", table)
    assert command(capsys, "predict", folder, many.images, *more).code == 0
    for row in rows(table):
        largest = max(float(row[name]) for name in ("scratch", "dent", "good part", "steel"))
        assert largest == pytest.approx(float(after[row["path"]]["confidence"]), abs=1e-6)


def test_an_audit_stays_readable_after_it_calibrated_the_run(
    folder: Path, many: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    first = audit(capsys, folder, many.truth, AUDITED, "read")
    again = command(
        capsys, "audit", "read", folder, "--answers", folder.parent / f"audit-{AUDITED}.csv"
    )
    assert (again.code, again.out) == (0, first)


def test_reading_the_audit_again_mends_a_damaged_calibration(
    folder: Path, many: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    audit(capsys, folder, many.truth, AUDITED, "read")
    path = folder / calibrated.NAME
    whole = path.read_bytes()
    path.write_text("{}")
    sheet = folder.parent / f"audit-{AUDITED}.csv"
    assert command(capsys, "audit", "read", folder, "--answers", sheet).code == 0
    assert path.read_bytes() == whole


def test_fewer_answers_of_a_sheet_do_not_replace_what_a_review_calibrated(
    folder: Path, many: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    audit(capsys, folder, many.truth, AUDITED, "read")
    found = read_calibration(folder)
    assert found is not None
    more = AuditedCalibration(found.calibration, {**found.evidence, "n": AUDITED + 9})
    write_calibration(folder, more)
    sheet = folder.parent / f"audit-{AUDITED}.csv"
    assert command(capsys, "audit", "read", folder, "--answers", sheet).code == 0
    kept = read_calibration(folder)
    assert kept is not None
    assert kept.n == AUDITED + 9


def test_a_run_that_is_repeated_keeps_its_calibration(
    folder: Path, many: Place, tiny_clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    audit(capsys, folder, many.truth, AUDITED, "read")
    made = (folder / "predictions.csv").read_bytes()
    (folder / "predictions.csv").unlink()
    run(project(many, tiny_clip, folder, strategy="zero-shot"))
    assert (folder / "predictions.csv").read_bytes() == made


def test_a_person_s_label_has_no_confidence_to_calibrate(
    many: Place, tiny_clip: Path, quick: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    more = {"strategy": "zero-shot", "labels": many.labels("SSL"), "candidates": "all"}
    lines = rows(run(project(many, tiny_clip, tmp_path / "run", **more)).folder / "predictions.csv")
    by_people = [row for row in lines if row["decided_by"] == "person"]
    assert len(by_people) == 8
    assert {row["calibrated"] for row in by_people} == {""}
    assert {row["confidence"] for row in by_people} == {"1.000000"}


def test_a_changed_calibration_file_is_refused_and_one_of_another_prompt_is_not_used(
    folder: Path, tmp_path: Path
) -> None:
    probs, labels = torch.rand(60, 4).softmax(1), torch.arange(60) % 4
    found = honesty(probs, labels, least=AUDITED)
    assert found is not None
    write_calibration(folder, AuditedCalibration.of(found))
    kept = read_calibration(folder)
    assert kept is not None
    torch.testing.assert_close(kept(probs), AuditedCalibration.of(found)(probs))
    path = folder / calibrated.NAME
    said = json.loads(path.read_text())
    said["calibration"]["value"] *= 2
    path.write_text(json.dumps(said))
    with pytest.raises(PromptError, match=r"clipgrip audit read.*writes it anew"):
        Predictor.open(folder)
    write_calibration(folder, AuditedCalibration.of(found))
    prompt = folder / checkpoint.NAME
    prompt.write_bytes(prompt.read_bytes() + b"\0")
    assert read_calibration(folder) is None
    write_calibration(folder, None)
    assert not path.exists()


def answer_audit(session: ReviewSession, place: Place, n: int) -> list[Answer]:
    """The first n images of the draw, answered truly one after the other."""
    snapshot, given = session.snapshot, []
    ids = {one.name: one.id for one in snapshot.classes.active}
    for number, row in enumerate(snapshot.round.draw.rows[:n].tolist()):
        image = snapshot.view.rows[row]
        values = {"token": f"token-{number:04d}", "image": image.sha256, "verdict": "class"}
        values |= {"klass": ids[place.truth[image.path]], "purpose": "audit", "person": "Sato"}
        values |= {"at": "2026-11-24T10:00:00.000+00:00", "seconds": 1.5, "round": 1}
        given.append(Answer(**values))  # type: ignore[arg-type]
    session.answer(given)
    return given


def test_a_review_shows_calibrated_confidence_and_its_model_predicts_with_it(
    folder: Path, many: Place
) -> None:
    english, japanese = Words("en"), Words("ja")
    with open_review(folder, create=True) as store:
        session = ReviewSession(folder, store)
        assert "not calibrated" in worth_of_confidence(session.snapshot, english)
        assert "補正前" in worth_of_confidence(session.snapshot, japanese)
        given = answer_audit(session, many, AUDITED)
        found = calibration(session.snapshot)
        assert found is not None
        assert "calibrated by 50 answers" in worth_of_confidence(session.snapshot, english)
        kept = read_calibration(folder)
        assert kept is not None
        assert kept.calibration.to_dict()["value"] == pytest.approx(
            found.calibration.to_dict()["value"], abs=1e-3
        )
        assert {row["calibrated"] for row in rows(folder / "predictions.csv")} == {"yes"}
        session.undo(given[-1].token, "Sato")  # 49 answers are too few again
        assert read_calibration(folder) is None
        assert {row["calibrated"] for row in rows(folder / "predictions.csv")} == {"no"}


def test_where_no_temperature_helps_the_files_are_not_written_at_every_answer(
    folder: Path, many: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[object] = []
    monkeypatch.setattr("clipgrip.review.calibrated.calibration", lambda _: None)
    monkeypatch.setattr("clipgrip.review.calibrated.recalibrate", lambda *_: written.append(_))
    with open_review(folder, create=True) as store:
        session = ReviewSession(folder, store)
        answer_audit(session, many, AUDITED + 2)
        assert not written
        (folder / "calibration.json").write_text("damaged")
        answer_audit(session, many, 1)
    assert len(written) == 1


def test_files_follow_an_audited_answer_behind_its_request(folder: Path, many: Place) -> None:
    before, waiting = (folder / "predictions.csv").read_bytes(), list[Callable[[], None]]()
    with open_review(folder, create=True) as store:
        session = ReviewSession(folder, store, waiting.append)
        answer_audit(session, many, AUDITED)
        assert calibration(session.snapshot) is not None
        assert read_calibration(folder) is None
        assert (folder / "predictions.csv").read_bytes() == before
        assert len(waiting) == 1
        waiting.pop()()
    assert read_calibration(folder) is not None
    assert {row["calibrated"] for row in rows(folder / "predictions.csv")} == {"yes"}


def test_what_was_stopped_between_the_two_files_is_done_again(
    folder: Path, many: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_review(folder, create=True) as store:
        session = ReviewSession(folder, store)
        with monkeypatch.context() as full:
            full.setattr("clipgrip.runs.outputs.write_dated", no_room)
            answer_audit(session, many, AUDITED)
        assert read_calibration(folder) is None
        ReviewSession(folder, store)
    assert read_calibration(folder) is not None
    assert {row["calibrated"] for row in rows(folder / "predictions.csv")} == {"yes"}


def no_room(*_: object) -> None:
    raise OSError("no space left")


def test_work_behind_requests_is_done_in_its_order_and_its_failure_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    done: list[int] = []
    with behind() as later:
        for number in range(5):
            later(partial(done.append, number))
        later(no_room)
        later(partial(done.append, 5))
    assert done == [0, 1, 2, 3, 4, 5]
    assert "not brought up to date" in caplog.text
