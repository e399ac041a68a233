"""An eye that sees better than CLIP and knows no words: a vision model of transformers, read from its folder."""

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
from clipgrip.backbone.folder_eye import FolderEye
from clipgrip.backbone.full import FullImage
from clipgrip.backbone.sound import one_sentence
from clipgrip_line import preprocess

REVISION = 1
"""To be raised whenever what is read of a model's answer changes."""


class VisionFamily(NamedTuple):
    """How models of one ``model_type`` are read."""

    read: Callable[[Any, Any], Float[Tensor, "B D"]]
    """From what the model answers and its configuration to one vector an image."""
    processor: str
    """The image processor, where the checkpoint does not name one."""


def _tokens(answer: Any, before: int) -> Float[Tensor, "B D"]:
    """The class token says what is seen, the mean of the patches how its surface looks: side by side, equally long."""
    hidden = answer.last_hidden_state
    parts = hidden[:, 0], hidden[:, before:].mean(1)
    return torch.cat([F.normalize(part.float(), dim=-1) for part in parts], dim=1)


def _one_token(answer: Any, _: Any) -> Float[Tensor, "B D"]:
    return _tokens(answer, 1)


def _two_tokens(answer: Any, _: Any) -> Float[Tensor, "B D"]:
    """DeiT's second token, of its distillation, is no patch."""
    return _tokens(answer, 2)


def _registers(answer: Any, config: Any) -> Float[Tensor, "B D"]:
    return _tokens(answer, 1 + config.num_register_tokens)


def _pooled(answer: Any, _: Any) -> Float[Tensor, "B D"]:
    """The mean over the picture, as models without a class token make it."""
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
    """One checkpoint without a text tower, computed by transformers' own modules."""

    def __init__(
        self, name: str, folder: Path, *, device: str = "cpu", precision: Precision = "auto"
    ) -> None:
        self.name, self.folder = name, folder
        with one_sentence(folder):
            self._read(device, precision)

    def _read(self, device: str, precision: Precision) -> None:
        from clipgrip.backbone.modules import vision_model

        checkpoint = Checkpoint.open(self.folder, words=False)
        at = device_named(device)
        self.precision = choose_precision(precision, at)
        self.asked = {"device": at.type, "precision": self.precision}
        self.fingerprint = checkpoint.fingerprint()
        family = FAMILIES[checkpoint.config["model_type"]]
        settings = processors.complete(checkpoint.preprocessor, family.processor)
        self.steps = preprocess.Preprocess.from_config(settings)
        model = vision_model(checkpoint, at)

        def features(pixels: Tensor) -> Tensor:
            return family.read(model(pixel_values=pixels), model.config)

        self.image_tower = FullImage(features, self.steps, at, DTYPES[self.precision])
        self.embed_dim = self.image_tower.embed_dim

    @property
    def image_key(self) -> str:
        """Names everything but the picture that determines an image embedding."""
        return f"{self.fingerprint[:40]}-{preprocess.MODE}-{self.precision}-eye{REVISION}"
