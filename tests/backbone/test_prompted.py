"""Prompt tokens in the image tower: transformers' own layers with the tokens put between, in value and gradient."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from pictures import random_image
from torch import Tensor

from clipgrip.backbone.base import Backbone
from clipgrip.backbone.clip import ClipBackbone
from clipgrip.backbone.prompted import PromptedBackbone
from clipgrip.errors import BackboneError
from clipgrip.prompts.towers import prompt_tower


@pytest.fixture(scope="module")
def backbone(tiny_clip: Path) -> ClipBackbone:
    return ClipBackbone("tiny", tiny_clip, precision="float32")


@pytest.fixture(scope="module")
def model(tiny_clip: Path) -> Any:
    from transformers import CLIPModel

    return CLIPModel.from_pretrained(tiny_clip).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def pixels(backbone: ClipBackbone) -> np.ndarray:
    images = [random_image(seed, 40, 30 + seed) for seed in range(5)]
    return np.stack([backbone.preprocess(image) for image in images])


def drawn(layers: int, tokens: int, width: int, seed: int = 0) -> Tensor:
    return torch.randn(layers, tokens, width, generator=torch.Generator().manual_seed(seed))


def reference(model: Any, tiny_clip: Path, pixels: np.ndarray, prompts: Tensor) -> Tensor:
    """Transformers' layers one after another, the prompt tokens put in by hand."""
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    processor = CLIPImageProcessorPil.from_pretrained(tiny_clip)
    values = processor(list(pixels), do_resize=False, do_center_crop=False, return_tensors="pt")
    tower, count = model.vision_model, prompts.shape[1]
    hidden = tower.embeddings(values["pixel_values"])

    def put(hidden: Tensor, tokens: Tensor, instead: int) -> Tensor:
        rows = tokens.expand(len(hidden), -1, -1)
        return torch.cat([hidden[:, :1], rows, hidden[:, 1 + instead :]], dim=1)

    hidden = tower.pre_layrnorm(put(hidden, prompts[0], 0))
    for number, layer in enumerate(tower.encoder.layers):
        if 0 < number < len(prompts):
            hidden = put(hidden, prompts[number], count)
        result = layer(hidden, attention_mask=None)
        hidden = result[0] if isinstance(result, tuple) else result
    return F.normalize(model.visual_projection(tower.post_layernorm(hidden[:, 0])), dim=-1)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("tokens", [0, 1, 7])
def test_value_and_gradient_are_those_of_transformers(
    backbone: ClipBackbone,
    model: Any,
    tiny_clip: Path,
    pixels: np.ndarray,
    layers: int,
    tokens: int,
) -> None:
    prompts = drawn(layers, tokens, 48).requires_grad_()
    ours = prompt_tower(backbone).encode(torch.from_numpy(pixels), prompts)
    theirs = reference(model, tiny_clip, pixels, prompts)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)
    weights = torch.randn(ours.shape, generator=torch.Generator().manual_seed(1))
    if tokens:
        (mine,) = torch.autograd.grad((ours * weights).sum(), prompts)
        (other,) = torch.autograd.grad((theirs * weights).sum(), prompts)
        torch.testing.assert_close(mine, other, atol=2e-5, rtol=1e-3)
        assert mine.abs().sum((1, 2)).min() > 0  # each layer's tokens count


def test_the_gradient_agrees_with_finite_differences(
    backbone: ClipBackbone, pixels: np.ndarray
) -> None:
    images, weights = torch.from_numpy(pixels), drawn(1, 5, 24, seed=3)[0]

    def value(prompts: Tensor) -> Tensor:
        return (prompt_tower(backbone).encode(images, prompts) * weights).sum()

    prompts = drawn(2, 3, 48).requires_grad_()
    (gradient,) = torch.autograd.grad(value(prompts), prompts)
    for seed in range(4):
        way = F.normalize(drawn(2, 3, 48, seed=10 + seed).flatten(), dim=0).view(2, 3, 48)
        step = 1e-2
        with torch.no_grad():
            measured = (value(prompts + step * way) - value(prompts - step * way)) / (2 * step)
        assert measured.item() == pytest.approx((gradient * way).sum().item(), rel=2e-2, abs=2e-3)


def test_without_tokens_it_is_the_backbone_itself(
    backbone: ClipBackbone, pixels: np.ndarray
) -> None:
    plain = PromptedBackbone(backbone, drawn(1, 0, 48))
    assert torch.equal(plain.encode_image(pixels), backbone.encode_image(pixels))
    assert plain.encode_image(pixels[:0]).shape == (0, 24)


def test_a_prompted_backbone_is_a_backbone_with_a_key_of_its_own(
    backbone: ClipBackbone, pixels: np.ndarray
) -> None:
    one, same, other = (PromptedBackbone(backbone, drawn(1, 2, 48, seed)) for seed in (0, 0, 1))
    assert isinstance(one, Backbone)
    assert one.image_key == same.image_key
    assert len({one.image_key, other.image_key, backbone.image_key}) == 3
    assert (one.fingerprint, one.embed_dim) == (backbone.fingerprint, backbone.embed_dim)
    assert not torch.allclose(one.encode_image(pixels), other.encode_image(pixels), atol=1e-3)
    embeds = one.encode_image(pixels)
    torch.testing.assert_close(embeds.norm(dim=1), torch.ones(5))
    assert not embeds.requires_grad


def test_a_tower_that_takes_no_tokens_says_what_to_do(backbone: ClipBackbone) -> None:
    with pytest.raises(BackboneError, match=r"takes no prompt tokens.*--prompt textual"):
        prompt_tower(PromptedBackbone(backbone, drawn(1, 1, 48)))


def test_bfloat16_gradients_stay_close(tiny_clip: Path, pixels: np.ndarray) -> None:
    prompts, weights = drawn(1, 4, 48), drawn(1, 5, 24, seed=3)[0]
    found = []
    for precision in ("float32", "bfloat16"):
        tower = prompt_tower(ClipBackbone("tiny", tiny_clip, precision=precision))  # type: ignore[arg-type]
        values = prompts.clone().requires_grad_()
        (tower.encode(torch.from_numpy(pixels), values) * weights).sum().backward()
        found.append(values.grad.flatten())  # type: ignore[union-attr]
    assert F.cosine_similarity(found[0], found[1], dim=0) > 0.99
