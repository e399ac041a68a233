"""Vision models of transformers, such as DINOv2, as eyes: better image features than CLIP's, and no text tower."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from clipgrip.backbone import processors
from clipgrip.backbone.checkpoint import Checkpoint
from clipgrip.backbone.device import DTYPES, Precision, choose_precision, device_named
from clipgrip.backbone.folder_checks import as_backbone_error
from clipgrip.backbone.folder_eye import FolderEye
from clipgrip.backbone.hf_towers import HfImageTower
from clipgrip_line import preprocess

REVISION = 1
"""Raise it whenever the features change that are read from a model's output: it is part of the cache key."""


class VisionFamily(NamedTuple):
    """How features are read from models of one ``model_type``."""

    read: Callable[[Any, Any], Float[Tensor, "B D"]]
    """From the model's output and its configuration to (B, D)."""
    processor: str
    """The image processor, where the checkpoint does not name one."""


def _tokens(answer: Any, before: int) -> Float[Tensor, "B D"]:
    """Class token and mean of the patches, each normalised, side by side; the patches follow ``before`` tokens."""
    hidden = answer.last_hidden_state
    parts = hidden[:, 0], hidden[:, before:].mean(1)
    return torch.cat([F.normalize(part.float(), dim=-1) for part in parts], dim=1)


def _one_token(answer: Any, _: Any) -> Float[Tensor, "B D"]:
    return _tokens(answer, 1)


def _two_tokens(answer: Any, _: Any) -> Float[Tensor, "B D"]:
    """DeiT has a distillation token after its class token."""
    return _tokens(answer, 2)


def _registers(answer: Any, config: Any) -> Float[Tensor, "B D"]:
    return _tokens(answer, 1 + config.num_register_tokens)


def _pooled(answer: Any, _: Any) -> Float[Tensor, "B D"]:
    """The pooled output of models without a class token."""
    return answer.pooler_output.flatten(1)


FAMILIES: dict[str, VisionFamily] = {
    "dinov2": VisionFamily(_one_token, "BitImageProcessor"),
    "dinov2_with_registers": VisionFamily(_registers, "BitImageProcessor"),
    "dinov3_vit": VisionFamily(_registers, "DINOv3ViTImageProcessor"),
    "dinov3_convnext": VisionFamily(_pooled, "DINOv3ViTImageProcessor"),
    "vit": VisionFamily(_one_token, "ViTImageProcessor"),
    "vit_msn": VisionFamily(_one_token, "ViTImageProcessor"),
    "deit": VisionFamily(_two_tokens, "DeiTImageProcessor"),
    "swin": VisionFamily(_pooled, "ViTImageProcessor"),
    "swinv2": VisionFamily(_pooled, "ViTImageProcessor"),
    "convnext": VisionFamily(_pooled, "ConvNextImageProcessor"),
    "convnextv2": VisionFamily(_pooled, "ConvNextImageProcessor"),
    "resnet": VisionFamily(_pooled, "ConvNextImageProcessor"),
    "mobilenet_v1": VisionFamily(_pooled, "MobileNetV1ImageProcessor"),
    "mobilenet_v2": VisionFamily(_pooled, "MobileNetV2ImageProcessor"),
}
"""By ``model_type``, the same names as `checkpoint.VISION`."""


class VisionEye(FolderEye):
    """The image model of a checkpoint without a text tower."""

    def __init__(
        self, name: str, folder: Path, *, device: str = "cpu", precision: Precision = "auto"
    ) -> None:
        self.name, self.folder = name, folder
        with as_backbone_error(folder):
            self._read(device, precision)

    def _read(self, device: str, precision: Precision) -> None:
        from clipgrip.backbone.hf_loading import vision_model

        checkpoint = Checkpoint.open(self.folder, words=False)
        at = device_named(device)
        self.precision = choose_precision(precision, at)
        self.arguments = {"device": at.type, "precision": self.precision}
        self.fingerprint = checkpoint.fingerprint()
        family = FAMILIES[checkpoint.config["model_type"]]
        settings = processors.complete(checkpoint.preprocessor, family.processor)
        self.steps = preprocess.Preprocess.from_config(settings)
        model = vision_model(checkpoint, at)

        def features(pixels: Tensor) -> Tensor:
            return family.read(model(pixel_values=pixels), model.config)

        self.image_tower = HfImageTower(features, self.steps, at, DTYPES[self.precision])
        self.embed_dim = self.image_tower.embed_dim

    @property
    def image_key(self) -> str:
        """As `Eye.image_key`."""
        return f"{self.fingerprint[:40]}-{preprocess.MODE}-{self.precision}-eye{REVISION}"
