"""A tuned prompt at work, with as little read as possible."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from projects import Place, assert_the_models_own, picture, project, quick, rows
from safetensors.torch import load_file, save_file

from clipgrip import method
from clipgrip.errors import BackboneError, PromptError, RunError
from clipgrip.runs import checkpoint
from clipgrip.runs.pipeline import run
from clipgrip.runs.reopen import reopen
from clipgrip.serving.batch import issues_path, predict_files, write_predictions
from clipgrip.serving.predictor import Predictor, derive

pytestmark = pytest.mark.usefixtures("quick")


def test_class_embeddings_beside_a_prompt_are_those_that_follow_from_it(finished: Path) -> None:
    predictor = Predictor.open(finished)
    derived = derive(predictor.facts, predictor.learned)
    torch.testing.assert_close(predictor.class_embeds, derived, atol=1e-6, rtol=0)


@pytest.mark.parametrize("damage", ["missing", "cut", "another prompt's"])
def test_without_good_class_embeddings_they_are_made_from_the_prompt(
    place: Place, finished: Path, tmp_path: Path, damage: str
) -> None:
    shutil.copytree(finished, tmp_path / "run")
    path = tmp_path / "run" / checkpoint.CLASS_EMBEDS
    data = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(data[:-7])
    else:
        path.write_bytes(checkpoint.pack_class_embeds(torch.zeros(4, 24), b"another prompt"))
    answers = predict_files(Predictor.open(tmp_path / "run"), place.images)
    write_predictions(tmp_path / "p.csv", Predictor.open(finished), answers)
    assert rows(tmp_path / "p.csv") == rows(finished / "predictions.csv")


@pytest.mark.parametrize("strategy", ["zero-shot", "supervised"])
@pytest.mark.parametrize("preset", ["default", "paper"])
def test_each_kind_of_prompt_answers_as_its_run_did(
    place: Place, tiny_clip: Path, tmp_path: Path, strategy: str, preset: str
) -> None:
    labels = place.labels("SSL")
    settings = {"strategy": strategy, "preset": preset, "labels": labels}
    outcome = run(project(place, tiny_clip, tmp_path / "run", **settings))
    (outcome.folder / checkpoint.CLASS_EMBEDS).unlink()
    predictor = Predictor.open(outcome.folder)
    assert predictor.facts.kind == ("zero-shot" if strategy == "zero-shot" else "textual")
    write_predictions(tmp_path / "p.csv", predictor, predict_files(predictor, place.images))
    assert_the_models_own(tmp_path / "p.csv", outcome.folder / "predictions.csv")


@pytest.mark.parametrize("strategy", ["zero-shot", "fpl"])
def test_a_run_with_several_templates_is_answered_opened_and_identified_by_all_of_them(
    place: Place, tiny_clip: Path, tmp_path: Path, strategy: str
) -> None:
    both = ["a photo of the {}.", "a {} close up"]
    options = {"strategy": strategy, "template": both}
    outcome = run(project(place, tiny_clip, tmp_path / "run", **options))
    (outcome.folder / checkpoint.CLASS_EMBEDS).unlink()
    predictor = Predictor.open(outcome.folder)
    write_predictions(tmp_path / "p.csv", predictor, predict_files(predictor, place.images))
    assert_the_models_own(tmp_path / "p.csv", outcome.folder / "predictions.csv")
    assert reopen(outcome.folder).metrics["zero_shot"] == outcome.metrics["zero_shot"]
    assert outcome.metrics["settings"]["template"] == both
    alone = run(project(place, tiny_clip, tmp_path / "alone", **options | {"template": both[0]}))
    assert alone.run.id != outcome.run.id
    assert alone.metrics["zero_shot"] != outcome.metrics["zero_shot"]


def test_a_prompt_tuned_where_labels_abound_answers_as_its_run_did(
    place: Place, tiny_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It began with random vectors, so other tokens follow its context."""
    monkeypatch.setattr(method, "MANY_PER_CLASS", 2)
    labels = place.labels("TRZSL")
    outcome = run(project(place, tiny_clip, tmp_path / "run", labels=labels, seed=3))
    assert outcome.prompt.init == "template"  # as many labeled as unlabeled do not abound
    most = place.table(
        "most.csv", [path for path in place.truth if path not in place.test_paths][4:]
    )
    outcome = run(project(place, tiny_clip, tmp_path / "run", labels=most))
    assert outcome.prompt.init == outcome.run.facts["method"]["init"] == "random"
    assert reopen(outcome.folder).answers.pool.equal(outcome.answers.pool)
    (outcome.folder / checkpoint.CLASS_EMBEDS).unlink()
    predictor = Predictor.open(outcome.folder)
    write_predictions(tmp_path / "p.csv", predictor, predict_files(predictor, place.images))
    assert_the_models_own(tmp_path / "p.csv", outcome.folder / "predictions.csv")


