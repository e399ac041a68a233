"""Towers computed by transformers' own modules, for models whose architecture has no faster code here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from clipgrip.backbone.text import token_ids
from clipgrip.errors import BackboneError, PromptError
from clipgrip.prompts.towers import Tails
from clipgrip.sentences import mark
from clipgrip.types import ClassEmbeds, ImageEmbeds
from clipgrip_line.preprocess import Preprocess

TEXTS_AT_ONCE = 64
"""Texts without gradient go through the tower in such batches, which bounds the memory."""


class TextModules(NamedTuple):
    """The parts of a text tower that differ between models."""

    tokens: nn.Embedding
    features: Callable[[Float[Tensor, "C L E"], Int[Tensor, "C L"]], Float[Tensor, "C D"]]
    """From token embeddings without positions, and a mask that is 1 where a text has tokens."""


@dataclass(frozen=True)
class TextRules:
    """How a model expects its texts."""

    max_tokens: int
    pad_to: int | None = None
    """Pad every text to this length, with padding that attention sees, as in training (SigLIP)."""
    clean: Callable[[str], str] = str
    """Applied to a text before it is tokenized."""


class HfTextTower:
    """A text tower that is not causal: every text runs whole.

    Unlike `text.ClipText` it cannot share a prefix, as every token attends to every other one.
    """

    def __init__(self, modules: TextModules, tokenizer: Any, rules: TextRules) -> None:
        self._modules, self._tokenizer, self._rules = modules, tokenizer, rules
        self.max_tokens = rules.max_tokens
        self.token_width = modules.tokens.embedding_dim
        if tokenizer.sep_token_id is None and tokenizer.eos_token_id is None:
            raise BackboneError(
                mark(
                    "the model's tokenizer has no end token. Its files are damaged: copy the model again."
                )
            )
        self.start_tokens = len(self.tokenize([""])[0]) - 1

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids, the end token last, unpadded; PromptError where a text is too long."""
        if not texts:
            return []
        cleaned = [self._rules.clean(text) for text in texts]
        rows = token_ids(self._tokenizer, cleaned, self._modules.tokens)
        ends = {self._tokenizer.sep_token_id, self._tokenizer.eos_token_id} - {None}
        # the models were trained with an end token; some tokenizers leave it to the caller
        rows = [row if row and row[-1] in ends else [*row, max(ends)] for row in rows]
        for text, row in zip(texts, rows, strict=True):
            if len(row) > self.max_tokens:
                raise PromptError(
                    '"{text}" takes {tokens} tokens, the model has {max_tokens} positions. Shorten the '
                    "prompt text of this class.",
                    text=text,
                    tokens=len(row),
                    max_tokens=self.max_tokens,
                )
        return rows

    def embed_tokens(self, ids: Sequence[int]) -> Float[Tensor, "L E"]:
        """Token embeddings without positions."""
        device = self._modules.tokens.weight.device
        return self._modules.tokens(torch.as_tensor(ids, dtype=torch.long, device=device)).detach()

    def encode_texts(self, texts: Sequence[str]) -> ClassEmbeds:
        """(C, D) unit vectors, without gradient."""
        parts, nothing = [], self.embed_tokens([])
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            ids = self.tokenize(texts[start : start + TEXTS_AT_ONCE])
            packed = self.embed_tokens([token for row in ids for token in row])
            with torch.no_grad():
                parts.append(self.encode(nothing, Tails(packed, tuple(map(len, ids)))))
        return torch.cat(parts)

    def encode(self, prefix: Float[Tensor, "P E"], tails: Tails) -> ClassEmbeds:
        """(C, D) unit vectors of ``prefix + tail``, differentiable in both."""
        tails.check_length(len(prefix), self.max_tokens)
        rows = [torch.cat([prefix, tail]) for tail in tails.embeds.split(tails.lengths)]
        mask = pad_sequence([rows[0].new_ones(len(row)).long() for row in rows], batch_first=True)
        if self._rules.pad_to is not None:
            rows = [self._pad(row, self._rules.pad_to) for row in rows]
        features = self._modules.features(pad_sequence(rows, batch_first=True), mask)
        return F.normalize(features, dim=-1)

    def _pad(self, row: Float[Tensor, "L E"], length: int) -> Float[Tensor, "M E"]:
        padding = self.embed_tokens([self._tokenizer.pad_token_id or 0])
        return torch.cat([row, padding.expand(length - len(row), -1)])


class HfImageTower:
    """An image tower: uint8 pixels in, unit vectors out; bfloat16 only under autocast."""

    def __init__(
        self,
        features: Callable[[Tensor], Tensor],
        preprocess: Preprocess,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        """``features`` gives (B, D) from normalised pixels (B, 3, H, W)."""
        self._model, self._device, self._dtype = features, device, dtype
        mean, std = (
            torch.tensor(values, device=device).view(3, 1, 1)
            for values in (preprocess.mean, preprocess.std)
        )
        self._factor, self._shift = preprocess.scale / std, mean / std
        self.embed_dim = self._width(preprocess.output_size)

    def __call__(self, pixels: UInt8[Tensor, "B H W 3"]) -> ImageEmbeds:
        """Unit vectors in float32 on the tower's device, usable in autograd."""
        if not len(pixels):
            return torch.zeros(0, self.embed_dim, device=self._device)
        with torch.inference_mode():
            embeds = F.normalize(self.features(pixels).float(), dim=-1)
        return embeds.clone()

    def features(self, pixels: UInt8[Tensor, "B H W 3"]) -> Float[Tensor, "B D"]:
        """The features before normalisation."""
        values = pixels.to(self._device).permute(0, 3, 1, 2) * self._factor - self._shift
        half = self._dtype == torch.bfloat16
        with torch.autocast(self._device.type, torch.bfloat16, enabled=half):
            return self._model(values)

    def _width(self, size: tuple[int, int]) -> int:
        """D, found by encoding a black image, so that an unusable tower is refused when it is loaded."""
        try:
            with torch.inference_mode():
                features = self.features(torch.zeros(1, *size, 3, dtype=torch.uint8))
        except (ValueError, RuntimeError, AttributeError, TypeError) as error:
            raise BackboneError(
                "the model's image tower does not take what its preprocessor makes ({height} x "
                "{width} pixels): {error} The files belong to two models, or the tower gives no "
                "single vector.",
                height=size[0],
                width=size[1],
                error=error,
            ) from error
        if features.ndim != 2:
            raise BackboneError(
                mark("the model's image tower gives no single vector for an image.")
            )
        return int(features.shape[1])
