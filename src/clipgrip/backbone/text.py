"""CLIP's causal text tower, evaluated without a wasted token.

The tower is causal, so two things are exact and not approximations:
no token after the end token can change the feature at the end token, so each text stops there; and
the start that all texts share sees nothing of what follows, so it runs once, and every text uses its keys and values.
All tokens of all texts lie packed in one matrix ``[prefix; tail 1; tail 2; ...]``, unpadded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clipgrip.errors import BackboneError, PromptError
from clipgrip.prompts.towers import Tails
from clipgrip.types import ClassEmbeds


class Layer(NamedTuple):
    """One transformer block, its query, key and value projections joined to one matrix."""

    norm1: nn.LayerNorm
    qkv_weight: Tensor
    qkv_bias: Tensor
    out: nn.Linear
    norm2: nn.LayerNorm
    mlp: nn.Module
    heads: int

    @classmethod
    def join(cls, block: Any) -> Layer:
        """Take a block of transformers' CLIP encoder."""
        attention = block.self_attn
        projections = (attention.q_proj, attention.k_proj, attention.v_proj)
        return cls(
            norm1=block.layer_norm1,
            qkv_weight=torch.cat([p.weight.detach() for p in projections]),
            qkv_bias=torch.cat([p.bias.detach() for p in projections]),
            out=attention.out_proj,
            norm2=block.layer_norm2,
            mlp=block.mlp,
            heads=attention.num_heads,
        )


@dataclass(frozen=True)
class Packing:
    """Where each text lies in the packed matrix once the texts are sorted by length."""

    prefix: int
    order: Tensor
    positions: Tensor
    groups: tuple[tuple[int, int, int], ...]
    """(first packed tail row, number of texts, their length), one per length."""
    ends: Tensor

    @classmethod
    def of(cls, prefix: int, lengths: Sequence[int]) -> Packing:
        """Group equal lengths; ``order`` gathers the given tail rows into groups."""
        starts = torch.tensor([0, *lengths]).cumsum(0)
        texts = sorted(range(len(lengths)), key=lambda i: (lengths[i], i))
        rows = [torch.arange(int(starts[i]), int(starts[i + 1])) for i in texts]
        places = torch.tensor([lengths[i] for i in texts]).cumsum(0) - 1
        ends = torch.empty(len(lengths), dtype=torch.long)
        ends[torch.tensor(texts)] = places
        tail_positions = [torch.arange(prefix, prefix + lengths[i]) for i in texts]
        return cls(
            prefix=prefix,
            order=torch.cat(rows),
            positions=torch.cat([torch.arange(prefix), *tail_positions]),
            groups=_groups([lengths[i] for i in texts]),
            ends=ends + prefix,
        )

    def to(self, device: torch.device) -> Packing:
        """The same with its tensors on the model's device."""
        return replace(
            self,
            order=self.order.to(device),
            positions=self.positions.to(device),
            ends=self.ends.to(device),
        )


def _groups(lengths: Sequence[int]) -> tuple[tuple[int, int, int], ...]:
    groups, row = [], 0
    for length in sorted(set(lengths)):
        count = lengths.count(length)
        groups.append((row, count, length))
        row += count * length
    return tuple(groups)


def token_ids(tokenizer: Any, texts: Sequence[str], tokens: nn.Embedding) -> list[list[int]]:
    """Token ids, neither padded nor truncated. BackboneError: an id is not in the model's embedding ``tokens``."""
    try:
        rows: list[list[int]] = tokenizer(list(texts), padding=False, truncation=False)["input_ids"]
    except Exception as error:  # the tokenizers package raises bare exceptions
        raise BackboneError(
            "the model's tokenizer reads no text: {error}. Copy the model again.", error=error
        ) from error
    odd = next((i for row in rows for i in row if not 0 <= i < tokens.num_embeddings), None)
    if odd is not None:
        raise BackboneError(
            "the model's tokenizer knows a token of number {odd}, the model has {tokens}. They do not belong "
            "together: copy the model again, with its own tokenizer.json.",
            odd=odd,
            tokens=tokens.num_embeddings,
        )
    return rows


