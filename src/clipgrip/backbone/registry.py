"""From the name a user gives to a model's folder on this machine, offline unless asked otherwise."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clipgrip.backbone.checkpoint import (
    INDEX,
    PREPROCESSOR_FILES,
    TOKENIZER_FILES,
    WEIGHTS,
    Checkpoint,
)
from clipgrip.backbone.clip import ClipBackbone, Precision
from clipgrip.backbone.engine import Engine
from clipgrip.errors import BackboneError, nearest

ONLINE_VARIABLE = "CLIPGRIP_ONLINE"
FILES = ("config.json", *PREPROCESSOR_FILES, *TOKENIZER_FILES, INDEX, "model*.safetensors")


@dataclass(frozen=True)
class KnownModel:
    """A model that is known to work; any other model of the CLIP family may be named too."""

    name: str
    note: str
    megabytes: int
    """Approximate size of its files."""


KNOWN = {
    model.name: model
    for model in (
        KnownModel("nano", "in the package; for demos, tests and simple shapes", 10),
        KnownModel("openai/clip-vit-base-patch32", "recommended for photographs", 605),
        KnownModel("openai/clip-vit-base-patch16", "4 times the work, finer detail", 599),
        KnownModel("openai/clip-vit-large-patch14", "18 times the work, most accurate", 1711),
        KnownModel("laion/CLIP-ViT-B-32-laion2B-s34B-b79K", "trained on open data", 605),
        KnownModel("laion/CLIP-ViT-H-14-laion2B-s32B-b79K", "38 times the work", 3944),
    )
}


@dataclass(frozen=True)
class ModelStatus:
    """One line of ``clipgrip models``."""

    name: str
    note: str
    folder: Path | None
    """Where it lies on this machine, or None."""
    megabytes: int
    """Measured where it is here, approximate where it is not."""


def load_backbone(
    name: str,
    *,
    device: str = "cpu",
    precision: Precision = "auto",
    engine: Engine = "torch",
    online: bool | None = None,
) -> ClipBackbone:
    """The model called ``nano``, lying in a folder, added by hand, or named as on the Hugging Face hub.

    Nothing is downloaded unless ``online`` or the environment variable CLIPGRIP_ONLINE=1 says so.
    """
    if online is None:
        online = os.environ.get(ONLINE_VARIABLE, "") == "1"
    folder = find_folder(name, online=online)
    return ClipBackbone(name, folder, device=device, precision=precision, engine=engine)


def models() -> list[ModelStatus]:
    """The known models and whether each is on this machine; opens no model and no connection."""
    return [_status(model) for model in KNOWN.values()]


def find_folder(name: str, *, online: bool = False) -> Path:
    """The folder of a model; a BackboneError says how to bring it here."""
    if name == "nano":
        return _nano_folder()
    if Path(name).is_dir():
        return Path(name)
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise BackboneError(
            f'"{name}" is neither a folder nor a model. Known are: {", ".join(KNOWN)}.{nearest(name, KNOWN)}'
        )
    folder = cached_folder(name) or (download(name) if online else None)
    if folder is None:
        raise BackboneError(_how_to_bring(name))
    return folder


def cached_folder(name: str) -> Path | None:
    """A hub model's folder in this machine's Hugging Face cache that has safetensors, the main revision first."""
    from huggingface_hub.constants import HF_HUB_CACHE

    model = Path(HF_HUB_CACHE) / f"models--{name.replace('/', '--')}"
    complete = (folder for folder in _snapshots(model) if _is_complete(folder))
    return next(complete, None)


def download(name: str) -> Path:
    """Fetch a model from the hub into the Hugging Face cache; only JSON, text and safetensors files."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        folder = Path(snapshot_download(name, allow_patterns=list(FILES)))
        if not _is_complete(folder) and (revision := _safetensors_revision(name)):
            folder = Path(snapshot_download(name, revision=revision, allow_patterns=list(FILES)))
    except (HfHubHTTPError, OSError) as error:
        raise BackboneError(
            f"{name} cannot be fetched from the hub: {error} Check the name and the connection."
        ) from error
    Checkpoint.open(folder)
    return folder


def _safetensors_revision(name: str) -> str | None:
    """The hub's own conversion of a model that was published as a pickle."""
    from huggingface_hub import get_repo_discussions

    found = get_repo_discussions(name, author="SFconvertbot", discussion_type="pull_request")
    return next((request.git_reference for request in found if request.status != "closed"), None)


def _snapshots(model: Path) -> Iterator[Path]:
    main = model / "refs" / "main"
    if main.exists():
        yield model / "snapshots" / main.read_text(encoding="utf-8").strip()
    if (model / "snapshots").is_dir():
        yield from sorted(path for path in (model / "snapshots").iterdir() if path.is_dir())


def _is_complete(folder: Path) -> bool:
    return (folder / "config.json").exists() and (
        (folder / WEIGHTS).exists() or (folder / INDEX).exists()
    )


def _nano_folder() -> Path:
    from clipgrip.backbone.nano import weights_dir

    return Path(weights_dir())


def _status(model: KnownModel) -> ModelStatus:
    folder = _nano_folder() if model.name == "nano" else cached_folder(model.name)
    size = _megabytes(folder) if folder is not None else model.megabytes
    return ModelStatus(model.name, model.note, folder, size)


def _megabytes(folder: Path) -> int:
    files = [path for pattern in FILES for path in folder.glob(pattern)]
    return max(1, round(sum(path.stat().st_size for path in files) / 1e6))


def _how_to_bring(name: str) -> str:
    patterns = " ".join(
        f'--include "{pattern}"' for pattern in ("*.json", "*.txt", "*.safetensors")
    )
    folder = name.split("/")[1]
    return (
        f"{name} is not on this machine, and clipgrip downloads nothing unless asked.\n"
        f"With a connection: set {ONLINE_VARIABLE}=1 and run the command again; later runs need no connection.\n"
        f"Without: on a machine that has one, run\n"
        f"  hf download {name} {patterns} --local-dir {folder}\n"
        f'copy the folder "{folder}" to this machine, and give its path instead of the name.'
    )
