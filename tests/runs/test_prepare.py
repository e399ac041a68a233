"""What stands before the first round is one value, whatever it was made from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from jaxtyping import TypeCheckError
from projects import CLASSES, SEEN, Place, project

from clipgrip.config import Settings
from clipgrip.data.classes import ClassNames
from clipgrip.data.manifest import Manifest
from clipgrip.data.rows import Row
from clipgrip.data.sources import BytesSource
from clipgrip.errors import DataError
from clipgrip.fewshot.validate import HeldOut
from clipgrip.method import PRESETS
from clipgrip.prompts.classifier import predict_proba
from clipgrip.runs.pipeline import run
from clipgrip.runs.prepare import prepare_arrays
from clipgrip.runs.reopen import reopen
from clipgrip.runs.tasks import make_task, with_folder_labels

NAMES = ClassNames.from_names(CLASSES)


@pytest.mark.parametrize("paradigm", ["UL", "SSL", "TRZSL"])
def test_a_stored_run_begins_again_with_what_it_began_with(
    place: Place, tiny_clip: Path, tmp_path: Path, quick: pytest.MonkeyPatch, paradigm: str
) -> None:
    labels = place.labels(paradigm)
    first = run(project(place, tiny_clip, tmp_path / "run", labels=labels)).ready
    again = reopen(tmp_path / "run").ready
    assert again.method.fingerprint() == first.method.fingerprint()
    assert again.ks == first.ks
    assert torch.equal(again.task.labels, first.task.labels)
    assert torch.equal(again.task.candidates, first.task.candidates)
    assert torch.equal(again.zero_shot.pool, first.zero_shot.pool)
    assert torch.equal(again.first, first.first)


def test_where_no_label_can_be_held_out_all_images_teach_one_round(
    place: Place, tiny_clip: Path, tmp_path: Path, quick: pytest.MonkeyPatch
) -> None:
    pool = [path for path in place.truth if path not in place.test_paths]
    one_each = [next(path for path in pool if place.truth[path] == name) for name in CLASSES]
    labels = place.table("one-each.csv", one_each)
    chosen = project(place, tiny_clip, tmp_path / "run", labels=labels)
    outcome = run(chosen)
    assert len(outcome.ready.ks) > 1
    assert [one["k"] for one in outcome.metrics["rounds"]] == outcome.ready.ks[-1:]
    assert outcome.metrics["labels"]["one_round"]
    known = outcome.task.labeled
    right = int((outcome.answers.pool[known].argmax(1) == outcome.task.labels[known]).sum())
    assert outcome.metrics["labels"]["fit"] == {"right": right, "n": len(CLASSES)}
    assert run(chosen).metrics["rounds"] == outcome.metrics["rounds"]


def test_where_unlabeled_images_harm_the_labels_alone_teach_one_round(
    place: Place, tiny_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HeldOut, "unlabeled_harm", property(lambda _: True))
    outcome = run(project(place, tiny_clip, tmp_path / "run", labels=place.labels("SSL")))
    assert [(one["k"], one["chosen"]) for one in outcome.metrics["rounds"]] == [(0, 0)]
    ready = reopen(outcome.folder).ready
    assert ready.worthwhile_ks == [0]


def test_arrays_are_prepared_without_a_model_and_each_answer_is_computed_once() -> None:
    draw = torch.Generator().manual_seed(0)
    images, texts = (
        torch.nn.functional.normalize(torch.randn(n, 6, generator=draw), dim=1) for n in (12, 4)
    )
    labels = torch.full((12,), -1)
    ready = prepare_arrays(
        images,
        labels,
        NAMES,
        texts,
        100.0,
        settings=Settings(),
        method=PRESETS["default"]["textual"],
    )
    assert torch.equal(ready.first, predict_proba(images, texts, 100.0))
    assert ready.teacher is None
    assert ready.zero_shot is ready.zero_shot
    assert ready.refiner is ready.refiner


def test_seen_classes_are_said_by_position_and_need_a_label_each() -> None:
    labels = torch.tensor([0, 0, 1, -1, -1])
    task = make_task(labels, NAMES, seen=[1, 0], all_candidates=False)
    assert task.candidates.tolist() == [name not in SEEN for name in CLASSES]
    with pytest.raises(DataError, match='"good part" is named as seen'):
        make_task(labels, NAMES, seen=[0, 2], all_candidates=False)


@pytest.mark.parametrize(
    ("labels", "candidates"),
    [((0, 0, -1), "all"), ((0, 1, 2, 3, -1), "auto"), ((-1, -1), "all")],
    ids=["some classes", "each class", "no class of the pool"],
)
def test_beside_folders_that_label_some_classes_an_image_may_be_of_any(
    labels: tuple[int, ...], candidates: str
) -> None:
    rows = tuple(
        Row(f"{n:064x}", (f"{n}.jpg",), label, "pool", BytesSource(b""))
        for n, label in enumerate(labels)
    )
    assert with_folder_labels(Settings(), Manifest(rows, NAMES)).candidates == candidates


def test_a_wrong_shape_is_an_error_while_tests_run() -> None:
    with pytest.raises(TypeCheckError, match="class_embeds"):
        predict_proba(torch.ones(3, 8), torch.ones(2, 7), 1.0)
