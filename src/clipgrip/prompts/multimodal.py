"""A text prompt and an image prompt, mixed by one transformer block (UPT, Zang et al., 2022, arXiv 2210.07225)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from clipgrip.prompts.base import Prompt
from clipgrip.prompts.textual import CTX_STD, TextualPrompt
from clipgrip.prompts.towers import PromptTower, TwoTowers, prompt_tower
from clipgrip.prompts.visual import random_tokens
from clipgrip.types import ClassEmbeds, ImageEmbeds, TokenEmbeds

WIDTH, HEADS, MLP_RATIO = 128, 8, 4
"""The mixing block: 128 wide as in the paper, heads of 16."""
PARTS = ("weight", "bias")


class Mixed(NamedTuple):
    """The output of the mixing block, per tower."""

    ctx: TokenEmbeds
    """(P, E) of the text tower."""
    tokens: Float[Tensor, "1 P E"]
    """Of the image tower."""


@dataclass(frozen=True)
class MultimodalPrompt(Prompt):
    """Text and image vectors, projected to width 128, mixed by one block as one sequence, and projected back.

    ``words`` (P, E) and ``anchor`` (E,) are added to the outputs: a template's words and the image tower's class token,
    or zeros as in the paper.
    """

    values: dict[str, Tensor] = field(repr=False)
    words: TokenEmbeds = field(repr=False, compare=False)
    anchor: Tensor = field(repr=False, compare=False)
    textual: TextualPrompt = field(repr=False, compare=False)
    image: PromptTower = field(repr=False, compare=False)
    logit_scale: float

    consumes: ClassVar[Literal["pixels"]] = "pixels"

    @classmethod
    def random(
        cls,
        backbone: TwoTowers,
        class_prompts: Sequence[str],
        *,
        n_ctx: int,
        n_tokens: int,
        generator: torch.Generator,
    ) -> MultimodalPrompt:
        """The paper's initialisation: vectors N(0, 0.02²) and N(0, 1/E), the mixing block as in torch's layers."""
        textual = TextualPrompt.random(
            backbone, class_prompts, n_ctx=n_ctx, generator=torch.Generator().manual_seed(0)
        )
        image = prompt_tower(backbone)
        words, anchor = torch.zeros_like(textual.ctx), torch.zeros_like(image.class_token)
        values = _first_values(words, image, n_tokens, generator)
        return cls(values, words, anchor, textual, image, backbone.logit_scale)

    @classmethod
    def from_template(
        cls,
        backbone: TwoTowers,
        class_prompts: Sequence[str],
        *,
        template: str,
        n_tokens: int,
        generator: torch.Generator,
    ) -> MultimodalPrompt:
        """Start near zero-shot: the outputs are added to a template's words and to the class token.

        The two projections after the block start at a tenth of the paper's size.
        """
        textual = TextualPrompt.from_template(backbone, class_prompts, template=template)
        image = prompt_tower(backbone)
        values = _first_values(textual.ctx, image, n_tokens, generator)
        for name in ("text_out", "image_out"):
            values |= {f"{name}.{part}": 0.1 * values[f"{name}.{part}"] for part in PARTS}
        return cls(values, textual.ctx, image.class_token, textual, image, backbone.logit_scale)

    def mixed(self) -> Mixed:
        """Both prompts after the block; every output vector depends on every learned one."""
        v, n_ctx = self.values, len(self.words)
        joined = torch.cat(
            [
                F.linear(v["text"], v["text_in.weight"], v["text_in.bias"]),
                F.linear(v["image"], v["image_in.weight"], v["image_in.bias"]),
            ]
        )
        hidden = _block(v, joined)
        ctx = F.linear(hidden[:n_ctx], v["text_out.weight"], v["text_out.bias"])
        tokens = F.linear(hidden[n_ctx:], v["image_out.weight"], v["image_out.bias"])
        return Mixed(self.words + ctx, (self.anchor + tokens)[None])

    def class_embeds(self) -> ClassEmbeds:
        """(C, D) unit vectors, differentiable in all learned values."""
        return replace(self.textual, ctx=self.mixed().ctx).class_embeds()

    def image_embeds(self, inputs: UInt8[Tensor, "B H W 3"]) -> ImageEmbeds:
        """(B, D) of preprocessed pixels, differentiable in all learned values."""
        return self.image.encode(inputs, self.mixed().tokens)

    def image_tokens(self) -> Float[Tensor, "K P E"]:
        """(1, P, E) the image side's."""
        with torch.no_grad():
            return self.mixed().tokens

    def learned(self) -> dict[str, Tensor]:
        """The vectors of both sides and the block between them."""
        return dict(self.values)

    def with_learned(self, learned: dict[str, Tensor]) -> MultimodalPrompt:
        self.check_fit("multimodal", learned)
        device = self.image.device
        return replace(self, values={name: value.to(device) for name, value in learned.items()})


def _block(v: dict[str, Tensor], hidden: Float[Tensor, "M 128"]) -> Float[Tensor, "M 128"]:
    """One transformer block with layer norms before attention and MLP (pre-norm)."""
    query, key, value = (
        part.unflatten(1, (HEADS, -1)).transpose(0, 1)
        for part in F.linear(_norm(v, "norm1", hidden), v["qkv.weight"], v["qkv.bias"]).chunk(
            3, dim=1
        )
    )
    attended = F.scaled_dot_product_attention(query, key, value).transpose(0, 1).flatten(1)
    hidden = hidden + F.linear(attended, v["attention_out.weight"], v["attention_out.bias"])
    inner = F.gelu(F.linear(_norm(v, "norm2", hidden), v["up.weight"], v["up.bias"]))
    return hidden + F.linear(inner, v["down.weight"], v["down.bias"])


def _norm(v: dict[str, Tensor], name: str, hidden: Tensor) -> Tensor:
    return F.layer_norm(hidden, (WIDTH,), v[f"{name}.weight"], v[f"{name}.bias"])


def _first_values(
    words: TokenEmbeds, image: PromptTower, n_tokens: int, generator: torch.Generator
) -> dict[str, Tensor]:
    """All learned values at the start; linear layers U(-1/√in, 1/√in) as in torch.nn.Linear, layer norms 1 and 0."""
    n_ctx, text = words.shape
    layers = {
        "text_in": (text, WIDTH), "image_in": (image.width, WIDTH), "qkv": (WIDTH, 3 * WIDTH),
        "attention_out": (WIDTH, WIDTH), "up": (WIDTH, MLP_RATIO * WIDTH), "down": (MLP_RATIO * WIDTH, WIDTH),
        "text_out": (WIDTH, text), "image_out": (WIDTH, image.width),
    }  # fmt: skip
    values = {
        "text": torch.randn(n_ctx, text, generator=generator) * CTX_STD,
        "image": random_tokens(image, n_tokens, generator)[0].cpu(),
    }
    for name, (before, after) in layers.items():
        bound = before**-0.5
        for part, shape in zip(PARTS, ((after, before), (after,)), strict=True):
            drawn = torch.rand(*shape, generator=generator)
            values[f"{name}.{part}"] = (2 * drawn - 1) * bound
    for name in ("norm1", "norm2"):
        values |= {f"{name}.weight": torch.ones(WIDTH), f"{name}.bias": torch.zeros(WIDTH)}
    return {name: value.to(image.device) for name, value in values.items()}
