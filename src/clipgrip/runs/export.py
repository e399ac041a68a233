"""Exports images as a file of embeddings, which `clipgrip run` accepts in the place of images."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipgrip.backbone.base import Backbone, Eye
from clipgrip.data.issues import Issues
from clipgrip.data.manifest import Manifest
from clipgrip.data.rows import Row
from clipgrip.data.sources import FileSource
from clipgrip.prompts.classifier import zero_shot
from clipgrip.prompts.templates import Template
from clipgrip.runs.embedding import embed_with_cache
from clipgrip.runs.events import Listener


@dataclass(frozen=True)
class Exported:
    """The arrays of a file (`data.embeddings` says what each means), and the images that have no embedding."""

    arrays: dict[str, NDArray[Any]] = field(repr=False)
    images: int
    banks: tuple[str, ...]
    issues: Issues

    def npz(self) -> bytes:
        """The bytes of an .npz."""
        out = io.BytesIO()
        np.savez(out, **self.arrays)  # type: ignore[arg-type]
        return out.getvalue()


def export(
    manifest: Manifest,
    backbone: Backbone,
    eyes: Sequence[Eye],
    *,
    template: Template | None,
    place: Path,
    listener: Listener,
) -> Exported:
    """The embeddings of a manifest's images; with a ``template`` those of the class names too.

    ``place`` is the path of the future file, to which paths of pictures are relative. DataError: no image can be read.
    """
    found = embed_with_cache(backbone, manifest, listener)
    rows = (*found.embeds.pool_rows, *found.embeds.test_rows)
    banks: dict[str, NDArray[Any]] = {}
    for eye in (backbone, *eyes):
        seen = (
            found
            if eye is backbone
            else embed_with_cache(eye, found.manifest, listener, stage=f"embed:{eye.name}")
        )
        both = np.concatenate([seen.embeds.pool.numpy(), seen.embeds.test.numpy()])
        banks[bank_name(eye.name)] = both
    names = manifest.classes.display
    arrays: dict[str, NDArray[Any]] = {
        **banks,
        "ids": np.array([row.path for row in rows]),
        "paths": np.array([_picture(row, place) for row in rows]),
    }
    if template is not None:
        arrays["class_names"] = np.array(names)
        arrays["class_embeds"] = zero_shot(backbone, manifest.classes.prompts, template).numpy()
        arrays["logit_scale"] = np.array(backbone.logit_scale)
        if any(row.label >= 0 for row in rows):
            arrays["labels"] = np.array(
                [names[row.label] if row.label >= 0 else "" for row in rows]
            )
        if len(found.manifest.test):
            arrays["test"] = np.array([row.split == "test" for row in rows])
    return Exported(arrays, len(rows), tuple(banks), found.issues)


def bank_name(model: str) -> str:
    """The name of a model's bank: the model's name, or the last part of its folder."""
    return os.path.basename(os.path.normpath(model)) if os.path.isabs(model) else model


def _picture(row: Row, place: Path) -> str:
    """Path of the image relative to the folder of the file; empty for an image in a packed file."""
    if not isinstance(row.source, FileSource):
        return ""
    try:
        return Path(os.path.relpath(row.source.path, place.absolute().parent)).as_posix()
    except ValueError:  # another drive
        return row.source.path
