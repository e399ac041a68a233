"""Defaults of transformers' image processors, for settings that preprocessor_config.json leaves out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PIL import Image

from clipgrip.backbone.folder_checks import finite
from clipgrip.errors import BackboneError, nearest
from clipgrip_line.preprocess import CLIP_MEAN, CLIP_STD

HALF = (0.5, 0.5, 0.5)
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
SQUARE = {"height": 224, "width": 224}
_CLIP: dict[str, Any] = {
    "size": {"shortest_edge": 224}, "crop_size": SQUARE, "do_center_crop": True,
    "resample": Image.Resampling.BICUBIC, "image_mean": CLIP_MEAN, "image_std": CLIP_STD,
}  # fmt: skip
_WHOLE: dict[str, Any] = {
    "size": SQUARE, "do_center_crop": False, "image_mean": HALF, "image_std": HALF,
}  # fmt: skip
_MOBILE: dict[str, Any] = _CLIP | {
    "size": {"shortest_edge": 256}, "resample": Image.Resampling.BILINEAR, "image_mean": HALF, "image_std": HALF,
}  # fmt: skip
PROCESSORS: dict[str, dict[str, Any]] = {
    "CLIPImageProcessor": _CLIP,
    "ChineseCLIPImageProcessor": _CLIP,
    "SiglipImageProcessor": _WHOLE | {"resample": Image.Resampling.BICUBIC},
    "ViTImageProcessor": _WHOLE | {"resample": Image.Resampling.BILINEAR},
    "DeiTImageProcessor": _CLIP | {"size": {"height": 256, "width": 256}, "image_mean": HALF, "image_std": HALF},
    "BitImageProcessor": _CLIP,
    "ConvNextImageProcessor": _CLIP | {"size": {"shortest_edge": 384}, "image_mean": HALF, "image_std": HALF},
    "DINOv3ViTImageProcessor": _WHOLE | {
        "resample": Image.Resampling.BILINEAR, "image_mean": IMAGENET_MEAN, "image_std": IMAGENET_STD,
    },
    "MobileNetV1ImageProcessor": _MOBILE,
    "MobileNetV2ImageProcessor": _MOBILE,
}  # fmt: skip
"""By the name of the processor's class, without its ending Fast or Pil."""
CONVNEXT_WHOLE = 384
INT_IS_SQUARE = ("ViTImageProcessor", "DeiTImageProcessor")
"""Processors for which a number as ``size`` in old files is height and width; for others it is the shortest edge."""


def complete(config: Mapping[str, Any], fallback: str) -> dict[str, Any]:
    """The checkpoint's settings, completed by the defaults of its processor; null means left out, as in transformers.

    BackboneError: the processor is unknown here.
    """
    values = {name: value for name, value in config.items() if value is not None}
    name = _class_name(
        values.get("image_processor_type") or values.get("feature_extractor_type") or fallback
    )
    if name not in PROCESSORS:
        raise BackboneError(
            'preprocessor_config.json asks for the image processor "{name}"; known are '
            "{processors}.{nearest}",
            name=name,
            processors=", ".join(PROCESSORS),
            nearest=nearest(name, PROCESSORS),
        )
    size = values.get("size")
    if isinstance(size, int) and name in INT_IS_SQUARE:
        values["size"] = {"height": size, "width": size}
    if name == "ConvNextImageProcessor":
        values = _cut_as_convnext(PROCESSORS[name] | values)
    return PROCESSORS[name] | values


def _cut_as_convnext(values: dict[str, Any]) -> dict[str, Any]:
    """ConvNeXt's rule: below 384 pixels a center crop of a larger image, from 384 on the whole image as a square."""
    size, share = values["size"], values.get("crop_pct", 224 / 256)
    edge = size.get("shortest_edge") if isinstance(size, Mapping) else size
    if edge is None or not finite(edge) or not finite(share) or not 0.1 <= share <= 1:
        raise BackboneError(
            "preprocessor_config.json: size {size} with crop_pct {share} cannot be used. "
            "ConvNeXt's has a shortest_edge, and a share from 0.1 to 1. Copy the model again.",
            size=f"{str(size)[:60]!r}",
            share=f"{str(share)[:20]!r}",
        )
    square = {"height": edge, "width": edge}
    if edge >= CONVNEXT_WHOLE:
        return values | {"size": square, "do_center_crop": False}
    larger = {"shortest_edge": int(edge / share)}
    return values | {"size": larger, "crop_size": square, "do_center_crop": True}


def _class_name(name: str) -> str:
    for ending in ("Fast", "Pil"):
        name = name.removesuffix(ending)
    return name.replace("FeatureExtractor", "ImageProcessor")
