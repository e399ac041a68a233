"""Each known fault of the published code of "Enhancing CLIP with CLIP", and a test that would catch it here."""

from __future__ import annotations

import random
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pictures import random_image
from projects import CLASSES, Place, outputs, project, rows
from tiny import make_tiny_clip

from clipgrip import GripClassifier
from clipgrip.backbone.clip import ClipBackbone
from clipgrip.data.task import ssl, trzsl, ul
from clipgrip.method import PRESETS, learn, untuned
from clipgrip.prompts.multimodal import MultimodalPrompt
from clipgrip.pseudolabel import balanced
from clipgrip.runs.pipeline import run
from clipgrip.seeds import generator
from clipgrip.strategy import Reached
from clipgrip.training.learner import PromptLearner
from clipgrip.training.loss import paper_weights

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture(scope="module")
def backbone(tiny_clip: Path) -> ClipBackbone:
    return ClipBackbone("tiny", tiny_clip, precision="float32")


def test_text_and_image_vectors_mix_in_one_sequence(backbone: ClipBackbone) -> None:
    """Published: joined on the wrong axis, so that they hardly mix."""
    made = MultimodalPrompt.random(backbone, CLASSES, n_ctx=4, n_tokens=4, generator=generator(0))
    text = made.values["text"].clone().requires_grad_()
    mixed = made.with_learned(made.learned() | {"text": text}).mixed()
    (gradient,) = torch.autograd.grad(mixed.tokens[0, 3].sum(), text)
    assert (gradient.abs().sum(1) > 0).all()


@pytest.mark.parametrize("n_pseudo", [16, 160, 1600])
def test_labels_weigh_as_the_paper_says_in_iterative_strategies_too(n_pseudo: int) -> None:
    """Published: γ upside down there, so that labels are all but ignored."""
    assert paper_weights(20, n_pseudo, all_candidates=True) == (n_pseudo / 20, 1.0)
    assert paper_weights(20, n_pseudo, all_candidates=False) == (1.0, 20 / n_pseudo)
    assert paper_weights(0, n_pseudo, all_candidates=True) == (0.0, 1.0)


@pytest.mark.parametrize("kind", ["textual", "visual", "multimodal"])
def test_each_round_starts_from_the_untuned_prompt(backbone: ClipBackbone, kind: str) -> None:
    """Published: the starting tensor is the trained one under another name."""
    method = replace(PRESETS["paper"][kind], stop_below=0.0)
    start = untuned(backbone, CLASSES, method, template="a photo of a {}.", seed=0, kind=kind)
    before = {name: value.clone() for name, value in start.learned().items()}
    pixels = np.stack([backbone.preprocess(random_image(n, 40, 40)) for n in range(12)])
    inputs = backbone.encode_image(pixels) if kind == "textual" else torch.from_numpy(pixels)
    reached = Reached(0, torch.full((12, 4), 0.25))
    list(learn(start, inputs, ul(12, 4), reached, ks=[1, 2], method=method, seed=0))
    assert all(torch.equal(start.learned()[name], value) for name, value in before.items())


def test_the_order_of_files_decides_nothing(place: Place, tiny_clip: Path, tmp_path: Path) -> None:
    """Published: ties and conflicts go to the file that was listed first."""
    folders = [tmp_path / name for name in ("one", "two")]
    for folder, seed in zip(folders, (1, 2), strict=True):
        folder.mkdir()
        paths = list(place.truth)
        random.Random(seed).shuffle(paths)
        for path in paths:
            shutil.copy(place.images / path, folder / path)
    runs = [
        run(project(place, tiny_clip, tmp_path / f"run-{f.name}", images=f)).folder for f in folders
    ]
    assert outputs(runs[0]) == outputs(runs[1])


def test_an_image_gets_one_pseudolabel_at_most() -> None:
    """Published: top-K per class column, an image in several."""
    probs = torch.tensor([[0.5, 0.5], [0.5, 0.5], [0.9, 0.1], [0.1, 0.9]])
    chosen = balanced(probs, 2)
    assert len(set(chosen.rows.tolist())) == len(chosen.rows) == 4


