"""Visual and multimodal prompts live in the same runs as textual ones: stored, resumed, reopened, put to work."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import torch
from projects import CLASSES, Place, assert_the_models_own, command, outputs, project
from projects import quick as quickly
from runs_forks import in_a_fork

from clipgrip import GripClassifier
from clipgrip.errors import BackboneError, PromptError
from clipgrip.prompts.visual import VisualPrompt
from clipgrip.runs import checkpoint, rounds
from clipgrip.runs.pipeline import run
from clipgrip.runs.reopen import reopen
from clipgrip.runs.store import RunStore, open_store
from clipgrip.serving.batch import predict_files, write_predictions
from clipgrip.serving.predictor import Predictor
from clipgrip.training.state import TrainingState

KINDS = ("visual", "visual-deep", "multimodal")
pytestmark = [
    pytest.mark.usefixtures("quick"),
    pytest.mark.filterwarnings("ignore:The model seems to know nothing:UserWarning"),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("paradigm", ["UL", "SSL", "TRZSL"])
def test_each_kind_runs_in_each_paradigm_and_answers_new_images_as_its_run_did(
    place: Place, tiny_clip: Path, tmp_path: Path, kind: str, paradigm: str
) -> None:
    labels, preset = place.labels(paradigm), "paper" if paradigm == "SSL" else "default"
    options = {"prompt": kind, "rounds": 2, "labels": labels, "preset": preset}
    outcome = run(project(place, tiny_clip, tmp_path / "run", **options))
    assert [done.number for done in outcome.rounds] == [1, 2]
    assert outcome.prompt.kind == kind
    assert not torch.equal(outcome.answers.pool, outcome.zero_shot.pool)
    again = reopen(outcome.folder)
    assert torch.equal(again.answers.pool, outcome.answers.pool)
    assert torch.equal(again.answers.test, outcome.answers.test)
    for forget in (False, True):
        if forget:
            (outcome.folder / checkpoint.CLASS_EMBEDS).unlink()
        predictor = Predictor.open(outcome.folder)
        write_predictions(tmp_path / "p.csv", predictor, predict_files(predictor, place.images))
        assert_the_models_own(tmp_path / "p.csv", outcome.folder / "predictions.csv")


@pytest.mark.parametrize("kind", KINDS)
def test_an_estimator_with_such_a_prompt_is_saved_and_loaded(
    place: Place, tiny_clip: Path, tmp_path: Path, kind: str
) -> None:
    paths = [str(place.images / name) for name in place.truth]
    model = GripClassifier(CLASSES, backbone=str(tiny_clip), prompt=kind, rounds=2).fit(paths)
    model.save(tmp_path / "saved")
    loaded = GripClassifier.load(tmp_path / "saved")
    assert loaded.get_params()["prompt"] == kind
    assert (loaded.predict_proba(paths) == model.predict_proba(paths)).all()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("kind", ["textual", "visual", "multimodal"])
def test_a_run_killed_in_the_middle_of_a_training_goes_on_there_and_is_byte_equal(
    place: Place, tiny_clip: Path, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "SECONDS", 0.0)
    keep, steps = RunStore.keep_training, []

    def dying(store: RunStore, run_id: str, number: int, state: TrainingState) -> None:
        keep(store, run_id, number, state)
        if state.step == 2:
            os.kill(os.getpid(), signal.SIGKILL)

    def noting(store: RunStore, run_id: str, number: int, state: TrainingState) -> None:
        steps.append((number, state.step))

    with quickly(tmp_path / "cache"):
        options = {"prompt": kind, "rounds": 2}
        whole = run(project(place, tiny_clip, tmp_path / "whole", **options))
        killed = project(place, tiny_clip, tmp_path / "killed", **options)
        monkeypatch.setattr(RunStore, "keep_training", dying)
        assert in_a_fork(lambda: run(killed)) == -signal.SIGKILL
        monkeypatch.setattr(RunStore, "keep_training", noting)
        run(killed)
    assert steps == [(1, 3), (2, 1), (2, 2), (2, 3)]
    assert outputs(tmp_path / "killed") == outputs(whole.folder)
    with open_store(tmp_path / "killed") as store:
        assert store.training(whole.run.id, 2) is None  # nothing is left of a finished training


def test_how_many_values_are_tuned_is_said_and_written_down(
    place: Place, tiny_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    counts = {"textual": 4 * 32, "visual": 8 * 48, "visual-deep": 2 * 8 * 48}
    for kind, count in counts.items():
        options = ("--prompt", kind, "--rounds", 1, "--out", tmp_path / kind)
        told = command(
            capsys,
            "run",
            place.images,
            "--classes",
            place.classes,
            "--backbone",
            tiny_clip,
            "-v",
            *options,
        )
        assert told.code == 0
        assert f"{count:,} values of a {kind} prompt" in " ".join(told.err.split())
        metrics = reopen(tmp_path / kind).metrics
        assert metrics["tuned"] == {"prompt": kind, "values": count}


def test_a_prompt_of_another_model_or_kind_is_refused(
    place: Place, tiny_clip: Path, tmp_path: Path
) -> None:
    from tiny import make_tiny_clip

    outcome = run(project(place, tiny_clip, tmp_path / "run", prompt="visual", rounds=1))
    assert isinstance(outcome.start.prompt, VisualPrompt)
    with pytest.raises(PromptError, match="another kind of prompt"):
        outcome.start.prompt.with_learned({"ctx": torch.zeros(4, 32)})
    model = make_tiny_clip(tmp_path / "model", seed=0)
    other = run(project(place, model, tmp_path / "other", prompt="visual", rounds=1))
    make_tiny_clip(tmp_path / "model", seed=5)
    (other.folder / checkpoint.CLASS_EMBEDS).unlink()
    with pytest.raises(BackboneError, match="fingerprint"):
        Predictor.open(other.folder)


def test_images_that_are_gone_stop_the_run_with_their_name(
    place: Place, tiny_clip: Path, tmp_path: Path
) -> None:
    """Embeddings may come from the cache, pixels may not."""
    import shutil

    from clipgrip.errors import DataError

    images = Path(shutil.copytree(place.images, tmp_path / "images"))
    settings = project(place, tiny_clip, tmp_path / "run", images=images, prompt="visual", rounds=1)
    from clipgrip.runs import pipeline

    def vanish(*_: object, **__: object) -> None:
        (images / "part 00.png").unlink()

    with pytest.MonkeyPatch.context() as patch:
        real = pipeline.inputs_of

        def after(*args: object, **kwargs: object) -> object:
            vanish()
            return real(*args, **kwargs)  # type: ignore[arg-type]

        patch.setattr(pipeline, "inputs_of", after)
        with pytest.raises(DataError, match="cannot be read"):
            run(settings)
