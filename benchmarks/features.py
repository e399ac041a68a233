"""Real CLIP embeddings to measure on, from files that are not part of this repository.

Set CLIPGRIP_DATA to the folder that holds ``clip-features``; without it, ``../shared/data`` beside the repository.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from clipgrip.runs.embedding import Embeds
from clipgrip.types import ClassEmbeds, ImageEmbeds, Labels


@dataclass(frozen=True)
class FeatureSet:
    """Images (N, D) and their truth (N,), and class embeddings (C, D): texts, or prototypes of a few images."""

    name: str
    images: ImageEmbeds
    labels: Labels
    classes: ClassEmbeds

    def rows(self, rows: Tensor) -> FeatureSet:
        """Some of the images."""
        return FeatureSet(self.name, self.images[rows], self.labels[rows], self.classes)


def with_text(name: str) -> FeatureSet:
    """``caltech58`` or ``imagenet1000``: real text embeddings."""
    data = _read(name)
    return FeatureSet(name, data["image_embeds"], data["labels"].long(), data["class_embeds"])


def with_prototypes(name: str, part: str, shots: int = 1) -> FeatureSet:
    """``dtd`` or ``flowers``, ``pool`` or ``test``, with the means of ``shots`` images a class as classes."""
    data = _read(name)
    labels = data[f"{part}_labels"].long()
    classes = prototypes(data[f"shot{shots}_embeds"], data[f"shot{shots}_labels"].long())
    return FeatureSet(f"{name} {part}", data[f"{part}_embeds"], labels, classes)


def prototypes(images: ImageEmbeds, labels: Labels) -> ClassEmbeds:
    """(C, D) normalised means."""
    means = [images[labels == c].mean(0) for c in range(int(labels.max()) + 1)]
    return F.normalize(torch.stack(means), dim=1)


def few_labels(labels: Labels, shots: int, draw: torch.Generator) -> Labels:
    """(N,) ``shots`` random labels a class, -1 elsewhere."""
    given = torch.full_like(labels, -1)
    for c in labels.unique().tolist():
        rows = (labels == c).nonzero().squeeze(1)
        given[rows[torch.randperm(len(rows), generator=draw)[:shots]]] = c
    return given


def thinned(labels: Labels, ratio: int, draw: torch.Generator) -> Tensor:
    """Rows that leave the last class 1 / ``ratio`` of its images and the first all, geometrically in between."""
    classes = torch.randperm(int(labels.max()) + 1, generator=draw).tolist()
    kept = []
    for rank, c in enumerate(classes):
        rows = (labels == c).nonzero().squeeze(1)
        share = ratio ** (-rank / max(1, len(classes) - 1))
        count = max(1, round(len(rows) * share))
        kept.append(rows[torch.randperm(len(rows), generator=draw)[:count]])
    return torch.cat(kept).sort().values


def unit(vectors: NDArray[Any]) -> NDArray[np.float32]:
    """Rows of length one."""
    plain = vectors.astype(np.float32)
    return plain / np.linalg.norm(plain, axis=1, keepdims=True)


def array_of(name: str) -> Callable[[str], NDArray[Any]]:
    """Reads arrays of a file of embeddings by name."""
    arrays = np.load(data_folder("clip-features") / f"{name}.npz")
    return lambda key: arrays[key]


def photographs(name: str) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], float]:
    """Nano's embeddings of photographs in class folders, their classes, the names' texts and the logit scale."""
    from clipgrip.backbone.registry import load_backbone
    from clipgrip.prompts.classifier import zero_shot

    names, embedded = _photographs(name)
    backbone = load_backbone("nano")
    labels = [names.index(Path(row.paths[0]).parent.name) for row in embedded.pool_rows]
    texts = zero_shot(backbone, names).numpy()
    return embedded.pool.numpy(), np.array(labels), texts, backbone.logit_scale


def eye_of_photographs(name: str) -> NDArray[Any]:
    """A vision-only encoder's embeddings of the same photographs, in the same order."""
    arrays = np.load(data_folder("eye-features") / f"eye-{name}.npz")
    at = {str(path): row for row, path in enumerate(arrays["paths"])}
    rows = []
    for row in _photographs(name)[1].pool_rows:
        short = ("/".join(Path(path).parts[-2:]) for path in row.paths)
        rows.append(next(at[path] for path in short if path in at))
    return np.asarray(arrays["eye_embeds"][rows], dtype=np.float32)


@functools.cache
def _photographs(name: str) -> tuple[list[str], Embeds]:
    """The folders' names and nano's embeddings."""
    from clipgrip.backbone.cache import EmbeddingCache
    from clipgrip.backbone.registry import load_backbone
    from clipgrip.data.classes import ClassNames
    from clipgrip.data.ingest import ingest
    from clipgrip.runs.embedding import embed_manifest

    root, backbone = data_folder("photos") / name, load_backbone("nano")
    names = sorted(path.name for path in root.iterdir() if path.is_dir())
    manifest = ingest(root, classes=ClassNames.of(names), labels=None).manifest
    cache = EmbeddingCache.for_backbone(backbone)
    return names, embed_manifest(backbone, manifest, cache=cache).embeds


def data_folder(part: str) -> Path:
    """A folder of the data to measure on; SystemExit where it is absent."""
    here = Path(__file__).resolve().parents[1].parent / "shared" / "data"
    path = Path(os.environ.get("CLIPGRIP_DATA") or here) / part
    if not path.is_dir():
        raise SystemExit(f"{path} is not here. Set CLIPGRIP_DATA to the folder that holds {part}.")
    return path


def _read(name: str) -> dict[str, Tensor]:
    path = data_folder("clip-features") / f"{name}.npz"
    with np.load(path) as arrays:
        kept = {key: arrays[key] for key in arrays.files if arrays[key].dtype.kind in "fiu"}
    floats = {
        key: value.astype(np.float32) if value.dtype.kind == "f" else value
        for key, value in kept.items()
    }
    tensors = {key: torch.from_numpy(value) for key, value in floats.items()}
    return {
        key: F.normalize(value, dim=1) if value.is_floating_point() else value
        for key, value in tensors.items()
    }
