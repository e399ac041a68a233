"""One image to the pixels a checkpoint was trained on, bit by bit as transformers' Pillow processor makes them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from clipgrip_line.errors import BackboneError
from clipgrip_line.sentences import Sentence

Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
"""(H, W, 3)."""

MODE = "hf-pillow-1"
"""Names decoding, resize and crop in cache keys; to be changed whenever a pixel changes anywhere on that way."""

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)

AGAIN = Sentence("Copy the model again.")
MOST_EDGE = 4096
"""The longest edge that a model's images may have."""

MOST_RESIZED_PIXELS = 64_000_000
"""Above this, only the crop is resampled: a 1 x 60,000 image would need 10 GB at 224 pixels width."""


@dataclass(frozen=True)
class Preprocess:
    """Resize and centre crop; ``mean`` and ``std`` are for pixels divided by 1 / ``scale``."""

    resize: int | tuple[int, int] | None
    """The shortest edge after resizing, or (height, width), or no resizing."""
    crop: tuple[int, int] | None
    """(height, width) or no crop."""
    resample: Image.Resampling = Image.Resampling.BICUBIC
    scale: float = 1 / 255
    mean: tuple[float, ...] = CLIP_MEAN
    std: tuple[float, ...] = CLIP_STD

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Preprocess:
        """Read a checkpoint's ``preprocessor_config.json``; what it does not say is as in CLIP."""
        normalize = config.get("do_normalize", True)
        crop = _pair(config.get("crop_size", 224)) if config.get("do_center_crop", True) else None
        scaled = config.get("do_rescale", True)
        made = cls(
            resize=_size(config.get("size", 224)) if config.get("do_resize", True) else None,
            crop=crop,
            resample=_resample(config.get("resample", Image.Resampling.BICUBIC)),
            scale=_number("rescale_factor", config.get("rescale_factor", 1 / 255))
            if scaled
            else 1.0,
            mean=_three("image_mean", config.get("image_mean", CLIP_MEAN))
            if normalize
            else (0.0,) * 3,
            std=_three("image_std", config.get("image_std", CLIP_STD), least=1e-6)
            if normalize
            else (1.0,) * 3,
        )
        if normalize:
            _check_range(made)
        return made

    @property
    def output_size(self) -> tuple[int, int]:
        """(height, width) of every result; a BackboneError where it would vary from image to image."""
        if self.crop is not None:
            return self.crop
        if isinstance(self.resize, tuple):
            return self.resize
        raise BackboneError(
            "The model's preprocessor_config.json neither crops nor resizes to a height and width, so its images "
            "have no common size. Set do_center_crop to true and give crop_size."
        )

    def __call__(self, image: Image.Image) -> Pixels:
        """Pixels of ``output_size`` before rescaling and normalisation."""
        image = image if image.mode == "RGB" else image.convert("RGB")
        width, height = self._resized(image.size)
        if self.crop is None:
            return np.array(image.resize((width, height), self.resample))
        top, left = (height - self.crop[0]) // 2, (width - self.crop[1]) // 2
        box = (left, top, left + self.crop[1], top + self.crop[0])
        if width * height > MOST_RESIZED_PIXELS:
            return self._resample_box(image, width, height, box)
        if (width, height) != image.size:
            image = image.resize((width, height), self.resample)
        return np.array(image.crop(box))

    def _resized(self, size: tuple[int, int]) -> tuple[int, int]:
        """(width, height) after resizing; the long edge is rounded down."""
        if self.resize is None:
            return size
        if isinstance(self.resize, tuple):
            return self.resize[1], self.resize[0]
        width, height = size
        if width <= height:
            return self.resize, int(self.resize * height / width)
        return int(self.resize * width / height), self.resize

    def _resample_box(
        self, image: Image.Image, width: int, height: int, box: tuple[int, int, int, int]
    ) -> Pixels:
        """The crop of the resized image without the resized image; differs from it by rounding."""
        x, y = image.width / width, image.height / height
        source = (
            max(box[0] * x, 0.0),
            max(box[1] * y, 0.0),
            min(box[2] * x, image.width),
            min(box[3] * y, image.height),
        )
        return np.array(image.resize((box[2] - box[0], box[3] - box[1]), self.resample, box=source))


def finite(value: Any) -> bool:
    """Whether this is a number that can be reckoned with."""
    return isinstance(value, int | float) and not isinstance(value, bool) and _is_finite(value)


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False


def _number(name: str, value: Any, least: float = -math.inf) -> float:
    if not finite(value) or value < least:
        raise BackboneError(
            f"preprocessor_config.json: {name} is {str(value)[:60]!r}; it must be a number. {AGAIN}"
        )
    return float(value)


def _three(name: str, value: Any, least: float = -math.inf) -> tuple[float, ...]:
    """A number for each colour; one for all, as transformers takes it too."""
    values = [value] * 3 if finite(value) else value
    if not isinstance(values, list | tuple) or len(values) != 3:
        raise BackboneError(
            f"preprocessor_config.json: {name} is {str(value)[:60]!r}; it must be three numbers, or one. {AGAIN}"
        )
    return tuple(_number(name, one, least) for one in values)


def _check_range(made: Preprocess) -> None:
    """BackboneError where mean and deviation are of another range than the pixels are scaled to."""
    most = 255 * made.scale
    fits = all(0 <= mean <= most for mean in made.mean)
    if not fits or not all(most / 30 <= one <= 10 * most for one in made.std):
        raise BackboneError(
            f"preprocessor_config.json: pixels from 0 to {most:g} (do_rescale, rescale_factor) do not go with "
            f"image_mean {list(made.mean)} and image_std {list(made.std)}, which are of another range. {AGAIN}"
        )


def _resample(value: Any) -> Image.Resampling:
    known = [one.value for one in Image.Resampling]
    if isinstance(value, bool) or not isinstance(value, int) or value not in known:
        raise BackboneError(
            f"preprocessor_config.json: resample is {str(value)[:60]!r}; it must be one of {known}. {AGAIN}"
        )
    return Image.Resampling(value)


def _size(value: Any) -> int | tuple[int, int]:
    """``size`` as written by any release: a number or ``shortest_edge`` keeps the shape of the image."""
    if isinstance(value, Mapping) and "shortest_edge" in value and "longest_edge" not in value:
        return _edge(value["shortest_edge"], value)
    return _edge(value, value) if isinstance(value, int) else _pair(value)


def _pair(value: Any) -> tuple[int, int]:
    if isinstance(value, int):
        return _edge(value, value), value
    if isinstance(value, Mapping) and {"height", "width"} <= set(value):
        return _edge(value["height"], value), _edge(value["width"], value)
    raise _wrong_size(value)


def _edge(value: Any, size: Any) -> int:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or not 1 <= value <= MOST_EDGE:
        raise _wrong_size(size)
    return int(value)


def _wrong_size(value: Any) -> BackboneError:
    return BackboneError(
        f"preprocessor_config.json asks for the size {str(value)[:80]}; a number, shortest_edge, or height "
        f"and width can be used, from 1 to {MOST_EDGE} pixels."
    )
