"""Each known fault of the published code of "Enhancing CLIP with CLIP", and a test that would catch it here."""

from __future__ import annotations

import hashlib
import random
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from known_sets import eurosat
from pictures import random_image
from projects import CLASSES, Place, outputs, project, rows
from tiny import make_tiny_clip

from clipgrip import GripClassifier
from clipgrip.backbone.clip import ClipBackbone
from clipgrip.bench.known import KNOWN
from clipgrip.bench.results import Finished, summary
from clipgrip.bench.source import from_known
from clipgrip.bench.splits import few_shots, paper_seen
from clipgrip.method import PRESETS, Method, learn
from clipgrip.prompts.multimodal import MultimodalPrompt
from clipgrip.pseudolabel import balanced
from clipgrip.pseudolabel.schedule import grip
from clipgrip.runs.pipeline import run
from clipgrip.seeds import generator
from clipgrip.starts import untuned
from clipgrip.strategy import Reached, Round
from clipgrip.task import Task, ssl, trzsl, ul
from clipgrip.training import learner
from clipgrip.training.learner import PromptLearner
from clipgrip.training.loss import Weights, paper_weights

pytestmark = [
    pytest.mark.usefixtures("quick"),
    pytest.mark.filterwarnings("ignore:The model seems to know nothing:UserWarning"),
]
PAPER = PRESETS["paper"]["textual"]


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


def tuned(
    backbone: ClipBackbone, task: Task, *, ks: list[int], method: Method = PAPER
) -> list[Round]:
    """Rounds over generated embeddings, however little changes."""
    short = replace(method, recipe=replace(method.recipe, epochs=1), stop_below=0.0)
    start = untuned(backbone, CLASSES, short, template="a {}.", seed=0)
    drawn = torch.randn(16, backbone.embed_dim, generator=generator(3))
    images = torch.nn.functional.normalize(drawn, dim=1)
    reached = Reached(0, torch.rand(16, 4, generator=generator(5)).softmax(1))
    return list(learn(start, images, task, reached, ks=ks, method=short, seed=0))


@pytest.mark.parametrize("n_pseudo", [16, 160, 1600])
def test_labels_weigh_as_the_paper_says_in_iterative_strategies_too(n_pseudo: int) -> None:
    """Published: γ upside down there, so that labels are all but ignored."""
    assert paper_weights(20, n_pseudo, all_candidates=True) == (n_pseudo / 20, 1.0)
    assert paper_weights(20, n_pseudo, all_candidates=False) == (1.0, 20 / n_pseudo)
    assert paper_weights(0, n_pseudo, all_candidates=True) == (0.0, 1.0)


