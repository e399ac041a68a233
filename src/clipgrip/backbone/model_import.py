"""Adds a model to clipgrip's own folder: it is checked, tried once, and copied whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import torch

from clipgrip.backbone.cache import what_to_do
from clipgrip.backbone.checkpoint import (
    INDEX,
    PREPROCESSOR_FILES,
    TOKENIZER_FILES,
    WEIGHTS,
    Checkpoint,
    has_text_tower,
)
from clipgrip.backbone.clip import ClipBackbone
from clipgrip.backbone.folder_checks import as_backbone_error
from clipgrip.backbone.model_store import (
    RECORD,
    ROOT_VARIABLE,
    Added,
    check_name,
    folder_of,
    models_root,
    read_added,
)
from clipgrip.backbone.vision import VisionEye
from clipgrip.errors import BackboneError
from clipgrip.files import part_name, sweep, system_words, write_text_atomic

RUNS_CODE = (
    *(".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".h5", ".msgpack"),
    *(".py", ".so", ".dll"),
)
"""Endings of files that may run code when they are opened; never copied, never read."""


@dataclass(frozen=True)
class Addition:
    """An added model, and the names of files that were not copied because they can run code."""

    model: Added
    left: tuple[str, ...]
    words: bool = True
    """Whether it has a text tower; else it is an eye."""


def add_model(folder: Path, name: str | None = None) -> Addition:
    """Check a model's folder, encode two images and texts, and copy its files; whole or not at all.

    BackboneError: the folder holds no usable model, the name is not allowed or taken, or there is no room.
    """
    name = check_name(name or os.path.basename(os.path.realpath(folder)))
    sweep(models_root())
    if not folder.is_dir():
        raise BackboneError(
            "{folder} is not a folder. Give the folder that holds config.json.", folder=folder
        )
    words = has_text_tower(folder)
    checkpoint = Checkpoint.open(folder, words=words)
    fingerprint = checkpoint.fingerprint()
    added, left = Added(name, folder_of(name), fingerprint), tuple(_runs_code(folder))
    if (there := read_added(added.folder)) is not None:
        if there == added:
            return Addition(added, left, words)
        raise BackboneError(
            'a model called "{name}" is there already, with fingerprint {fingerprint}; the new '
            "one has {new}. Give --name another name, or run  clipgrip models remove "
            "{name}  first.",
            name=there.name,
            fingerprint=there.fingerprint[:12],
            new=fingerprint[:12],
        )
    _try_out((ClipBackbone if words else VisionEye)(name, folder, precision="float32"))
    _copy(checkpoint, added)
    return Addition(added, left, words)


def _runs_code(folder: Path) -> Iterator[str]:
    return (
        path.name
        for path in sorted(folder.iterdir())
        if path.is_file() and path.suffix.lower() in RUNS_CODE
    )


def _try_out(model: ClipBackbone | VisionEye) -> None:
    """Encode two images and two texts. BackboneError: damaged or untrained towers, which would else fail in a run."""
    folder, shape = model.folder, (1, *model.steps.output_size, 3)
    noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    answers = [("image", model.encode_image(np.concatenate([np.full_like(noise, 128), noise])))]
    if isinstance(model, ClipBackbone):
        with as_backbone_error(folder):
            answers.append(("text", model.text.encode_texts(["a photo", "seven black cats"])))
    for side, vector in answers:
        if vector.shape != (2, model.embed_dim) or not bool(torch.isfinite(vector).all()):
            raise BackboneError(
                "{folder}: the {side} tower answers {shape} values, some of which may be no numbers; "
                "expected are (2, {embed_dim}). The weights are damaged: copy the model again.",
                folder=folder,
                side=side,
                shape=tuple(vector.shape),
                embed_dim=model.embed_dim,
            )
        if torch.equal(vector[0], vector[1]):
            raise BackboneError(
                "{folder}: the {side} tower answers the same to everything. The weights are damaged, or of a model "
                "that was never trained: copy the model again.",
                folder=folder,
                side=side,
            )


def _copy(checkpoint: Checkpoint, model: Added) -> None:
    target, files = model.folder, list(_files(checkpoint))
    part = Path(part_name(target.parent))
    try:
        part.mkdir(parents=True)
        _check_room(files, part)
        for path in files:
            _copy_through(path, part / path.name)
        if Checkpoint.open(part, words=has_text_tower(part)).fingerprint() != model.fingerprint:
            raise BackboneError(
                "{folder} changed while it was copied. Add it again.", folder=checkpoint.folder
            )
        record = {
            "name": model.name,
            "fingerprint": model.fingerprint,
            "added": date.today().isoformat(),
        }
        write_text_atomic(part / RECORD, json.dumps(record, indent=1) + "\n")
        os.replace(part, target)
    except OSError as error:
        raise BackboneError(
            "the model cannot be copied to {parent}: {reason}. {todo}, or set {variable} to "
            "another folder.",
            parent=target.parent,
            reason=system_words(error),
            todo=what_to_do(error),
            variable=ROOT_VARIABLE,
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _files(checkpoint: Checkpoint) -> Iterator[Path]:
    """The files that the fingerprint covers, and the index of weights in several files."""
    index = () if checkpoint.weights[0].name == WEIGHTS else (INDEX,)
    for name in ("config.json", *PREPROCESSOR_FILES, *TOKENIZER_FILES, *index):
        if (path := checkpoint.folder / name).is_file():
            yield path
    yield from checkpoint.weights


def _check_room(files: Sequence[Path], folder: Path) -> None:
    needed, free = sum(path.stat().st_size for path in files), shutil.disk_usage(folder).free
    if needed > free:
        raise BackboneError(
            "the model takes {needed} GB, and {parent} has {free} GB free. Make room, or set "
            "{variable} to another folder.",
            needed=f"{needed / 1e9:.1f}",
            parent=folder.parent,
            free=f"{free / 1e9:.1f}",
            variable=ROOT_VARIABLE,
        )


def _copy_through(source: Path, target: Path) -> None:
    """Copy a file, through links, and flush it to the disk."""
    with source.open("rb") as read, target.open("xb") as written:
        shutil.copyfileobj(read, written, 2**22)
        written.flush()
        os.fsync(written.fileno())
