"""What transformers' image processors assume where a checkpoint's preprocessor_config.json says nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PIL import Image

from clipgrip.backbone.preprocess import CLIP_MEAN, CLIP_STD
from clipgrip.errors import BackboneError, nearest

HALF = (0.5, 0.5, 0.5)
SQUARE = {"height": 224, "width": 224}
_CLIP: dict[str, Any] = {
    "size": {"shortest_edge": 224}, "crop_size": SQUARE, "do_center_crop": True,
    "resample": Image.Resampling.BICUBIC, "image_mean": CLIP_MEAN, "image_std": CLIP_STD,
}  # fmt: skip
_WHOLE: dict[str, Any] = {
    "size": SQUARE, "do_center_crop": False, "image_mean": HALF, "image_std": HALF,
}  # fmt: skip
PROCESSORS: dict[str, dict[str, Any]] = {
    "CLIPImageProcessor": _CLIP,
    "ChineseCLIPImageProcessor": _CLIP,
    "SiglipImageProcessor": _WHOLE | {"resample": Image.Resampling.BICUBIC},
    "ViTImageProcessor": _WHOLE | {"resample": Image.Resampling.BILINEAR},
    "DeiTImageProcessor": _CLIP | {"size": {"height": 256, "width": 256}, "image_mean": HALF, "image_std": HALF},
}  # fmt: skip
"""By the name of the class, without the ending that tells its speed."""
INT_IS_SQUARE = ("ViTImageProcessor", "DeiTImageProcessor")
"""Where old files give ``size`` as a number, these mean height and width, the others the shortest edge."""


def complete(config: Mapping[str, Any], fallback: str) -> dict[str, Any]:
    """The checkpoint's settings over its processor's own; null counts as not said, as in transformers.

    Raises:
        BackboneError: the processor is not one of those whose pixels are known here.
    """
    values = {name: value for name, value in config.items() if value is not None}
    name = _plain(
        values.get("image_processor_type") or values.get("feature_extractor_type") or fallback
    )
    if name not in PROCESSORS:
        raise BackboneError(
            f'preprocessor_config.json asks for the image processor "{name}"; known are '
            f"{', '.join(PROCESSORS)}.{nearest(name, PROCESSORS)}"
        )
    size = values.get("size")
    if isinstance(size, int) and name in INT_IS_SQUARE:
        values["size"] = {"height": size, "width": size}
    return PROCESSORS[name] | values


def _plain(name: str) -> str:
    for ending in ("Fast", "Pil"):
        name = name.removesuffix(ending)
    return name.replace("FeatureExtractor", "ImageProcessor")