class ClipText:
    """Text side of transformers' CLIP: token embeddings in, unit vectors out."""

    def __init__(self, text_model: Any, projection: nn.Linear, tokenizer: Any) -> None:
        self._tokens: nn.Embedding = text_model.embeddings.token_embedding
        self._positions: nn.Embedding = text_model.embeddings.position_embedding
        self._layers = [Layer.join(block) for block in text_model.encoder.layers]
        self._final_norm: nn.LayerNorm = text_model.final_layer_norm
        self._projection = projection
        self._tokenizer = tokenizer
        self.token_width = self._tokens.embedding_dim
        self.max_tokens = self._positions.num_embeddings
        self.start_tokens = 1
        self._layouts: dict[tuple[int, tuple[int, ...]], Packing] = {}

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids from the start token to the first end token; PromptError where a text is too long."""
        if not texts:
            return []
        end = self._tokenizer.eos_token_id
        rows = token_ids(self._tokenizer, texts, self._tokens)
        if any(end not in row for row in rows):
            raise BackboneError(
                "the model's tokenizer ends no text with its end token ({end}). Its files do not "
                "belong to a CLIP model, or are damaged: copy the model again.",
                end=end,
            )
        rows = [row[: row.index(end) + 1] for row in rows]
        for text, row in zip(texts, rows, strict=True):
            self.check_length(text, len(row))
        return rows

    def check_length(self, text: str, tokens: int) -> None:
        """PromptError where a text takes more ``tokens`` than the model has positions."""
        if tokens > self.max_tokens:
            raise PromptError(
                '"{text}" takes {tokens} tokens with its context, the model has {max_tokens} '
                "positions. Shorten the prompt text of this class.",
                text=text if len(text) <= 200 else f"{text[:200]}...",
                tokens=tokens,
                max_tokens=self.max_tokens,
            )

    def embed_tokens(self, ids: Sequence[int]) -> Tensor:
        """(L, E) token embeddings without positions."""
        return self._tokens(torch.as_tensor(ids, device=self._tokens.weight.device)).detach()

    def encode_texts(self, texts: Sequence[str]) -> ClassEmbeds:
        """(C, D) unit vectors, without gradient; the common start of all texts is the prefix."""
        ids = self.tokenize(texts)
        shared = max(1, min(_common_prefix(ids), min(len(row) for row in ids) - 1))
        tails = Tails(
            self.embed_tokens([token for row in ids for token in row[shared:]]),
            tuple(len(row) - shared for row in ids),
        )
        with torch.no_grad():
            return self.encode(self.embed_tokens(ids[0][:shared]), tails)

    def encode(self, prefix: Tensor, tails: Tails) -> ClassEmbeds:
        """(C, D) unit vectors of ``prefix + tail``, equal to the full tower's in value and gradient."""
        tails.check_length(len(prefix), self.max_tokens)
        layout = self._layout(len(prefix), tails.lengths)
        hidden = torch.cat([prefix, tails.embeds[layout.order]]) + self._positions(layout.positions)
        for layer in self._layers[:-1]:
            hidden = _block(layer, hidden, layout)
        hidden = self._final_norm(_last_block(self._layers[-1], hidden, layout))
        return F.normalize(self._projection(hidden), dim=-1)

    def _layout(self, prefix: int, lengths: tuple[int, ...]) -> Packing:
        key = (prefix, lengths)
        if key not in self._layouts:
            self._layouts = {key: Packing.of(prefix, lengths).to(self._positions.weight.device)}
        return self._layouts[key]


def _common_prefix(rows: Sequence[Sequence[int]]) -> int:
    columns = zip(*rows, strict=False)
    return next((i for i, ids in enumerate(columns) if len(set(ids)) > 1), min(map(len, rows)))


def _block(layer: Layer, hidden: Tensor, layout: Packing) -> Tensor:
    query, key, value = _heads(layer, layer.norm1(hidden))
    mixed = torch.cat(
        [_prefix_attention(query, key, value, layout), _tail_attention(query, key, value, layout)],
        dim=1,
    )
    hidden = hidden + layer.out(_join(mixed))
    return hidden + layer.mlp(layer.norm2(hidden))


def _last_block(layer: Layer, hidden: Tensor, layout: Packing) -> Tensor:
    """The last block, whose queries are the end tokens alone; keys and values come from all tokens."""
    query, key, value = _heads(layer, layer.norm1(hidden))
    mixed = _join(_tail_attention(query, key, value, layout))[layout.ends - layout.prefix]
    hidden = hidden[layout.ends] + layer.out(mixed)
    return hidden + layer.mlp(layer.norm2(hidden))


def _heads(layer: Layer, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values as (heads, tokens, head width); queries are scaled."""
    joined = F.linear(hidden, layer.qkv_weight, layer.qkv_bias)
    tokens, width = hidden.shape
    query, key, value = joined.view(tokens, 3, layer.heads, width // layer.heads).permute(
        1, 2, 0, 3
    )
    return query * query.shape[-1] ** -0.5, key, value


def _join(mixed: Tensor) -> Tensor:
    heads, tokens, width = mixed.shape
    return mixed.transpose(0, 1).reshape(tokens, heads * width)


def _causal(length: int, like: Tensor) -> Tensor:
    return torch.full((length, length), -torch.inf, dtype=like.dtype, device=like.device).triu(1)


def _prefix_attention(query: Tensor, key: Tensor, value: Tensor, layout: Packing) -> Tensor:
    size = layout.prefix
    scores = query[:, :size] @ key[:, :size].transpose(1, 2) + _causal(size, query)
    return scores.softmax(-1) @ value[:, :size]


def _tail_attention(query: Tensor, key: Tensor, value: Tensor, layout: Packing) -> Tensor:
    """Each tail token over the prefix's tokens (one product for all) and over its own text so far."""
    size = layout.prefix
    query, tail_key, tail_value = query[:, size:], key[:, size:], value[:, size:]
    to_prefix = query @ key[:, :size].transpose(1, 2)
    weights, own = [], []
    for row, count, length in layout.groups:
        part = slice(row, row + count * length)
        q, k, v = (x[:, part].unflatten(1, (count, length)) for x in (query, tail_key, tail_value))
        scores = torch.cat(
            [
                to_prefix[:, part].unflatten(1, (count, length)),
                q @ k.transpose(-1, -2) + _causal(length, query),
            ],
            dim=-1,
        ).softmax(-1)
        weights.append(scores[..., :size].flatten(1, 2))
        own.append((scores[..., size:] @ v).flatten(1, 2))
    return torch.cat(weights, dim=1) @ value[:, :size] + torch.cat(own, dim=1)
