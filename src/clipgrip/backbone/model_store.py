"""The models in clipgrip's own folder, which were added by hand."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from clipgrip.backbone.cache import user_folder
from clipgrip.backbone.folder_checks import read_json
from clipgrip.backbone.names import RESERVED
from clipgrip.errors import BackboneError, nearest
from clipgrip.files import from_home, part_name

ROOT_VARIABLE = "CLIPGRIP_MODELS"
RECORD = "clipgrip.json"
"""Beside a model's files: its name here and its fingerprint."""
NAME = re.compile(r"[A-Za-z0-9]([\w.-]*[\w-])?(/[A-Za-z0-9]([\w.-]*[\w-])?)?")


@dataclass(frozen=True)
class Added:
    """A model that was added, and where it lies."""

    name: str
    folder: Path
    fingerprint: str


def models_root() -> Path:
    """The folder in CLIPGRIP_MODELS, or one among the user's data on this system."""
    if chosen := os.environ.get(ROOT_VARIABLE):
        return Path(from_home(chosen))
    return user_folder("Application Support", "XDG_DATA_HOME", ".local/share") / "models"


def added_models() -> list[Added]:
    """All added models, by name; folders without a record are left out."""
    root = models_root()
    found = [read_added(path) for path in root.iterdir()] if root.is_dir() else []
    return sorted((model for model in found if model is not None), key=lambda model: model.name)


def added_folder(name: str) -> Path | None:
    """The folder of an added model; None if there is none of this name."""
    if not NAME.fullmatch(name):
        return None
    model = read_added(folder_of(name))
    return model.folder if model is not None and model.name == name else None


def remove_model(name: str) -> Path:
    """Delete an added model; returns the folder it was in. BackboneError: there is none of this name."""
    folder = added_folder(name)
    if folder is None:
        known = [model.name for model in added_models()]
        raise BackboneError(
            'no model "{name}" was added. Added are: {known}.{nearest}',
            name=name,
            known=", ".join(known) or "none",
            nearest=nearest(name, known),
        )
    gone = part_name(folder.parent)
    os.replace(folder, gone)  # at once, so that no half model is ever found
    shutil.rmtree(gone)
    return folder


def check_name(name: str) -> str:
    """The name itself, or BackboneError where no model can be called so."""
    if not NAME.fullmatch(name) or ".." in name or "--" in name or name.casefold() in RESERVED:
        raise BackboneError(
            'a model cannot be called "{name}". Give --name a name of letters, digits, dots, hyphens '
            'and underscores, with one slash at most, such as "openai/clip-vit-base-patch32".',
            name=name,
        )
    return name


def folder_of(name: str) -> Path:
    """The folder for a model of this name, which need not exist."""
    return models_root() / ("models--" + name.replace("/", "--"))


def read_added(folder: Path) -> Added | None:
    """The added model in a folder, by its record; None where the folder is another one."""
    if not folder.name.startswith("models--") or not (folder / RECORD).is_file():
        return None
    record = read_json(folder / RECORD)
    return Added(str(record.get("name")), folder, str(record.get("fingerprint")))
