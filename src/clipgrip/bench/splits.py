"""Which classes are seen, which images are held out, which are labeled: drawn so that anyone can draw them again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from clipgrip.data.manifest import Manifest
from clipgrip.data.rows import Rows
from clipgrip.errors import DataError
from clipgrip.seeds import generator
from clipgrip.types import Labels

PAPER_SEEDS = (500, 0, 200)
SEEN_SHARE = 0.62


def paper_seen(n_classes: int, seed: int, share: float = SEEN_SHARE) -> list[int]:
    """The seen classes of the published code, in its order.

    ``numpy.random.seed(s); numpy.random.choice(range(C), int(0.62 C), replace=False)`` with s = 500, 0, 200, by a
    generator of its own, so that no global state is touched.
    """
    drawn = np.random.RandomState(seed).choice(
        range(n_classes), int(share * n_classes), replace=False
    )
    return [int(c) for c in drawn]


def hold_out(manifest: Manifest, share: float) -> Manifest:
    """A share of the labeled pool rows of each class as test images, those with the lowest content hashes.

    A hash is as good as a random number and the same on every machine. One image at least stays, and one at least is
    held out. DataError: a class has fewer than two images.
    """
    rows, test = list(manifest.rows), set()
    for c, name in enumerate(manifest.classes.display):
        own = [n for n, row in enumerate(rows) if row.label == c and row.split == "pool"]
        if len(own) < 2:
            raise DataError(
                'class "{name}" has {n} image; two are needed, one to learn from and one to '
                "measure on. Add images, or take the class away.",
                name=name,
                n=len(own),
            )
        test |= set(own[: min(len(own) - 1, max(1, round(share * len(own))))])
    changed = (replace(row, split="test") if n in test else row for n, row in enumerate(rows))
    return replace(manifest, rows=Rows.of(changed))


def few_shots(truth: Labels, n_classes: int, shots: int, seed: int) -> Labels:
    """(N,) the labels of ``shots`` random rows of each class, -1 elsewhere."""
    draw, labels = generator(seed, "labels"), torch.full_like(truth, -1)
    for c in range(n_classes):
        rows = (truth == c).nonzero().squeeze(1)
        labels[rows[torch.randperm(len(rows), generator=draw)[:shots]]] = c
    return labels
