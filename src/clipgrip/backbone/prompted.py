"""A backbone with visual prompt tokens in its image tower; code that encodes images needs no other case for it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from operator import attrgetter
from typing import cast

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from clipgrip.backbone.base import Backbone
from clipgrip.backbone.recipe import EyeRecipe, recipe_for
from clipgrip.prompts.base import Prompt
from clipgrip.prompts.towers import prompt_tower
from clipgrip.types import ImageEmbeds


@dataclass(frozen=True)
class PromptedBackbone:
    """``backbone`` with ``tokens`` (K, P, E) in its image tower; embeddings are cached under a key of their own."""

    backbone: Backbone
    tokens: Float[Tensor, "K P E"] = field(repr=False)

    name = property(attrgetter("backbone.name"))
    fingerprint = property(attrgetter("backbone.fingerprint"))
    """The model's own: the prompt does not change its weights."""
    embed_dim = property(attrgetter("backbone.embed_dim"))
    logit_scale = property(attrgetter("backbone.logit_scale"))
    text = property(attrgetter("backbone.text"))
    image_prompts = None
    """None: a second prompt cannot be added."""

    @property
    def image_key(self) -> str:
        """The model's key and the first 16 hex digits of the tokens' SHA-256."""
        values = self.tokens.detach().cpu().contiguous().numpy().tobytes()
        return f"{self.backbone.image_key}-{hashlib.sha256(values).hexdigest()[:16]}"

    def recipe(self) -> EyeRecipe:
        """The model's recipe and the tokens."""
        tokens = self.tokens.detach().cpu().numpy()
        return EyeRecipe(self.image_key, _open_prompted, (recipe_for(self.backbone), tokens))

    def preprocess(self, image: Image.Image) -> UInt8[np.ndarray, "H W 3"]:
        """As `Eye.preprocess`."""
        return self.backbone.preprocess(image)

    def encode_image(self, pixels: UInt8[np.ndarray, "B H W 3"]) -> ImageEmbeds:
        """Unit vectors (B, D), float32, on the backbone's device."""
        tower = prompt_tower(self.backbone)
        with torch.no_grad():
            return tower.encode(torch.from_numpy(np.ascontiguousarray(pixels)), self.tokens)


def _open_prompted(recipe: EyeRecipe, tokens: Float[np.ndarray, "K P E"]) -> PromptedBackbone:
    return PromptedBackbone(cast(Backbone, recipe.eye()), torch.from_numpy(tokens.copy()))


def seen_through(prompt: Prompt, backbone: Backbone) -> Backbone:
    """The backbone as a prompt sees images: itself, or with the prompt's tokens in its image tower."""
    tokens = prompt.image_tokens()
    return backbone if tokens is None else PromptedBackbone(backbone, tokens)
