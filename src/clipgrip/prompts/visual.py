"""Learned tokens among the patches of an image (VPT, Jia et al., ECCV 2022, arXiv 2203.12119)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from clipgrip.prompts.base import Prompt
from clipgrip.prompts.classifier import zero_shot
from clipgrip.prompts.templates import DEFAULT_TEMPLATE, Template
from clipgrip.prompts.towers import PromptTower, TwoTowers, prompt_tower
from clipgrip.types import ClassEmbeds, ImageEmbeds

FirstTokens = Callable[..., Float[Tensor, "K P E"]]
"""`class_tokens` or `random_tokens`."""


@dataclass(frozen=True)
class VisualPrompt(Prompt):
    """``tokens`` (K, P, E) for the first K layers of the image tower; the text side is zero-shot's and fixed.

    K = 1 is the paper's shallow prompt, K = the tower's depth its deep one.
    """

    tokens: Float[Tensor, "K P E"]
    image: PromptTower = field(repr=False, compare=False)
    text: ClassEmbeds = field(repr=False, compare=False)
    logit_scale: float

    consumes: ClassVar[Literal["pixels"]] = "pixels"

    @classmethod
    def of(
        cls,
        backbone: TwoTowers,
        class_prompts: Sequence[str],
        tokens_of: FirstTokens,
        *,
        n_tokens: int,
        generator: torch.Generator,
        deep: bool = False,
        template: Template = DEFAULT_TEMPLATE,
    ) -> VisualPrompt:
        """Start from `class_tokens`, or from the paper's `random_tokens`.

        The tower has learned its class token, so a prompt of its copies answers nearly as zero-shot does before it is
        tuned. BackboneError: the model's image tower takes no prompt tokens.
        """
        image = prompt_tower(backbone)
        tokens = tokens_of(image, n_tokens, generator, layers=image.depth if deep else 1)
        return cls(
            tokens, image, zero_shot(backbone, class_prompts, template), backbone.logit_scale
        )

    def class_embeds(self) -> ClassEmbeds:
        """(C, D) of zero-shot."""
        return self.text

    def image_embeds(self, inputs: UInt8[Tensor, "B H W 3"]) -> ImageEmbeds:
        """(B, D) of preprocessed pixels, differentiable in ``tokens``."""
        return self.image.encode(inputs, self.tokens)

    def image_tokens(self) -> Float[Tensor, "K P E"]:
        """The learned ones."""
        return self.tokens

    def learned(self) -> dict[str, Tensor]:
        return {"tokens": self.tokens}

    def with_learned(self, learned: dict[str, Tensor]) -> VisualPrompt:
        self.check_fit("visual", learned)
        return replace(self, tokens=learned["tokens"].to(self.image.device))


def random_tokens(
    image: PromptTower, n_tokens: int, generator: torch.Generator, *, layers: int = 1
) -> Float[Tensor, "K P E"]:
    """(K, P, E) from N(0, 1/E), on the tower's device."""
    drawn = torch.randn(layers, n_tokens, image.width, generator=generator)
    return (drawn * image.width**-0.5).to(image.device)


def class_tokens(
    image: PromptTower, n_tokens: int, generator: torch.Generator, *, layers: int = 1
) -> Float[Tensor, "K P E"]:
    """(K, P, E) copies of the class token, plus noise of a tenth of its standard deviation."""
    noise = torch.randn(layers, n_tokens, image.width, generator=generator).to(image.device)
    return image.class_token + 0.1 * image.class_token.std() * noise
