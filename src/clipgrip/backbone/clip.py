"""A frozen two-tower model of the CLIP family, read from its folder."""

from __future__ import annotations

import functools
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image

from clipgrip.backbone import preprocess
from clipgrip.backbone.checkpoint import Checkpoint, pick
from clipgrip.backbone.image_tower import ImageTower, VisionShape
from clipgrip.errors import BackboneError, ConfigError, nearest
from clipgrip.types import ImageEmbeds

if TYPE_CHECKING:
    from clipgrip.backbone.text import ClipText

Precision = Literal["auto", "float32", "bfloat16"]
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class ClipBackbone:
    """Image and text tower of one checkpoint; the text tower is read when it is first asked for."""

    def __init__(
        self, name: str, folder: Path, *, device: str = "cpu", precision: Precision = "auto"
    ) -> None:
        self._checkpoint = Checkpoint.open(folder)
        self._device = _device(device)
        self.name = name
        self.precision = choose_precision(precision, self._device)
        self.fingerprint = self._checkpoint.fingerprint()
        self._preprocess = preprocess.Preprocess.from_config(self._checkpoint.preprocessor)
        shape = VisionShape.from_config(self._checkpoint.config)
        self._check_size(shape)
        tensors = self._checkpoint.tensors("vision_model.", "visual_projection.", "logit_scale")
        self._tower = ImageTower(
            tensors, shape, self._preprocess, device=self._device, dtype=DTYPES[self.precision]
        )
        self.image_size = shape.image_size
        self.embed_dim = self._tower.embed_dim
        self.logit_scale = math.exp(float(pick(tensors, "logit_scale")))

    @property
    def image_key(self) -> str:
        """Names everything but the picture that determines an image embedding."""
        return f"{self.fingerprint[:40]}-{preprocess.MODE}-{self.precision}"

    @property
    def image_prompts(self) -> ImageTower:
        """The image tower as visual prompts see it."""
        return self._tower

    @functools.cached_property
    def text(self) -> ClipText:
        """The text tower in float32; the first use takes seconds, it imports transformers."""
        return load_text(self._checkpoint, self._device)

    def preprocess(self, image: Image.Image) -> UInt8[np.ndarray, "H W 3"]:
        """Resize and crop one RGB image as the model's own image processor does, before rescaling."""
        return self._preprocess(image)

    def encode_image(self, pixels: UInt8[np.ndarray, "B H W 3"]) -> ImageEmbeds:
        """Unit vectors (B, D), float32, on the backbone's device."""
        return self._tower(torch.from_numpy(np.ascontiguousarray(pixels)))

    def _check_size(self, shape: VisionShape) -> None:
        size = self._preprocess.output_size
        if size != (shape.image_size, shape.image_size):
            raise BackboneError(
                f"The model {self.name} takes images of {shape.image_size} x {shape.image_size} pixels, but its "
                f"preprocessor makes {size[0]} x {size[1]}. The files belong to two models: copy one model again."
            )


def choose_precision(precision: str, device: torch.device) -> str:
    """The name of a dtype; ``auto`` is bfloat16 where the processor multiplies it natively."""
    if precision == "auto":
        return "bfloat16" if _multiplies_bfloat16(device) else "float32"
    if precision not in DTYPES:
        known = ("auto", *DTYPES)
        raise ConfigError(
            f'precision "{precision}" is unknown; known are {", ".join(known)}.{nearest(precision, known)}'
        )
    return precision


def _multiplies_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return device.type == "cpu" and any(getattr(torch.cpu, name, bool)() for name in checks)


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        first = str(error).splitlines()[0]
        raise ConfigError(f'device "{name}" cannot be used here: {first} Use "cpu".') from error
    return device


def load_text(checkpoint: Checkpoint, device: torch.device) -> ClipText:
    """The text tower over transformers' modules, frozen."""
    from transformers.models.clip.configuration_clip import CLIPTextConfig
    from transformers.models.clip.modeling_clip import CLIPTextModel

    from clipgrip.backbone.text import ClipText

    config = checkpoint.config
    settings = (config.get("text_config") or {}) | (config.get("text_config_dict") or {})
    with torch.device("meta"):
        model = CLIPTextModel(CLIPTextConfig(**settings))
    tower = getattr(model, "text_model", model)
    tensors = checkpoint.tensors("text_model.", "text_projection.")
    projection = _linear(pick(tensors, "text_projection.weight"))
    try:
        tower.load_state_dict(_inner(tensors), strict=True, assign=True)
    except RuntimeError as error:
        raise BackboneError(f"{checkpoint.folder}: the text tower does not fit: {error}") from error
    tokenizer = _tokenizer(checkpoint.folder)
    return ClipText(_frozen(tower, device), _frozen(projection, device), tokenizer)


def _inner(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    at = "text_model."
    return {name.removeprefix(at): value for name, value in tensors.items() if name.startswith(at)}


def _frozen(module: Any, device: torch.device) -> Any:
    """Weights to the device, no gradients; position ids that lie on no device are made anew."""
    for part in module.modules():
        ids = getattr(part, "position_ids", None)
        if isinstance(ids, torch.Tensor) and ids.is_meta:
            part.position_ids = torch.arange(ids.shape[-1]).expand(ids.shape)
    return module.to(device).eval().requires_grad_(False)


def _linear(weight: torch.Tensor) -> torch.nn.Linear:
    layer = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False, device="meta")
    layer.weight = torch.nn.Parameter(weight)
    return layer


def _tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError) as error:
        raise BackboneError(f"{folder}: the tokenizer cannot be read: {error}") from error
