"""A frozen two-tower model of any supported family, read from its folder."""

from __future__ import annotations

import functools
import math
from pathlib import Path

from clipgrip.backbone import processors
from clipgrip.backbone.checkpoint import Checkpoint, tensor_named
from clipgrip.backbone.device import DTYPES, Precision, choose_precision, device_named
from clipgrip.backbone.engine import Engine, check_engine, has_choice, key_suffix, on_engine
from clipgrip.backbone.families import FAMILIES, TowerSource
from clipgrip.backbone.folder_checks import AGAIN, as_backbone_error
from clipgrip.backbone.folder_eye import FolderEye
from clipgrip.backbone.image_tower import ImageTower
from clipgrip.errors import BackboneError
from clipgrip.prompts.towers import TextTower
from clipgrip_line import preprocess


class ClipBackbone(FolderEye):
    """Image and text tower of one checkpoint; the text tower is read on first use."""

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        device: str = "cpu",
        precision: Precision = "auto",
        engine: Engine = "torch",
    ) -> None:
        self.folder = folder
        with as_backbone_error(folder):
            self._read(name, device, precision, engine)

    def _read(self, name: str, device: str, precision: Precision, engine: Engine) -> None:
        self._checkpoint = Checkpoint.open(self.folder)
        self._device = device_named(device)
        self.name = name
        kind = self._checkpoint.config["model_type"]
        self.has_choice = has_choice(engine, self._device, precision, kind)
        self.engine = check_engine(engine, self._device, precision, kind)
        arguments = precision if self.engine == "torch" else "float32"
        self.precision = choose_precision(arguments, self._device)
        own = self.precision if self.engine == "torch" else "auto"
        self.arguments = {"device": self._device.type, "precision": own, "engine": self.engine}
        self.fingerprint = self._checkpoint.fingerprint()
        self._family = FAMILIES[self._checkpoint.config["model_type"]]
        settings = processors.complete(self._checkpoint.preprocessor, self._family.processor)
        self.steps = preprocess.Preprocess.from_config(settings)
        self.image_size = self._image_size()
        self._source = TowerSource(self._checkpoint, self._device)
        tower = self._family.image(self._source, self.steps, DTYPES[self.precision])
        self.image_tower = on_engine(tower, self.engine, self.fingerprint)
        self.embed_dim = self.image_tower.embed_dim
        scale = tensor_named(self._checkpoint.tensors("logit_scale"), "logit_scale")
        self.logit_scale = math.exp(float(scale))
        if not math.isfinite(self.logit_scale):
            raise BackboneError(
                "{folder}: the tensor logit_scale is no number. {again}",
                folder=self.folder,
                again=AGAIN,
            )

    @property
    def image_key(self) -> str:
        """As `Eye.image_key`."""
        return (
            f"{self.fingerprint[:40]}-{preprocess.MODE}-{self.precision}{key_suffix(self.engine)}"
        )

    @functools.cached_property
    def image_prompts(self) -> ImageTower | None:
        """The image tower on torch, which visual prompts need; None where it is not CLIP's."""
        tower = self.image_tower
        if self.engine != "torch":
            tower = self._family.image(self._source, self.steps, DTYPES[self.precision])
        return tower if isinstance(tower, ImageTower) else None

    @functools.cached_property
    def text(self) -> TextTower:
        """The text tower in float32. The first use imports transformers and takes seconds."""
        with as_backbone_error(self.folder):
            return self._family.text(self._source)

    def _image_size(self) -> int:
        """Edge of the tower's input in pixels; BackboneError where the preprocessor makes another size."""
        config, made = self._checkpoint.config, self.steps.output_size
        vision = (config.get("vision_config") or {}) | (config.get("vision_config_dict") or {})
        size = int(vision.get("image_size", 224))
        if made != (size, size):
            raise BackboneError(
                "The model {name} takes images of {size} x {size} pixels, but its preprocessor makes "
                "{height} x {width}. The files belong to two models: copy one model again.",
                name=self.name,
                size=size,
                height=made[0],
                width=made[1],
            )
        return size
