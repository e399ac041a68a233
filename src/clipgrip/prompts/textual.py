"""Learned context in front of each class name (CoOp, Zhou et al., IJCV 2022, arXiv 2109.01134)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from clipgrip.backbone.base import Tails, TextTower
from clipgrip.errors import PromptError
from clipgrip.prompts.templates import fill
from clipgrip.types import ClassEmbeds, TokenEmbeds

CTX_STD = 0.02


@dataclass(frozen=True)
class TextualPrompt:
    """``ctx`` (P, E), shared by all classes, at positions 1 to P between start token and class name.

    The only learned values are ``ctx``; what follows the context is fixed.
    """

    ctx: TokenEmbeds
    text: TextTower = field(repr=False, compare=False)
    start: Tensor = field(repr=False, compare=False)
    tails: Tails = field(repr=False, compare=False)

    consumes = "embeds"

    @classmethod
    def random(
        cls, text: TextTower, class_prompts: Sequence[str], *, n_ctx: int, generator: torch.Generator
    ) -> TextualPrompt:
        """The paper's start: N(0, 0.02²)."""
        ctx = torch.randn(n_ctx, text.token_width, generator=generator) * CTX_STD
        return cls._with(text, class_prompts, ctx)

    @classmethod
    def from_template(
        cls, text: TextTower, class_prompts: Sequence[str], *, template: str
    ) -> TextualPrompt:
        """Start from a template's own tokens, so that the untuned prompt answers as zero-shot does."""
        ids = text.tokenize(fill(template, class_prompts))
        shared = len(text.tokenize([template.split("{}")[0].rstrip() or "a"])[0]) - 1
        if any(row[:shared] != ids[0][:shared] for row in ids):
            raise PromptError(f'the words before {{}} in "{template}" do not tokenize alike.')
        tails = [row[shared:] for row in ids]
        return cls._pack(text, text.embed_tokens(ids[0][1:shared]), ids[0][0], tails)

    @classmethod
    def _with(cls, text: TextTower, class_prompts: Sequence[str], ctx: Tensor) -> TextualPrompt:
        ids = text.tokenize(list(class_prompts))
        return cls._pack(text, ctx, ids[0][0], [row[1:] for row in ids])

    @classmethod
    def _pack(
        cls, text: TextTower, ctx: Tensor, start: int, tails: Sequence[Sequence[int]]
    ) -> TextualPrompt:
        longest = max(len(tail) for tail in tails)
        if 1 + len(ctx) + longest > text.max_tokens:
            raise PromptError(
                f"the longest class prompt takes {longest} tokens and the context {len(ctx)}, but the model has "
                f"{text.max_tokens} positions (one of them the start token). Shorten the prompt text of the class, "
                "or lower n_ctx."
            )
        packed = Tails(
            text.embed_tokens([token for tail in tails for token in tail]),
            tuple(len(tail) for tail in tails),
        )
        return cls(ctx, text, text.embed_tokens([start]), packed)

    def class_embeds(self) -> ClassEmbeds:
        """(C, D) unit vectors, differentiable in ``ctx``."""
        return self.text.encode(torch.cat([self.start, self.ctx]), self.tails)

    def learned(self) -> dict[str, Tensor]:
        """What a checkpoint holds."""
        return {"ctx": self.ctx}

    def with_learned(self, learned: dict[str, Tensor]) -> TextualPrompt:
        """The same prompt with other learned values; PromptError where names or shapes differ."""
        if set(learned) != {"ctx"} or learned["ctx"].shape[1:] != self.ctx.shape[1:]:
            shapes = {name: tuple(value.shape) for name, value in learned.items()}
            raise PromptError(
                f"this checkpoint holds {shapes}, a textual prompt on this model needs "
                f"ctx of shape (n_ctx, {self.ctx.shape[1]}). Was it tuned on another model?"
            )
        return replace(self, ctx=learned["ctx"])
