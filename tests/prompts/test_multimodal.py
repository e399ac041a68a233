"""Text and image prompt through one block: true mixing, exact gradients, a strict checkpoint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from pictures import DIGITS, digits, random_image
from torch import Tensor

from clipgrip.backbone.clip import ClipBackbone
from clipgrip.backbone.prompted import seen_through
from clipgrip.backbone.registry import load_backbone
from clipgrip.errors import PromptError
from clipgrip.prompts.base import learned_parameters
from clipgrip.prompts.classifier import cosine_logits, zero_shot
from clipgrip.prompts.multimodal import MultimodalPrompt
from clipgrip.seeds import generator

CLASSES = ["scratch", "dent", "good part"]
TEMPLATE = "a photo of a {}."


@pytest.fixture(scope="module")
def backbone(tiny_clip: Path) -> ClipBackbone:
    return ClipBackbone("tiny", tiny_clip, precision="float32")


@pytest.fixture(scope="module")
def pixels(backbone: ClipBackbone) -> Tensor:
    images = [random_image(seed, 40, 30 + seed) for seed in range(4)]
    return torch.from_numpy(np.stack([backbone.preprocess(image) for image in images]))


def random_prompt(backbone: ClipBackbone) -> MultimodalPrompt:
    return MultimodalPrompt.random(backbone, CLASSES, n_ctx=4, n_tokens=4, generator=generator(0))


def from_template(backbone: ClipBackbone) -> MultimodalPrompt:
    return MultimodalPrompt.from_template(
        backbone, CLASSES, template=TEMPLATE, n_tokens=4, generator=generator(0)
    )


def test_the_sizes_follow_from_the_model(backbone: ClipBackbone) -> None:
    made = random_prompt(backbone)
    mixed = made.mixed()
    assert mixed.ctx.shape == (4, 32)
    assert mixed.tokens.shape == (1, 4, 48)
    vectors = 4 * 32 + 4 * 48
    linear = sum((a + 1) * b for a, b in ((32, 128), (48, 128), (128, 32), (128, 48)))
    block = (129 * 384) + (129 * 128) + (129 * 512) + (513 * 128) + 4 * 128
    assert learned_parameters(made) == vectors + linear + block


@pytest.mark.parametrize("start", [random_prompt, from_template])
def test_each_output_depends_on_each_learned_vector(backbone: ClipBackbone, start: object) -> None:
    """The published code joins on the wrong axis, so that its vectors hardly mix."""
    made = start(backbone)  # type: ignore[operator]

    def mixed(text: Tensor, image: Tensor) -> Tensor:
        both = made.with_learned(made.learned() | {"text": text, "image": image}).mixed()
        return torch.cat([both.ctx.norm(dim=1), both.tokens[0].norm(dim=1)])

    jacobian = torch.autograd.functional.jacobian(
        mixed, (made.values["text"], made.values["image"]), vectorize=False
    )
    outputs = len(made.words) + 4
    for part in jacobian:
        influence = part.abs().sum(-1)  # (outputs, vectors)
        assert influence.shape[0] == outputs
        assert influence.min() > 0


def test_the_gradient_agrees_with_finite_differences(
    backbone: ClipBackbone, pixels: Tensor
) -> None:
    made = from_template(backbone)
    targets = torch.tensor([0, 1, 2, 0])

    def loss(learned: dict[str, Tensor]) -> Tensor:
        return F.cross_entropy(made.with_learned(learned).logits(pixels), targets)

    values = {name: value.clone().requires_grad_() for name, value in made.learned().items()}
    gradients = dict(
        zip(values, torch.autograd.grad(loss(values), list(values.values())), strict=True)
    )
    for name in ("text", "image", "text_in.weight", "qkv.weight", "down.bias", "image_out.weight"):
        way = gradients[name] / gradients[name].norm()
        step = 3e-2 if name in ("text", "image") else 1e-2
        with torch.no_grad():
            up, down = (
                loss({**made.learned(), name: made.values[name] + sign * step * way})
                for sign in (1, -1)
            )
        measured = (up - down).item() / (2 * step)
        assert measured == pytest.approx(gradients[name].norm().item(), rel=5e-2, abs=2e-3), name


def test_started_from_a_template_a_trained_model_answers_nearly_as_zero_shot() -> None:
    nano, pixels = load_backbone("nano"), torch.from_numpy(digits())
    options = {"n_tokens": 4, "generator": generator(0)}
    near = MultimodalPrompt.from_template(
        nano, DIGITS, template="a photo of the number {}.", **options
    )
    far = MultimodalPrompt.random(nano, DIGITS, n_ctx=4, **options)
    text = zero_shot(nano, DIGITS, "a photo of the number {}.")
    with torch.no_grad():
        plain = cosine_logits(nano.encode_image(pixels.numpy()), text, nano.logit_scale)
        moved = [(p.logits(pixels).softmax(1) - plain.softmax(1)).abs().mean() for p in (near, far)]
    assert moved[0] < 0.5 * moved[1]


def test_new_images_are_seen_through_the_mixed_tokens(
    backbone: ClipBackbone, pixels: Tensor
) -> None:
    made = from_template(backbone)
    with torch.no_grad():
        expected = made.image_embeds(pixels)
    torch.testing.assert_close(seen_through(made, backbone).encode_image(pixels.numpy()), expected)


def test_a_checkpoint_must_hold_all_values_in_their_shapes(backbone: ClipBackbone) -> None:
    made = random_prompt(backbone)
    for wrong in ({}, {"text": made.values["text"]}, made.learned() | {"text": torch.zeros(3, 32)}):
        with pytest.raises(PromptError, match="multimodal prompt on this model needs"):
            made.with_learned(wrong)
