"""Tokens in the image tower, with zero-shot's text side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from builders import backbone as text_only
from pictures import DIGITS, digits, random_image
from torch import Tensor

from clipgrip.backbone.clip import ClipBackbone
from clipgrip.backbone.prompted import seen_through
from clipgrip.backbone.registry import load_backbone
from clipgrip.errors import BackboneError, PromptError
from clipgrip.prompts.base import learned_parameters
from clipgrip.prompts.classifier import cosine_logits, zero_shot
from clipgrip.prompts.visual import VisualPrompt, class_tokens, random_tokens
from clipgrip.seeds import generator

CLASSES = ["scratch", "dent", "good part"]


@pytest.fixture(scope="module")
def backbone(tiny_clip: Path) -> ClipBackbone:
    return ClipBackbone("tiny", tiny_clip, precision="float32")


@pytest.fixture(scope="module")
def pixels(backbone: ClipBackbone) -> Tensor:
    images = [random_image(seed, 40, 30 + seed) for seed in range(6)]
    return torch.from_numpy(np.stack([backbone.preprocess(image) for image in images]))


def prompt(backbone: ClipBackbone, *, n_tokens: int = 5, deep: bool = False) -> VisualPrompt:
    return VisualPrompt.of(
        backbone, CLASSES, random_tokens, n_tokens=n_tokens, generator=generator(0), deep=deep
    )


def test_the_papers_start_has_the_towers_width_and_variance_one_over_it(
    backbone: ClipBackbone,
) -> None:
    tokens = prompt(backbone, n_tokens=400).tokens
    assert tokens.shape == (1, 400, 48)
    assert tokens.var().item() == pytest.approx(1 / 48, rel=0.05)
    assert prompt(backbone, deep=True).tokens.shape == (2, 5, 48)
    assert learned_parameters(prompt(backbone, n_tokens=16)) == 16 * 48
    assert learned_parameters(prompt(backbone, n_tokens=16, deep=True)) == 2 * 16 * 48


def test_logits_are_the_prompted_images_against_zero_shots_classes(
    backbone: ClipBackbone, pixels: Tensor
) -> None:
    made = prompt(backbone)
    embeds = seen_through(made, backbone).encode_image(pixels.numpy())
    expected = cosine_logits(embeds, zero_shot(backbone, CLASSES), backbone.logit_scale)
    torch.testing.assert_close(made.logits(pixels), expected, atol=1e-4, rtol=0)
    assert made.consumes == "pixels"


def test_started_from_the_class_token_a_trained_model_answers_nearly_as_zero_shot() -> None:
    nano, pixels = load_backbone("nano"), torch.from_numpy(digits())
    near = VisualPrompt.of(nano, DIGITS, class_tokens, n_tokens=8, generator=generator(0))
    far = VisualPrompt.of(nano, DIGITS, random_tokens, n_tokens=8, generator=generator(0))
    with torch.no_grad():
        plain = cosine_logits(nano.encode_image(pixels.numpy()), near.text, nano.logit_scale)
        moved = [(p.logits(pixels).softmax(1) - plain.softmax(1)).abs().mean() for p in (near, far)]
    assert moved[0] < 0.5 * moved[1]
    assert not torch.equal(near.tokens[0, 0], near.tokens[0, 1])  # equal tokens would stay equal


def test_a_checkpoint_holds_the_tokens_alone_and_must_fit(backbone: ClipBackbone) -> None:
    made = prompt(backbone)
    assert set(made.learned()) == {"tokens"}
    other = made.with_learned({"tokens": made.tokens + 1})
    assert torch.equal(other.tokens, made.tokens + 1)
    for wrong in (
        {},
        {"ctx": made.tokens},
        {"tokens": made.tokens[:, :2]},
        {"tokens": made.tokens[..., :9]},
    ):
        with pytest.raises(PromptError, match="visual prompt on this model needs"):
            made.with_learned(wrong)


def test_a_model_without_an_image_side_for_tokens_is_refused() -> None:
    with pytest.raises(BackboneError, match="takes no prompt tokens"):
        VisualPrompt.of(text_only(), CLASSES, random_tokens, n_tokens=2, generator=generator(0))
