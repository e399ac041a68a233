"""The sample of a large pool on which a prompt is tuned; drawn by the run's seed, labeled images first."""

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
    """Rows of a random sample of at most ``most``, ascending; None where there are no more rows than that.

    Labeled images come first, up to half of the sample. Each image is drawn by a hash of its content and the seed, so
    that a stored run's sample stays the same when single images have gone.
    """
    if len(task.labels) <= most:
        return None
    drawn = torch.from_numpy(_lots(hashes, seed).argsort(kind="stable"))
    is_labeled = task.labels[drawn] >= 0
    labeled, unlabeled = drawn[is_labeled], drawn[~is_labeled]
    few = labeled[: max(most // 2, most - len(unlabeled))]
    return torch.cat([few, unlabeled[: most - len(few)]]).sort().values


def _lots(hashes: Iterable[str], seed: int) -> NDArray[np.uint64]:
    """(N,) a pseudo-random number for each image, from its content hash and the seed."""
    digests = (hashlib.sha256(f"tuned on {seed} {one}".encode()).digest()[:8] for one in hashes)
    return np.frombuffer(b"".join(digests), ">u8")


def vector_hashes(embeds: WideEmbeds) -> Iterator[str]:
    """Hashes of the vectors, in the place of content hashes for embeddings that came as arrays."""
    return (hashlib.sha256(one.numpy().tobytes()).hexdigest() for one in embeds)


def embeds_of(embeds: Embeds, rows: Int[Tensor, " n"]) -> Embeds:
    """The embeddings of some rows of the pool and of all test images."""
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
    """The task for some rows."""
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
    """A sentence about the sample; None where all images were learned from."""
    facts = metrics.get("sample")
    if facts is None:
        return None
    return Sentence(
        "The prompt was tuned on a random sample of {images} of the {total} images, and answers all of them.",
        images=f"{facts['images']:,}",
        total=f"{facts['of']:,}",
    )
