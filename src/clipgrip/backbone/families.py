"""How the towers of each ``model_type`` are read."""

from __future__ import annotations

import inspect
import string
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import torch
from jaxtyping import UInt8
from torch import Tensor

from clipgrip.backbone.checkpoint import Checkpoint
from clipgrip.backbone.image_tower import ImageTower, VisionShape
from clipgrip.errors import BackboneError
from clipgrip.prompts.towers import TextTower
from clipgrip.types import ImageEmbeds
from clipgrip_line.preprocess import Preprocess

ROBERTA = ("roberta", "xlm-roberta", "camembert", "altclip_text_model")
"""Text towers that number their positions from ``pad_token_id + 1``."""


class ImageSide(Protocol):
    """An image tower, of any implementation."""

    embed_dim: int

    def __call__(self, pixels: UInt8[Tensor, "B H W 3"]) -> ImageEmbeds:
        """Unit vectors in float32, usable in autograd (no inference tensors)."""


@dataclass(frozen=True)
class TowerSource:
    """A checkpoint and the device of its weights."""

    checkpoint: Checkpoint
    device: torch.device

    @cached_property
    def model(self) -> Any:
        """Both towers by transformers' own modules, frozen; read on first use."""
        from clipgrip.backbone.hf_loading import whole_model

        return whole_model(self.checkpoint, self.device)


class Family(NamedTuple):
    """How models of one ``model_type`` are read."""

    image: Callable[[TowerSource, Preprocess, torch.dtype], ImageSide]
    text: Callable[[TowerSource], TextTower]
    processor: str = "CLIPImageProcessor"
    """The image processor, where the checkpoint does not name one."""


def clip_image(source: TowerSource, preprocess: Preprocess, dtype: torch.dtype) -> ImageTower:
    """CLIP's image tower; Chinese-CLIP, AltCLIP and MetaCLIP 2 have the same."""
    tensors = source.checkpoint.tensors("vision_model.", "visual_projection.")
    # transformers writes AltCLIP's blocks under either name
    tensors = {name.replace(".layer.", ".layers."): tensor for name, tensor in tensors.items()}
    shape = VisionShape.from_config(source.checkpoint.config)
    return ImageTower(tensors, shape, preprocess, device=source.device, dtype=dtype)


def hf_image(source: TowerSource, preprocess: Preprocess, dtype: torch.dtype) -> ImageSide:
    """Any other image tower, by transformers' own modules."""
    from clipgrip.backbone.hf_towers import HfImageTower

    def features(pixels: Tensor) -> Tensor:
        return source.model.get_image_features(pixel_values=pixels).pooler_output

    return HfImageTower(features, preprocess, source.device, dtype)


def clip_text(source: TowerSource) -> TextTower:
    """CLIP's causal text tower."""
    from clipgrip.backbone import hf_loading

    return hf_loading.clip_text(source.checkpoint, source.device)


def first_token_text(source: TowerSource) -> TextTower:
    """A BERT or RoBERTa beside CLIP's image tower; its first token is projected."""
    from clipgrip.backbone.hf_loading import whole_model

    # not source.model, which would keep an unused image tower in memory
    model = whole_model(source.checkpoint, source.device)
    return _bert(source, model, lambda found: found.last_hidden_state[:, 0])


def pooled_text(source: TowerSource) -> TextTower:
    """A text tower with a pooler, as in dual encoders. BackboneError: no prompt can be tuned on it."""
    tower = source.model.text_model
    takes = inspect.signature(tower.forward).parameters
    if "inputs_embeds" not in takes or getattr(tower, "pooler", None) is None:
        raise BackboneError(
            'the model\'s text tower is of the kind "{model_type}", which takes no token '
            "embeddings or gives no pooled vector, so no prompt can be tuned on it. Choose a "
            "model with a BERT or a RoBERTa.",
            model_type=tower.config.model_type,
        )
    return _bert(source, source.model, lambda found: found.pooler_output)


def siglip_text(source: TowerSource) -> TextTower:
    """SigLIP's text tower: not causal; texts are padded to all positions, and the last one is read.

    Its loss is a sigmoid with a bias on the logits; clipgrip compares classes by softmax, in which one bias for all
    classes cancels.
    """
    from clipgrip.backbone.hf_loading import tokenizer, tokenizer_class
    from clipgrip.backbone.hf_towers import HfTextTower, TextModules, TextRules

    tower = source.model.text_model

    def features(embeds: Tensor, _: Tensor) -> Tensor:
        hidden = tower.embeddings(inputs_embeds=embeds)
        hidden = tower.encoder(inputs_embeds=hidden, attention_mask=None).last_hidden_state
        return tower.head(tower.final_layer_norm(hidden)[:, -1])

    first_release = tokenizer_class(source.checkpoint).startswith("SiglipTokenizer")
    length = tower.config.max_position_embeddings
    rules = TextRules(
        length, pad_to=length, clean=_without_punctuation if first_release else str.lower
    )
    modules = TextModules(tower.embeddings.token_embedding, features)
    return HfTextTower(modules, tokenizer(source.checkpoint), rules)


FAMILIES: dict[str, Family] = {
    "clip": Family(clip_image, clip_text),
    "metaclip_2": Family(clip_image, clip_text),
    "chinese_clip": Family(clip_image, first_token_text, "ChineseCLIPImageProcessor"),
    "altclip": Family(clip_image, first_token_text),
    "siglip": Family(hf_image, siglip_text, "SiglipImageProcessor"),
    "vision-text-dual-encoder": Family(hf_image, pooled_text, "ViTImageProcessor"),
}
"""By ``model_type``, the same names as `checkpoint.SUPPORTED`."""


def _bert(source: TowerSource, model: Any, pool: Callable[[Any], Tensor]) -> TextTower:
    from clipgrip.backbone.hf_loading import tokenizer
    from clipgrip.backbone.hf_towers import HfTextTower, TextModules, TextRules

    tower, project = model.text_model, model.text_projection

    def features(embeds: Tensor, mask: Tensor) -> Tensor:
        return project(pool(tower(inputs_embeds=embeds, attention_mask=mask)))

    words, config = tokenizer(source.checkpoint), tower.config
    positions = config.max_position_embeddings
    if config.model_type in ROBERTA:
        positions -= config.pad_token_id + 1
    rules = TextRules(min(positions, words.model_max_length))
    return HfTextTower(TextModules(tower.get_input_embeddings(), features), words, rules)


def _without_punctuation(text: str) -> str:
    """Lower case without punctuation, as SigLIP's first release reads texts."""
    return " ".join(text.lower().translate(str.maketrans("", "", string.punctuation)).split())
