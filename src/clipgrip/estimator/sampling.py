"""The sample of a large pool that a fit learns from: the one that a run would draw."""

from __future__ import annotations

import warnings

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipgrip.runs.prepare import Prepared
from clipgrip.runs.tuning_sample import sample_rows, vector_hashes
from clipgrip.task import Task
from clipgrip.training import memory
from clipgrip.types import Labels, WideEmbeds


def learned_from(ready: Prepared) -> Prepared:
    """Itself, or a sample of it; a warning says so."""
    learning = ready.learning
    if learning is not ready:
        _say(len(learning.task.labels), len(ready.task.labels))
    return learning


def reference_scores(
    embeds: WideEmbeds, labels: Labels, n_classes: int, seed: int
) -> tuple[Float[Tensor, "n W"], Int[Tensor, " n"]]:
    """Embeddings and labels, or a sample of both, for a fit that has no class texts."""
    task = Task(labels, torch.ones(n_classes, dtype=torch.bool))
    rows = sample_rows(task, vector_hashes(embeds), memory.TUNED_ROWS, seed)
    if rows is None:
        return embeds, labels
    _say(len(rows), len(labels))
    return embeds[rows], labels[rows]


def _say(images: int, total: int) -> None:
    sentence = f"Learned from a random sample of {images:,} of the {total:,} images, labels first."
    warnings.warn(sentence, UserWarning, stacklevel=5)
