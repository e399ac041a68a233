"""Learned context in front of each class name (CoOp, Zhou et al., IJCV 2022, arXiv 2109.01134)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from clipgrip.errors import ConfigError, PromptError
from clipgrip.prompts.base import Prompt
from clipgrip.prompts.templates import DEFAULT_TEMPLATE, fill
from clipgrip.prompts.towers import Tails, TextTower, TwoTowers
from clipgrip.types import ClassEmbeds, ImageEmbeds, TokenEmbeds

CTX_STD = 0.02


@dataclass(frozen=True)
class TextualPrompt(Prompt):
    """``ctx`` (P, E), shared by all classes, between the start token and the class name.

    Only ``ctx`` is learned. ``start`` are the embeddings of the tokens before it, ``tails`` those after it per class.
    """

    ctx: TokenEmbeds
    text: TextTower = field(repr=False, compare=False)
    start: Tensor = field(repr=False, compare=False)
    tails: Tails = field(repr=False, compare=False)
    logit_scale: float

    @classmethod
    def random(
        cls,
        backbone: TwoTowers,
        class_prompts: Sequence[str],
        *,
        n_ctx: int,
        generator: torch.Generator,
    ) -> TextualPrompt:
        """The paper's initialisation: N(0, 0.02²)."""
        ids = backbone.text.tokenize(list(class_prompts))
        ctx = torch.randn(n_ctx, backbone.text.token_width, generator=generator) * CTX_STD
        device = backbone.text.embed_tokens([ids[0][0]]).device
        first = backbone.text.start_tokens
        return cls._pack(backbone, ctx.to(device), ids[0][:first], [row[first:] for row in ids])

    @classmethod
    def from_template(
        cls,
        backbone: TwoTowers,
        class_prompts: Sequence[str],
        *,
        template: str = DEFAULT_TEMPLATE,
    ) -> TextualPrompt:
        """Start from a template's own words, so that the untuned prompt answers as zero-shot does."""
        words = template.split("{}")[0].strip()
        if not words:
            raise ConfigError(
                'template "{template}" has no words before {{}} to start a prompt from. Write some, '
                'or choose the preset "paper", which needs none.',
                template=template,
            )
        texts = backbone.text.tokenize(fill(template, class_prompts))
        start = backbone.text.tokenize([words])[0][:-1]
        if any(row[: len(start)] != start for row in texts):
            raise ConfigError(
                'template "{template}" runs together with the class names, so its words are not '
                'tokens of their own. Put a space before {{}}, or choose the preset "paper", which '
                "needs none.",
                template=template,
            )
        first = backbone.text.start_tokens
        ctx = backbone.text.embed_tokens(start[first:])
        return cls._pack(backbone, ctx, start[:first], [row[len(start) :] for row in texts])

    @classmethod
    def _pack(
        cls,
        backbone: TwoTowers,
        ctx: Tensor,
        start: Sequence[int],
        tails: Sequence[Sequence[int]],
    ) -> TextualPrompt:
        text = backbone.text
        _check_room(text, len(ctx), max(len(tail) for tail in tails))
        packed = Tails(
            text.embed_tokens([token for tail in tails for token in tail]),
            tuple(len(tail) for tail in tails),
        )
        return cls(ctx, text, text.embed_tokens(start), packed, backbone.logit_scale)

    def class_embeds(self) -> ClassEmbeds:
        """(C, D) unit vectors, differentiable in ``ctx``."""
        return self.text.encode(torch.cat([self.start, self.ctx]), self.tails)

    def image_embeds(self, inputs: ImageEmbeds) -> ImageEmbeds:
        """(N, D) the inputs, on the model's device: a textual prompt does not change images."""
        return inputs.to(self.ctx.device)

    def learned(self) -> dict[str, Tensor]:
        return {"ctx": self.ctx}

    def with_learned(self, learned: dict[str, Tensor]) -> TextualPrompt:
        if set(learned) != {"ctx"} or learned["ctx"].shape[1:] != self.ctx.shape[1:]:
            shapes = {name: tuple(value.shape) for name, value in learned.items()}
            raise PromptError(
                "this checkpoint holds {shapes}, a textual prompt on this model needs ctx of shape "
                "(n_ctx, {shape}). Was it tuned on another model?",
                shapes=shapes,
                shape=self.ctx.shape[1],
            )
        _check_room(self.text, len(learned["ctx"]), max(self.tails.lengths))
        return replace(self, ctx=learned["ctx"])


def _check_room(text: TextTower, n_ctx: int, longest: int) -> None:
    """PromptError unless start, context and the longest tail fit into the model's positions."""
    if text.start_tokens + n_ctx + longest > text.max_tokens:
        raise PromptError(
            "the longest class prompt takes {longest} tokens and the context {n_ctx}, but the "
            "model has {max_tokens} positions, {start_tokens} of them for the start. Shorten the "
            "prompt text of the class.",
            longest=longest,
            n_ctx=n_ctx,
            max_tokens=text.max_tokens,
            start_tokens=text.start_tokens,
        )
