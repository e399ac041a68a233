"""Eyes beside the model: part of a run and of its identity, kept for new images; without them all is as before."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from projects import Place, assert_the_models_own, command, outputs, project
from vision_zoo import make_tiny_eye

from clipgrip import GripClassifier
from clipgrip.config import Settings
from clipgrip.errors import BackboneError, ConfigError, PromptError
from clipgrip.method import PRESETS
from clipgrip.project_file import read_toml
from clipgrip.pseudolabel.banks import BankMap, fit_bank_map
from clipgrip.review.class_table import ClassTable, first_classes
from clipgrip.review.view import RoundClassifier
from clipgrip.runs import checkpoint
from clipgrip.runs.eyes import JoinedEyes, eye_sentences
from clipgrip.runs.pipeline import run
from clipgrip.runs.reopen import reopen
from clipgrip.serving.batch import predict_files, write_predictions
from clipgrip.serving.predictor import Predictor
from clipgrip.words import Words

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture(autouse=True)
def _all_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """So few pictures say nothing of any eye; here each counts all the same."""
    from clipgrip.pseudolabel import banks

    monkeypatch.setattr(banks, "bank_weights", lambda found, *_: (1.0,) * len(found))


@pytest.fixture
def eye(tmp_path: Path) -> Path:
    return make_tiny_eye(tmp_path / "eye", "dinov2")


@pytest.mark.parametrize("paradigm", ["UL", "SSL"])
@pytest.mark.parametrize("prompt", ["textual", "visual"])
def test_a_run_keeps_its_eyes_for_predict_review_and_reports(
    place: Place, tiny_clip: Path, tmp_path: Path, eye: Path, paradigm: str, prompt: str
) -> None:
    more = {"eye": ("texture", str(eye)), "labels": place.labels(paradigm), "prompt": prompt}
    outcome = run(project(place, tiny_clip, tmp_path / "run", **more))
    names = [one["name"] for one in outcome.metrics["eyes"]]
    assert names == ["texture", str(eye)]
    assert sum(one["share"] for one in outcome.metrics["eyes"]) < 1
    assert outcome.joint is not None
    width = outcome.joint.heads[0].weights.shape[0]
    assert width > outcome.ready.embeds.pool.shape[1]
    predictor = Predictor.open(outcome.folder)
    answers = predict_files(predictor, place.images)
    write_predictions(tmp_path / "p.csv", predictor, answers)
    assert_the_models_own(tmp_path / "p.csv", outcome.folder / "predictions.csv")
    again = reopen(outcome.folder)
    assert torch.equal(again.answers.pool, outcome.answers.pool)
    assert torch.equal(again.answers.test, outcome.answers.test)
    every, table = (
        outcome.manifest.rows.hashes,
        ClassTable(tuple(first_classes(outcome.manifest.classes))),
    )
    reviewed = RoundClassifier.of(again, every).probs(table)
    assert reviewed.shape == (len(every), 4)
    both = torch.cat([outcome.answers.pool, outcome.answers.test])
    torch.testing.assert_close(reviewed.sort(0).values, both.sort(0).values)


def test_a_stopped_run_goes_on_to_the_same_bytes(
    place: Place, tiny_clip: Path, tmp_path: Path, eye: Path
) -> None:
    more = {"eye": ("texture", str(eye)), "labels": place.labels("SSL")}
    whole = run(project(place, tiny_clip, tmp_path / "whole", **more))

    class Stop(Exception):
        pass

    from clipgrip.runs.events import Listener

    class Impatient(Listener):
        def round_done(self, facts: dict[str, object]) -> None:
            raise Stop

    with pytest.raises(Stop):
        run(project(place, tiny_clip, tmp_path / "parts", **more), Impatient())
    run(project(place, tiny_clip, tmp_path / "parts", **more))
    assert outputs(whole.folder) == outputs(tmp_path / "parts")
    assert (whole.folder / checkpoint.EYES).read_bytes() == (
        tmp_path / "parts" / checkpoint.EYES
    ).read_bytes()


def test_without_an_eye_a_run_says_and_keeps_nothing_of_any(
    place: Place, tiny_clip: Path, tmp_path: Path
) -> None:
    outcome = run(project(place, tiny_clip, tmp_path / "run"))
    assert "eyes" not in outcome.metrics
    assert "eye" not in outcome.metrics["settings"]
    assert not (outcome.folder / checkpoint.EYES).exists()
    assert "eyes" not in outcome.prompt.as_dict()


def test_an_eye_makes_another_run_and_is_the_same_from_any_folder(
    place: Place, tiny_clip: Path, tmp_path: Path, eye: Path
) -> None:
    plain = run(project(place, tiny_clip, tmp_path / "run"))
    seen = run(project(place, tiny_clip, tmp_path / "run", eye=(str(eye),)))
    assert seen.run.id != plain.run.id
    assert seen.folder != plain.folder
    shutil.copytree(eye, tmp_path / "copied")
    copied = run(project(place, tiny_clip, tmp_path / "copy", eye=(str(tmp_path / "copied"),)))
    assert copied.run.id == seen.run.id


def test_auto_is_stored_as_what_it_meant(place: Place, tiny_clip: Path, tmp_path: Path) -> None:
    outcome = run(project(place, tiny_clip, tmp_path / "run", eye="auto"))
    assert outcome.metrics["settings"]["eye"] == ["texture"]
    assert "auto" not in json.dumps(outcome.metrics["eyes"])


def test_an_eye_that_counts_nothing_is_said_and_not_kept(
    place: Place, tiny_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clipgrip.pseudolabel import banks

    plain = run(project(place, tiny_clip, tmp_path / "plain"))
    monkeypatch.setattr(banks, "bank_weights", lambda found, *_: (1.0,) + (0.0,) * (len(found) - 1))
    outcome = run(project(place, tiny_clip, tmp_path / "run", eye="texture"))
    assert outcome.metrics["eyes"][0]["weight"] == 0
    assert not (outcome.folder / checkpoint.EYES).exists()
    assert torch.equal(outcome.answers.pool, plain.answers.pool)


def test_a_run_whose_eye_counts_nothing_opens_without_it(
    place: Place, tiny_clip: Path, eye: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clipgrip.pseudolabel import banks

    monkeypatch.setattr(banks, "bank_weights", lambda found, *_: (1.0,) + (0.0,) * (len(found) - 1))
    outcome = run(project(place, tiny_clip, tmp_path / "run", eye=str(eye)))
    shutil.rmtree(eye)
    assert torch.equal(reopen(outcome.folder).answers.pool, outcome.answers.pool)


def test_the_numbers_that_weigh_eyes_are_part_of_a_run_s_identity(
    place: Place, tiny_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clipgrip.pseudolabel.bank_weights import BankSettings

    first = run(project(place, tiny_clip, tmp_path / "one", eye="texture"))
    presets = PRESETS["default"]
    other = replace(presets["textual"], banks=BankSettings(power=1.0))
    monkeypatch.setitem(presets, "textual", other)
    second = run(project(place, tiny_clip, tmp_path / "two", eye="texture"))
    assert second.run.id != first.run.id
    assert second.metrics["method"]["banks"]["power"] == 1
    assert reopen(second.folder).start.method.banks == other.banks


def test_a_run_joins_what_its_eyes_see_as_it_did_whatever_newer_code_would_weigh(
    place: Place, tiny_clip: Path, eye: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clipgrip.pseudolabel.bank_weights import BankSettings
    from clipgrip.runs import eyes as of_runs

    labels = place.labels("SSL")
    outcome = run(project(place, tiny_clip, tmp_path / "run", eye=str(eye), labels=labels))

    def newer(pools: list[torch.Tensor], *given: object) -> BankMap:
        return fit_bank_map(pools, settings=BankSettings(max_directions=1))

    monkeypatch.setattr(of_runs, "fit_bank_map", newer)
    again = reopen(outcome.folder)
    assert torch.equal(again.answers.test, outcome.answers.test)
    assert again.ready.embeds.pool_beside is not None
    assert outcome.ready.embeds.pool_beside is not None
    assert torch.equal(again.ready.embeds.pool_beside, outcome.ready.embeds.pool_beside)


def test_an_eye_that_sees_otherwise_now_is_refused(
    place: Place, tiny_clip: Path, eye: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clipgrip.backbone import vision

    outcome = run(project(place, tiny_clip, tmp_path / "run", eye=str(eye)))
    monkeypatch.setattr(vision, "REVISION", vision.REVISION + 1)
    with pytest.raises(BackboneError, match="saw images in another way"):
        reopen(outcome.folder)


@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_predict_refuses_a_run_whose_eyes_are_damaged(
    place: Place, tiny_clip: Path, tmp_path: Path, damage: str
) -> None:
    labels = place.labels("SSL")
    outcome = run(project(place, tiny_clip, tmp_path / "run", eye="texture", labels=labels))
    path = outcome.folder / checkpoint.EYES
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    if damage == "missing":
        path.unlink()
    with pytest.raises(PromptError, match=r"eyes\.safetensors"):
        Predictor.open(outcome.folder)


def test_predict_refuses_another_eye_under_the_same_name(
    place: Place, tiny_clip: Path, tmp_path: Path, eye: Path
) -> None:
    outcome = run(project(place, tiny_clip, tmp_path / "run", eye=str(eye)))
    shutil.rmtree(eye)
    make_tiny_eye(eye, "dinov2", seed=1)
    new = tmp_path / "new"
    new.mkdir()
    from projects import picture

    picture(99).save(new / "new.png")
    with pytest.raises(BackboneError, match="tuned beside an eye"):
        predict_files(Predictor.open(outcome.folder), new)
    with pytest.raises(BackboneError, match="tuned beside an eye"):
        reopen(outcome.folder)


def test_what_is_kept_of_eyes_is_read_back_as_it_was(
    place: Place, tiny_clip: Path, tmp_path: Path, eye: Path
) -> None:
    outcome = run(project(place, tiny_clip, tmp_path / "run", eye=("texture", str(eye))))
    kept = outcome.ready.beside
    assert kept is not None
    read = JoinedEyes.unpack(kept.pack())
    assert read.eyes == kept.eyes
    assert read.pack() == kept.pack()


def test_a_classifier_keeps_its_eyes_when_it_is_saved(
    place: Place, tiny_clip: Path, tmp_path: Path, eye: Path
) -> None:
    images = [place.images / path for path in place.truth]
    labels = [label if n % 4 < 2 else None for n, label in enumerate(place.truth.values())]
    model = GripClassifier(backbone=str(tiny_clip), eyes=["texture", str(eye)], rounds=2)
    model.fit(images, labels).save(tmp_path / "saved")
    loaded = GripClassifier.load(tmp_path / "saved")
    assert loaded.eyes == ("texture", str(eye))
    assert (loaded.predict_proba(images) == model.predict_proba(images)).all()
    GripClassifier(backbone=str(tiny_clip), rounds=2).fit(images, labels)


@pytest.mark.parametrize(
    ("given", "said"),
    [("textur", "Did you mean"), ("facebook/dinov2-small", "clipgrip models add")],
)
def test_a_command_ends_with_a_sentence_where_an_eye_cannot_be_used(
    place: Place, tiny_clip: Path, capsys: pytest.CaptureFixture[str], given: str, said: str
) -> None:
    told = command(
        capsys,
        *("run", place.images, "--classes", place.classes, "--backbone", tiny_clip, "--eye", given),
    )
    assert told.code == 2
    assert said in told.err


def test_folders_of_eyes_in_a_project_file_are_found_beside_it(eye: Path, tmp_path: Path) -> None:
    (tmp_path / "project.toml").write_text('eye = ["texture", "eye"]\n')
    assert read_toml(tmp_path / "project.toml")["eye"] == ["texture", str(eye)]
    assert Settings(eye="texture").eye == ("texture",)
    assert Settings(eye=("texture", "texture")).eye == ("texture",)
    with pytest.raises(ConfigError, match="names nothing"):
        Settings(eye=" ")


@pytest.mark.parametrize("language", ["en", "ja"])
def test_each_eyes_part_is_said_in_both_languages(language: str) -> None:
    eyes = [
        {"name": "texture", "weight": 0.7, "share": 0.41},
        {"name": "own", "weight": 0.0, "share": 0.0},
    ]
    said = eye_sentences(eyes, Words(language))  # type: ignore[arg-type]
    assert "41" in said[0]
    assert "own" in said[1]


@pytest.mark.parametrize(("language", "said"), [("en", "The eye"), ("ja", "補助エンコーダー")])
def test_screen_and_report_say_how_much_each_eye_counts(
    place: Place,
    tiny_clip: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    language: str,
    said: str,
) -> None:
    out, options = tmp_path / "run", ("--rounds", "1", "--eye", "texture", "--lang", language)
    given = ("--classes", place.classes, "--backbone", tiny_clip, "--out", out, *options)
    told = command(capsys, "run", place.images, *given)
    assert told.code == 0
    assert said in told.out
    page = (out / "report.html").read_text("utf-8")
    assert "Eyes beside the backbone" in page or "補助エンコーダー" in page
    assert "texture" in page