def test_every_round_of_an_iterative_strategy_is_trained_with_these_weights(
    backbone: ClipBackbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Published: right in the single training of FPL, upside down in the rounds of IFPL and GRIP."""
    used: list[tuple[float, float]] = []
    real = learner.tune

    def spy(*given: Any, weights: Weights, **more: Any) -> Any:
        used.append(tuple(weights))  # type: ignore[arg-type]
        return real(*given, weights=weights, **more)

    monkeypatch.setattr(learner, "tune", spy)
    task = ssl(torch.cat([torch.arange(4), torch.full((12,), -1)]), 4)
    tuned(backbone, task, ks=[1, 2, 3])
    assert used == [(1.0, 1.0), (2.0, 1.0), (3.0, 1.0)]


def test_each_round_labels_the_whole_pool_anew_with_the_prompt_of_the_round_before(
    backbone: ClipBackbone,
) -> None:
    """Published: unclear; some rounds keep old pseudolabels, or see only what is not chosen yet."""
    first, second, third = tuned(backbone, ul(16, 4), ks=[16, 16, 16])
    for before, after in ((first, second), (second, third)):
        assert after.pseudolabels.rows.tolist() == list(range(16))
        assert torch.equal(after.pseudolabels.labels, before.probs.argmax(1))


def test_the_smallest_pool_gets_one_pseudolabel_per_class_in_the_first_round() -> None:
    """Published: the first k of GRIP is rounded down to none, and training has nothing to learn from."""
    assert grip(n_unlabeled=30, n_candidates=10)[0] == 1


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


@pytest.mark.parametrize("splits", [False, True])
def test_no_test_image_of_eurosat_is_in_the_pool(splits: bool, tmp_path: Path) -> None:
    """Published: the test images lie in the training folders too, and are learned from."""
    eurosat(tmp_path / "data")
    files = sorted((tmp_path / "data").rglob("*.jpg"))
    for number in (1, 2):  # copies under other names
        shutil.copy(files[number], files[number].with_name(f"AnnualCrop_{70 + number}.jpg"))
    files = sorted((tmp_path / "data").rglob("*.jpg"))
    for part in ("train", "val", "test") if splits else ():
        names = [f.name for n, f in enumerate(files) if ("train", "val", "test")[n % 3] == part]
        (tmp_path / "data" / f"eurosat-{part}.txt").write_text("\n".join(names))
    known = replace(KNOWN["eurosat"], images=42)
    manifest = from_known(known, tmp_path / "data", work=tmp_path / "work", test_share=0.3).manifest
    contents = {hashlib.sha256(f.read_bytes()).hexdigest() for f in files}
    pool, test = ([manifest.rows[n] for n in part] for part in (manifest.pool, manifest.test))
    assert {row.sha256 for row in pool} | {row.sha256 for row in test} == contents
    assert not {row.sha256 for row in pool} & {row.sha256 for row in test}
    assert not {p for row in pool for p in row.paths} & {p for row in test for p in row.paths}


def test_each_seed_draws_other_labels_and_the_spread_is_told() -> None:
    """Published: one draw of labels for all seeds; of three seeds on DTD two collapsed, which a mean hides."""
    truth = torch.arange(40) % 4
    draws = [few_shots(truth, 4, 2, seed).tolist() for seed in range(3)]
    assert len({tuple(draw) for draw in draws}) == 3
    cell = {"prompt": "textual", "paradigm": "SSL", "strategy": "grip", "preset": "paper"}
    (row,) = summary("dtd", [cell | {"test": share} for share in (0.12, 0.15, 0.63)])
    assert row["seeds"] == 3
    assert row["test"] == pytest.approx(0.30)
    assert row["test_sd"] == pytest.approx(0.286, abs=1e-3)


def test_embeddings_of_another_model_are_another_entry_of_the_cache(tmp_path: Path) -> None:
    """Published: cache files whose name lacks the backbone."""
    folders = [make_tiny_clip(tmp_path / str(seed), seed=seed) for seed in (1, 2)]
    one, other = (ClipBackbone("tiny", folder, precision="float32") for folder in folders)
    again = ClipBackbone("another name", folders[0], precision="float32")
    assert one.image_key != other.image_key
    assert one.image_key == again.image_key


def test_the_published_order_of_seen_classes_is_kept_without_global_state() -> None:
    """Published: drawn from numpy's global generator, so that anything drawn before changes the split."""
    np.random.seed(7)
    first = paper_seen(47, 500)
    np.random.rand(5)
    assert paper_seen(47, 500) == first
    assert len(set(first)) == len(first) == int(0.62 * 47)


def test_a_killed_grid_loses_no_finished_cell(tmp_path: Path) -> None:
    """Published: figures are lines of a log, gone or doubled when a job is started again."""
    Finished(tmp_path).add("one", {"test": 0.5})
    with (tmp_path / "cells.jsonl").open("a") as file:
        file.write('{"id": "two", "te')
    kept = Finished(tmp_path)
    assert (kept.get("one"), kept.get("two")) == ({"test": 0.5}, None)


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


def test_a_figure_that_changed_on_the_disk_is_measured_again(tmp_path: Path) -> None:
    """Published: figures are text without any check."""
    Finished(tmp_path).add("one", {"test": 0.5})
    Finished(tmp_path).add("two", {"test": 0.25})
    path = tmp_path / "cells.jsonl"
    path.write_text(path.read_text("utf-8").replace("0.5,", "0.7,"), "utf-8")
    kept = Finished(tmp_path)
    assert (kept.get("one"), kept.get("two")) == (None, {"test": 0.25})
