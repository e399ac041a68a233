"""From the name a user gives to an eye: what ships, what was added, a hub name or a folder, offline unless asked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from clipgrip.backbone.base import Eye
from clipgrip.backbone.checkpoint import Checkpoint, knows_words
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
    """The eye called so: one that ships, or a model by name or folder; a CLIP model's image tower is an eye too.

    BackboneError: it is not here, or its files cannot be used; the message says what to do.
    """
    if name in SHIPPED:
        return SHIPPED[name]()
    folder = _folder(name)
    if knows_words(folder):
        return check_as_added(folder, ClipBackbone(name, folder, precision=precision))
    return check_as_added(folder, VisionEye(name, folder, precision=precision))


def check_here(backbone: str, eyes: Sequence[str] = ()) -> None:
    """BackboneError where a model, or an eye beside it, is not here or is none; before images are read, which is long.

    No weights are read.
    """
    Checkpoint.open(find_folder(backbone, online=may_download()))
    for name in named_eyes(eyes):
        if name not in SHIPPED:
            folder = _folder(name)
            Checkpoint.open(folder, words=knows_words(folder))


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
    """The names themselves, each once, with the eyes that are here in the place of ``auto``."""
    found = [one for name in names for one in (eyes_here() if name == AUTO else (name,))]
    return tuple(dict.fromkeys(found))


def eyes_here() -> tuple[str, ...]:
    """What ships, the known vision models that are on this machine, and those that were added."""
    added = [model.name for model in added_models() if not knows_words(model.folder)]
    cached = [name for name in EYES if cached_folder(name) is not None]
    return tuple(dict.fromkeys((*SHIPPED, *cached, *added)))
