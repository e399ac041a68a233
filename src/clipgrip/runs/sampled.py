"""A part of a large pool, from which a prompt is tuned: drawn once from the run's seed, every label in it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from numpy.typing import NDArray
from torch import Tensor

from clipgrip.mapped import gathered
from clipgrip.runs.embedding import Embeds
from clipgrip.sentences import Sentence
from clipgrip.task import Task
from clipgrip.types import WideEmbeds


def sample_rows(
    task: Task, hashes: Iterable[str], most: int, seed: int
) -> Int[Tensor, " n"] | None:
    """Rows of a random sample, ascending; None where all are few enough.

    Labeled images are taken first, up to half of the sample. Each image draws its lot by its content hash, so that the
    sample of a stored run stays what it was where single images have gone since.
    """
    if len(task.labels) <= most:
        return None
    drawn = torch.from_numpy(_lots(hashes, seed).argsort(kind="stable"))
    is_labeled = task.labels[drawn] >= 0
    labeled, unlabeled = drawn[is_labeled], drawn[~is_labeled]
    few = labeled[: max(most // 2, most - len(unlabeled))]
    return torch.cat([few, unlabeled[: most - len(few)]]).sort().values


def _lots(hashes: Iterable[str], seed: int) -> NDArray[np.uint64]:
    """(N,) a number for each image that its content and the seed decide."""
    digests = (hashlib.sha256(f"tuned on {seed} {one}".encode()).digest()[:8] for one in hashes)
    return np.frombuffer(b"".join(digests), ">u8")


def vector_hashes(embeds: WideEmbeds) -> Iterator[str]:
    """What stands for the content hash of images that came as arrays: that of their vectors."""
    return (hashlib.sha256(one.numpy().tobytes()).hexdigest() for one in embeds)


def embeds_of(embeds: Embeds, rows: Int[Tensor, " n"]) -> Embeds:
    """Some of the pool, with all of the test images."""
    beside = embeds.pool_beside
    return replace(
        embeds,
        pool=gathered(embeds.pool, rows),
        pool_rows=embeds.pool_rows.take(rows.numpy())
        if len(embeds.pool_rows)
        else embeds.pool_rows,
        pool_beside=None if beside is None else gathered(beside, rows),
    )


def task_of(task: Task, rows: Int[Tensor, " n"]) -> Task:
    """The same task for some of its images."""
    return replace(task, labels=task.labels[rows])


def sample_facts(learning: Task, task: Task) -> dict[str, Any]:
    """The part of metrics.json about the sample; nothing where all images were learned from."""
    if len(learning.labels) == len(task.labels):
        return {}
    return {
        "sample": {
            "images": len(learning.labels),
            "labeled": len(learning.labeled),
            "of": len(task.labels),
        }
    }


def sample_sentence(metrics: Mapping[str, Any]) -> Sentence | None:
    """What people are told of it."""
    facts = metrics.get("sample")
    if facts is None:
        return None
    return Sentence(
        "The prompt was tuned on a random sample of {images} of the {total} images, and answers all of them.",
        images=f"{facts['images']:,}",
        total=f"{facts['of']:,}",
    )
