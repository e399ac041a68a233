"""Micro-batches change nothing but the memory, and a training goes on from any step bit for bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pictures import random_image
from torch import Tensor

from clipgrip.backbone.clip import ClipBackbone
from clipgrip.method import PRESETS
from clipgrip.prompts.base import Prompt
from clipgrip.pseudolabel.pseudolabels import PseudoLabels
from clipgrip.seeds import generator
from clipgrip.starts import untuned
from clipgrip.task import ul
from clipgrip.training import learner, loop, memory
from clipgrip.training.loop import PAPER_RECIPE, Recipe, tune
from clipgrip.training.loss import Weights
from clipgrip.training.memory import Picked, rows_at_once
from clipgrip.training.state import TrainingState

CLASSES, KINDS = (
    ["scratch", "dent", "good part"],
    ("textual", "visual", "visual-deep", "multimodal"),
)
ADAM = Recipe(steps=7, batch_size=8)
SGD = replace(PAPER_RECIPE, epochs=3, batch_size=8, lr=0.01)


@pytest.fixture(scope="module")
def backbone(tiny_clip: Path) -> ClipBackbone:
    return ClipBackbone("tiny", tiny_clip, precision="float32")


@pytest.fixture(scope="module")
def pixels(backbone: ClipBackbone) -> Tensor:
    images = [random_image(seed, 40, 30 + seed) for seed in range(20)]
    return torch.from_numpy(np.stack([backbone.preprocess(image) for image in images]))


def start(backbone: ClipBackbone, kind: str) -> Prompt:
    method = PRESETS["default"][kind]
    return untuned(backbone, CLASSES, method, template="a photo of a {}.", seed=0, kind=kind)


def trained(prompt: Prompt, inputs: Tensor, recipe: Recipe = ADAM, **more: Any) -> Prompt:
    targets = torch.nn.functional.one_hot(torch.arange(len(inputs)) % 3, 3).float()
    labeled = torch.arange(len(inputs)) < 5
    options: dict[str, Any] = {"weights": Weights(0.3, 0.7), "recipe": recipe}
    rows = Picked(inputs, torch.arange(len(inputs)))
    return tune(prompt, rows, targets, labeled, generator=generator(1), **options, **more)


@pytest.mark.parametrize("kind", ["visual", "visual-deep", "multimodal"])
def test_passes_of_a_few_rows_sum_to_the_batch(
    backbone: ClipBackbone, pixels: Tensor, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = start(backbone, kind)
    whole = trained(prompt, pixels, SGD).learned()
    monkeypatch.setattr(loop, "rows_at_once", lambda *_: 3)
    parts = trained(prompt, pixels, SGD).learned()
    for name, value in whole.items():
        torch.testing.assert_close(parts[name], value, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("recipe", [ADAM, SGD])
@pytest.mark.parametrize("kind", KINDS)
def test_a_training_goes_on_from_each_step_as_if_it_had_never_stopped(
    backbone: ClipBackbone, pixels: Tensor, kind: str, recipe: Recipe
) -> None:
    prompt, kept = start(backbone, kind), []
    inputs = backbone.encode_image(pixels.numpy()) if kind == "textual" else pixels
    whole = trained(prompt, inputs, recipe, offer=lambda state: kept.append(state()))
    assert [state.step for state in kept] == list(range(1, len(kept) + 1))
    for state in kept:
        again = trained(prompt, inputs, recipe, recalled=state)
        for name, value in whole.learned().items():
            assert torch.equal(again.learned()[name], value)
    assert isinstance(kept[0], TrainingState)


def test_a_state_is_a_copy_that_later_steps_do_not_change(
    backbone: ClipBackbone, pixels: Tensor
) -> None:
    kept: list[TrainingState] = []
    trained(start(backbone, "visual"), pixels, offer=lambda state: kept.append(state()))
    assert not torch.equal(kept[0].tensors["tokens"], kept[-1].tensors["tokens"])


def test_vectors_go_in_one_pass_and_images_in_as_many_as_the_memory_asks_for(
    backbone: ClipBackbone, pixels: Tensor
) -> None:
    textual, visual = start(backbone, "textual"), start(backbone, "visual")
    embeds = backbone.encode_image(pixels.numpy())
    assert rows_at_once(textual, embeds) == 20
    per_row = 2**20 // rows_at_once(visual, pixels, budget=2**20)
    tokens, width, layers = 16 + 1 + PRESETS["default"]["visual"].n_tokens, 48, 2
    smallest = 4 * tokens * width * layers * 4  # a few activations of each layer in float32
    assert smallest < per_row < 20 * smallest
    assert rows_at_once(visual, pixels, budget=1) == 1
    assert rows_at_once(visual, pixels[:0]) == 1


@pytest.mark.parametrize("kind", ["textual", "visual"])
def test_a_pool_is_not_copied_for_training(
    backbone: ClipBackbone, pixels: Tensor, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a million vectors the copy is 2 GB."""
    taken: list[Any] = []

    def kept(prompt: Prompt, inputs: Any, *_: Any, **__: Any) -> Prompt:
        taken.append(inputs)
        return prompt

    monkeypatch.setattr(learner, "tune", kept)
    inputs = pixels if kind == "visual" else backbone.encode_image(pixels.numpy())
    chosen = PseudoLabels.hard(torch.arange(20), torch.arange(20) % 3, torch.ones(20), 3)
    prompt = start(backbone, kind)
    learner.PromptLearner(prompt, inputs).fit(ul(20, 3), chosen, generator=generator(0))
    assert isinstance(taken[0], memory.Picked)
    assert torch.equal(taken[0][torch.tensor([3, 1])], inputs[[3, 1]])