def test_equal_file_names_in_two_folders_are_two_images(
    place: Place, tiny_clip: Path, tmp_path: Path
) -> None:
    """Published: images are known by their base name."""
    for number, folder in enumerate(("a", "b")):
        (tmp_path / "images" / folder).mkdir(parents=True)
        for n in range(6):
            random_image(10 * number + n, 36, 36).save(tmp_path / "images" / folder / f"{n}.png")
    settings = project(place, tiny_clip, tmp_path / "run", images=tmp_path / "images", test=None)
    outcome = run(settings)
    assert len(rows(outcome.folder / "predictions.csv")) == 12


@pytest.mark.parametrize("width", [24, 40])
def test_sizes_come_from_the_model(width: int, tmp_path: Path) -> None:
    """Published: the dimensions of one backbone are written into the code."""
    folder = make_tiny_clip(
        tmp_path, seed=1, hidden_size=width, num_attention_heads=2, patch_size=16
    )
    other = ClipBackbone("other", folder, precision="float32")
    made = untuned(
        other, CLASSES, PRESETS["paper"]["visual"], template="a {}.", seed=0, kind="visual"
    )
    assert made.learned()["tokens"].shape == (1, 16, width)


def test_half_precision_runs_on_a_processor(tiny_clip: Path) -> None:
    """Published: float16 weights, which a CPU does not multiply."""
    half = ClipBackbone("tiny", tiny_clip, precision="bfloat16")
    pixels = half.preprocess(random_image(0, 40, 40))[None]
    assert torch.isfinite(half.encode_image(pixels)).all()


def test_one_image_alone_is_answered(place: Place, tiny_clip: Path) -> None:
    """Published: answers for whole data sets only."""
    paths = [str(place.images / name) for name in place.truth]
    model = GripClassifier(CLASSES, backbone=str(tiny_clip), rounds=1).fit(paths)
    assert model.predict_proba([random_image(3, 50, 40)]).shape == (1, 4)


def test_no_label_is_held_out_to_choose_nothing(backbone: ClipBackbone) -> None:
    """Published: a part of the labels is taken away as validation, and the last epoch is taken anyway."""
    prompt = untuned(
        backbone, CLASSES, PRESETS["paper"]["textual"], template="a {}.", seed=0, kind="textual"
    )
    seen: list[int] = []

    class Counting(PromptLearner):
        def _weights(self, task: object, n_pseudo: int) -> object:  # type: ignore[override]
            seen.append(len(task.labeled))  # type: ignore[attr-defined]
            return super()._weights(task, n_pseudo)  # type: ignore[arg-type]

    from clipgrip.pseudolabel import PseudoLabels

    images = torch.nn.functional.normalize(torch.randn(8, 24), dim=1)
    Counting(prompt, images).fit(
        ssl(torch.arange(8) % 4, 4), PseudoLabels.none(4), generator=generator(0)
    )
    assert seen == [8]


def test_settings_and_splits_are_kept_with_the_result(
    place: Place, tiny_clip: Path, tmp_path: Path
) -> None:
    """Published: figures cannot be made again, since neither was stored."""
    outcome = run(project(place, tiny_clip, tmp_path / "run", labels=place.labels("TRZSL"), seed=4))
    told = outcome.metrics
    assert told["settings"]["seed"] == 4
    assert told["data"]["seen"] == list(CLASSES[:2])
    assert told["data"]["fingerprint"] == outcome.manifest.fingerprint
    assert told["versions"]["clipgrip"]


def test_unseen_classes_alone_are_candidates_and_all_classes_are_answered() -> None:
    """Published tables judge over all classes; a candidate list must not leak into the answers."""
    task = trzsl(torch.tensor([0, 0, -1, -1]), 3, [0])
    assert task.candidate_classes.tolist() == [1, 2]
    assert task.n_classes == 3
