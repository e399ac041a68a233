"""Precomputed embeddings in the place of a model: they have banks and classes, but can encode no image or text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NoReturn

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from PIL import Image
from safetensors.torch import load, save
from torch import Tensor

from clipgrip.backbone.device import Precision
from clipgrip.backbone.image_tower import ImageTower
from clipgrip.backbone.names import EMBEDDINGS
from clipgrip.data.classes import canonical
from clipgrip.errors import BackboneError, PromptError, nearest
from clipgrip.prompts.towers import Tails
from clipgrip.sentences import mark, shortlist
from clipgrip.types import ClassEmbeds, ImageEmbeds

FACTS = "facts"
"""Name of the tensor whose bytes are the JSON of everything that is no tensor."""
NO_PICTURES = mark(
    "the run learned from a file of embeddings, and no model that sees pictures belongs to it. Embed the new images by "
    "the same model as before, and give the file of their embeddings."
)
NO_TEXT = mark(
    '"{text}" has no embedding: the run learned from a file of embeddings, and no model that reads texts belongs to '
    "it. Known are: {known}.{nearest} Write its embedding into class_embeds and run again."
)


class PrecomputedEye:
    """An eye whose embeddings stand in a file; asked to see an image, it raises a BackboneError."""

    fingerprint: Any

    @property
    def image_key(self) -> str:
        """As `Eye.image_key`; no cache holds such embeddings."""
        return f"{EMBEDDINGS}-{self.fingerprint[:32]}"

    def preprocess(self, image: Image.Image) -> UInt8[np.ndarray, "H W 3"]:
        """Refused: no picture can be seen."""
        _refuse(image)

    def encode_image(self, pixels: UInt8[np.ndarray, "B H W 3"]) -> ImageEmbeds:
        """Refused: no picture can be seen."""
        _refuse(pixels)


@dataclass(frozen=True)
class PrecomputedBank(PrecomputedEye):
    """The embeddings of one encoder in a file: a bank."""

    name: str
    embed_dim: int
    precision: Precision = "float32"

    @property
    def fingerprint(self) -> str:
        """SHA-256 of its name and width; nothing else is known of the encoder."""
        text = json.dumps([EMBEDDINGS, self.name, self.embed_dim])
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass
class PrecomputedTexts:
    """A text tower that knows only the texts with precomputed embeddings; without any, all texts get zeros."""

    vectors: dict[str, Tensor] = field(repr=False)
    width: int
    token_width: int = 1
    max_tokens: int = 0
    start_tokens: int = 0

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids that only differ where texts differ; no tower reads them."""
        return [list(canonical(text).encode()) for text in texts]

    def embed_tokens(self, ids: Sequence[int]) -> Float[Tensor, "L E"]:
        """Refused: there are no tokens."""
        _refuse(ids)

    def encode(self, prefix: Float[Tensor, "P E"], tails: Tails) -> ClassEmbeds:
        """Refused: there are no tokens."""
        _refuse(prefix, tails)

    def encode_texts(self, texts: Sequence[str]) -> ClassEmbeds:
        """(C, D) of known texts; PromptError for others."""
        if not self.vectors:
            return torch.zeros(len(texts), self.width)
        for text in texts:
            if canonical(text) not in self.vectors:
                known = list(self.vectors)
                raise PromptError(
                    NO_TEXT, text=text, known=shortlist(known, 20), nearest=nearest(text, known)
                )
        return torch.stack([self.vectors[canonical(text)] for text in texts])


@dataclass(frozen=True)
class PrecomputedModel(PrecomputedEye):
    """What stands in the place of a model in a run on precomputed embeddings."""

    banks: tuple[PrecomputedBank, ...]
    """The first one shares its space with the class embeddings."""
    texts: tuple[str, ...]
    """The texts of ``class_embeds`` in its order; empty where labels alone define the classes."""
    class_embeds: ClassEmbeds | None = field(default=None, repr=False)
    """(C, D) unit vectors."""
    logit_scale: float = 100.0
    name: str = EMBEDDINGS
    precision: Precision = "float32"
    revision: str | None = None
    image_prompts: ImageTower | None = None

    @property
    def embed_dim(self) -> int:
        """D of the first bank."""
        return self.banks[0].embed_dim

    @property
    def eyes(self) -> tuple[PrecomputedBank, ...]:
        """The other banks, which are used like eyes beside a model."""
        return self.banks[1:]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of `pack`."""
        return hashlib.sha256(self.pack()).hexdigest()

    @cached_property
    def text(self) -> PrecomputedTexts:
        """The text tower."""
        rows = () if self.class_embeds is None else self.class_embeds
        pairs = zip(map(canonical, self.texts), rows, strict=self.class_embeds is not None)
        return PrecomputedTexts(dict(pairs), self.embed_dim)

    def pack(self) -> bytes:
        """The content as bytes; equal values give equal bytes."""
        facts = {
            "banks": [[one.name, one.embed_dim] for one in self.banks],
            "texts": list(self.texts),
            "logit_scale": self.logit_scale,
        }
        text = json.dumps(facts, sort_keys=True).encode()
        tensors = {FACTS: torch.frombuffer(bytearray(text), dtype=torch.uint8)}
        if self.class_embeds is not None:
            tensors["class_embeds"] = self.class_embeds.contiguous()
        return save(tensors)

    @classmethod
    def unpack(cls, content: bytes) -> PrecomputedModel:
        """The inverse of `pack`."""
        tensors = load(content)
        facts = json.loads(bytes(tensors.pop(FACTS).tolist()))
        banks = tuple(PrecomputedBank(name, width) for name, width in facts["banks"])
        return cls(banks, tuple(facts["texts"]), tensors.get("class_embeds"), facts["logit_scale"])


def unit(vectors: np.ndarray) -> Tensor:
    """(N, D) rows scaled to length one."""
    return F.normalize(torch.from_numpy(np.ascontiguousarray(vectors)), dim=-1)


def _refuse(*_: object) -> NoReturn:
    raise BackboneError(NO_PICTURES)
