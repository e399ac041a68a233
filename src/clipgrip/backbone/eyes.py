"""Loads eyes by name: those that ship, added models, hub names and folders; offline unless asked otherwise."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from clipgrip.backbone.base import Eye
from clipgrip.backbone.checkpoint import Checkpoint, has_text_tower
from clipgrip.backbone.clip import ClipBackbone
from clipgrip.backbone.device import Precision
from clipgrip.backbone.model_store import added_models
from clipgrip.backbone.names import AUTO, TEXTURE
from clipgrip.backbone.registry import (
    EYES,
    cached_folder,
    check_as_added,
    find_folder,
    may_download,
)
from clipgrip.backbone.texture import Texture
from clipgrip.backbone.vision import VisionEye
from clipgrip.errors import BackboneError, among

SHIPPED = {TEXTURE: Texture}


def load_eye(name: str, *, precision: Precision = "auto") -> Eye:
    """The eye of this name: one that ships, or a model by name or folder. A CLIP model's image tower is an eye too.

    BackboneError: it is not on this machine, or its files cannot be used.
    """
    if name in SHIPPED:
        return SHIPPED[name]()
    folder = _folder(name)
    if has_text_tower(folder):
        return check_as_added(folder, ClipBackbone(name, folder, precision=precision))
    return check_as_added(folder, VisionEye(name, folder, precision=precision))


def check_here(backbone: str, eyes: Sequence[str] = ()) -> None:
    """BackboneError where the model or an eye is missing or unusable; said before all images are read.

    Weights are not read.
    """
    Checkpoint.open(find_folder(backbone, online=may_download()))
    for name in named_eyes(eyes):
        if name not in SHIPPED:
            folder = _folder(name)
            Checkpoint.open(folder, words=has_text_tower(folder))


def _folder(name: str) -> Path:
    try:
        return find_folder(name, online=may_download())
    except BackboneError as error:
        if re.search(r"[/\\@]", name):
            raise
        known = [AUTO, *SHIPPED, *EYES, *(model.name for model in added_models())]
        raise BackboneError(
            '"{name}" is no eye: neither a folder nor a model. Known are: {known}.{nearest}',
            name=name,
            **among(name, known),
        ) from error


def named_eyes(names: Sequence[str]) -> tuple[str, ...]:
    """The names without repetitions; ``auto`` is replaced by all eyes on this machine."""
    found = [one for name in names for one in (eyes_here() if name == AUTO else (name,))]
    return tuple(dict.fromkeys(found))


def eyes_here() -> tuple[str, ...]:
    """The eyes on this machine: those that ship, cached ones of `EYES`, and added models without a text tower."""
    added = [model.name for model in added_models() if not has_text_tower(model.folder)]
    cached = [name for name in EYES if cached_folder(name) is not None]
    return tuple(dict.fromkeys((*SHIPPED, *cached, *added)))