def test_copies_and_bad_files_are_each_answered_or_listed(
    place: Place, finished: Path, tmp_path: Path
) -> None:
    images = tmp_path / "new"
    images.mkdir()
    picture(500).save(images / "a.png")
    shutil.copy(images / "a.png", images / "b.png")
    (images / "bad.png").write_bytes((images / "a.png").read_bytes()[:800])
    (images / "c.txt").write_text("no image")
    answers = predict_files(Predictor.open(finished), images)
    assert sorted(path for row in answers.rows for path in row.paths) == ["a.png", "b.png"]
    assert answers.probs.shape == (1, 4)
    assert {issue.path: issue.reason for issue in answers.issues} == {
        "b.png": "duplicate",
        "bad.png": "corrupt",
        "c.txt": "not-an-image",
    }


def test_the_issues_stand_beside_the_answers() -> None:
    assert issues_path(Path("x/answers.csv")) == Path("x/answers.issues.csv")


def test_a_moved_model_or_another_one_is_refused_and_says_so(
    place: Place, tiny_clip: Path, tmp_path: Path
) -> None:
    shutil.copytree(tiny_clip, tmp_path / "model")
    outcome = run(project(place, tmp_path / "model", tmp_path / "run"))
    (outcome.folder / checkpoint.CLASS_EMBEDS).unlink()
    shutil.rmtree(tmp_path / "model")
    with pytest.raises(BackboneError, match="neither a folder nor a model"):
        Predictor.open(outcome.folder)
    shutil.copytree(tiny_clip, tmp_path / "model")
    weights = tmp_path / "model" / "model.safetensors"
    save_file({name: 2 * value for name, value in load_file(weights).items()}, weights)
    with pytest.raises(BackboneError, match=r"tuned on a model.*Bring back the same model"):
        Predictor.open(outcome.folder)


def test_a_folder_without_a_prompt_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="holds no finished run"):
        Predictor.open(tmp_path)


def test_known_images_are_answered_without_the_model_and_without_transformers(
    place: Place, tiny_clip: Path, tmp_path: Path
) -> None:
    with quick(tmp_path / "cache"):
        run(project(place, tiny_clip, tmp_path / "run"))
    code = (
        "import sys\nfrom clipgrip.cli.main import main\n"
        "import clipgrip.backbone.registry as registry\n"
        "registry.ClipBackbone = None\n"
        "try: main()\nexcept SystemExit as end: assert not end.code\n"
        "heavy = ('transformers', 'tokenizers', 'sklearn', 'scipy', 'matplotlib', 'torchvision')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    arguments = ["predict", "run", str(place.images), "--out", "p.csv"]
    told = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"CLIPGRIP_CACHE": str(tmp_path / "cache")},
        check=False,
    )
    assert told.stdout.splitlines() == ["32 images labeled: p.csv", "[]"], told.stderr
    assert (tmp_path / "p.csv").read_bytes() == (tmp_path / "run" / "predictions.csv").read_bytes()


@pytest.mark.parametrize("harm", ["missing", "damaged"])
def test_without_what_labels_taught_there_is_no_other_answer(
    place: Place, tiny_clip: Path, tmp_path: Path, harm: str
) -> None:
    labels = place.labels("SSL")
    with quick(tmp_path / "cache"):
        outcome = run(project(place, tiny_clip, tmp_path / "run", labels=labels, strategy="grip"))
        assert outcome.joint is not None
        head = outcome.folder / "head.safetensors"
        known = Predictor.open(outcome.folder)
        assert known.predict_proba(outcome.embeds.pool).equal(outcome.answers.pool)
        if harm == "missing":
            head.unlink()
        else:
            data = bytearray(head.read_bytes())
            data[-3] ^= 1
            head.write_bytes(bytes(data))
        with pytest.raises(PromptError, match=r"head\.safetensors"):
            Predictor.open(outcome.folder)
