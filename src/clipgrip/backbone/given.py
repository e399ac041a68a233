"""Embeddings that somebody brought: a model that sees no picture and reads no text, but knows the banks and classes."""

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
"""All that is no tensor, as JSON among the tensors of a file."""
NO_PICTURES = mark(
    "the run learned from a file of embeddings, and no model that sees pictures belongs to it. Embed the new images by "
    "the same model as before, and give the file of their embeddings."
)
NO_TEXT = mark(
    '"{text}" has no embedding: the run learned from a file of embeddings, and no model that reads texts belongs to '
    "it. Known are: {known}.{nearest} Write its embedding into class_embeds and run again."
)


class Unseeing:
    """What has the place of an eye and sees nothing: its embeddings stand in a file."""

    fingerprint: Any

    @property
    def image_key(self) -> str:
        """As of any eye; no cache holds such embeddings."""
        return f"{EMBEDDINGS}-{self.fingerprint[:32]}"

    def preprocess(self, image: Image.Image) -> UInt8[np.ndarray, "H W 3"]:
        """Refused: no picture can be seen."""
        _refused(image)

    def encode_image(self, pixels: UInt8[np.ndarray, "B H W 3"]) -> ImageEmbeds:
        """Refused: no picture can be seen."""
        _refused(pixels)


@dataclass(frozen=True)
class GivenBank(Unseeing):
    """One encoder's embeddings, which stand in a file: an eye that only the rows of such files are seen by."""

    name: str
    embed_dim: int
    precision: Precision = "float32"

    @property
    def fingerprint(self) -> str:
        """SHA-256 of its name and width, which is all that is known of it."""
        text = json.dumps([EMBEDDINGS, self.name, self.embed_dim])
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass
class GivenTexts:
    """The texts whose embeddings (C, D) were brought; any text where none was, as a vector that says nothing."""

    vectors: dict[str, Tensor] = field(repr=False)
    width: int
    token_width: int = 1
    max_tokens: int = 0
    start_tokens: int = 0

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Different numbers for different texts; nothing reads them."""
        return [list(canonical(text).encode()) for text in texts]

    def embed_tokens(self, ids: Sequence[int]) -> Float[Tensor, "L E"]:
        """Refused: there are no tokens."""
        _refused(ids)

    def encode(self, prefix: Float[Tensor, "P E"], tails: Tails) -> ClassEmbeds:
        """Refused: there are no tokens."""
        _refused(prefix, tails)

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
class GivenModel(Unseeing):
    """What a run on embeddings has in the place of a model. The text's bank is the first."""

    banks: tuple[GivenBank, ...]
    texts: tuple[str, ...]
    """What is embedded as ``class_embeds``, in its order; nothing where labels alone say what the classes are."""
    class_embeds: ClassEmbeds | None = field(default=None, repr=False)
    """(C, D) unit vectors."""
    logit_scale: float = 100.0
    name: str = EMBEDDINGS
    precision: Precision = "float32"
    revision: str | None = None
    image_prompts: ImageTower | None = None

    @property
    def embed_dim(self) -> int:
        """D of the text's bank."""
        return self.banks[0].embed_dim

    @property
    def eyes(self) -> tuple[GivenBank, ...]:
        """The banks that no text reads."""
        return self.banks[1:]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all that it is."""
        return hashlib.sha256(self.pack()).hexdigest()

    @cached_property
    def text(self) -> GivenTexts:
        """The texts that are known."""
        rows = () if self.class_embeds is None else self.class_embeds
        pairs = zip(map(canonical, self.texts), rows, strict=self.class_embeds is not None)
        return GivenTexts(dict(pairs), self.embed_dim)

    def pack(self) -> bytes:
        """All that it is, for a file; equal values give equal bytes."""
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
    def unpack(cls, content: bytes) -> GivenModel:
        """What `pack` gave."""
        tensors = load(content)
        facts = json.loads(bytes(tensors.pop(FACTS).tolist()))
        banks = tuple(GivenBank(name, width) for name, width in facts["banks"])
        return cls(banks, tuple(facts["texts"]), tensors.get("class_embeds"), facts["logit_scale"])


def unit(vectors: np.ndarray) -> Tensor:
    """(N, D) unit vectors of rows of any length."""
    return F.normalize(torch.from_numpy(np.ascontiguousarray(vectors)), dim=-1)


def _refused(*_: object) -> NoReturn:
    raise BackboneError(NO_PICTURES)
