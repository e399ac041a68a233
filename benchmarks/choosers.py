"""Other ways to choose what to label, to measure ours against: each gives (n,) rows of (N, D) images."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from clipgrip.seeds import generator
from clipgrip.types import ImageEmbeds, Labels

Chooser = Callable[[ImageEmbeds, int, int], Tensor]
"""(images, n, seed) -> rows."""


def at_random(images: ImageEmbeds, n: int, seed: int) -> Tensor:
    """Every image alike."""
    return torch.randperm(len(images), generator=generator(seed, "random"))[:n]


def in_turn(labels: Labels, classes: int, n: int, seed: int) -> Tensor:
    """At random, but from each class in turn, while it lasts."""
    draw = generator(seed, "in turn")
    order = torch.randperm(len(labels), generator=draw)
    ranks = torch.zeros_like(labels)
    for c in range(classes):
        rows = order[labels[order] == c]
        ranks[rows] = torch.arange(len(rows))
    return order[ranks[order].argsort(stable=True)][:n]


def medoids(images: ImageEmbeds, n: int, seed: int) -> Tensor:
    """The image nearest to each centre of spherical k-means with ``n`` clusters."""
    cosines, cluster = _k_means(images, n, seed)
    return _best_of_each(cosines, cluster, n)


def typiclust(images: ImageEmbeds, n: int, seed: int, k: int = 20) -> Tensor:
    """The most typical image of each of ``n`` clusters (Hacohen, Dekel, Weinshall, ICML 2022, arXiv 2202.02794).

    Typicality is one over the mean distance to the ``k`` nearest images of the same cluster.
    """
    _, cluster = _k_means(images, n, seed)
    typical = torch.zeros(len(images))
    for c in range(n):
        rows = (cluster == c).nonzero().squeeze(1)
        if len(rows) > 1:
            similar = (images[rows] @ images[rows].T).topk(min(k + 1, len(rows)), 1).values[:, 1:]
            typical[rows] = -(2 - 2 * similar).clamp_min(0).sqrt().mean(1)
    return _best_of_each(typical, cluster, n)


def probcover(images: ImageEmbeds, n: int, _seed: int) -> Tensor:
    """Balls that cover most images (Yehuda, Dekel, Hacohen, Weinshall, NeurIPS 2022, arXiv 2205.11320).

    The radius is such that a ball holds N / 2n images on average.
    """
    similar = images @ images.T
    held = int(len(images) ** 2 / n / 2)
    inside = similar >= similar.flatten().sort(descending=True).values[held]
    covered = torch.zeros(len(images), dtype=torch.bool)
    chosen: list[int] = []
    for _ in range(n):
        gains = inside[:, ~covered].sum(1)
        gains[chosen] = -1
        chosen.append(int(gains.argmax()))
        covered |= inside[chosen[-1]]
    return torch.tensor(chosen)


def farthest_first(images: ImageEmbeds, n: int, _seed: int) -> Tensor:
    """Each the farthest from those before (core-set: Sener, Savarese, ICLR 2018, arXiv 1708.00489)."""
    chosen = [int((images @ images.mean(0)).argmax())]
    nearest = images @ images[chosen[0]]
    while len(chosen) < n:
        chosen.append(int(nearest.argmin()))
        nearest = torch.maximum(nearest, images @ images[chosen[-1]])
    return torch.tensor(chosen)


def raw_coverage(images: ImageEmbeds, n: int, _seed: int) -> Tensor:
    """Facility location with the cosine as it is, not around the mean of the images."""
    similar = (images @ images.T).clamp_min(0)
    covered = torch.zeros(len(images))
    chosen: list[int] = []
    for _ in range(n):
        gains = (similar - covered).clamp_min(0).sum(1)
        gains[chosen] = -1
        chosen.append(int(gains.argmax()))
        covered = torch.maximum(covered, similar[chosen[-1]])
    return torch.tensor(chosen)


RIVALS: dict[str, Chooser] = {
    "k-means medoids": medoids,
    "TypiClust": typiclust,
    "ProbCover": probcover,
    "farthest first": farthest_first,
    "coverage, not centred": raw_coverage,
}
SOME_RIVALS = {"k-means medoids": medoids}
"""Enough where texts say more than any of them."""


def _k_means(images: ImageEmbeds, n: int, seed: int, steps: int = 30) -> tuple[Tensor, Tensor]:
    """Cosine (N,) to the own centre, and the cluster (N,); started as k-means++ starts."""
    draw = generator(seed, "k-means")
    centres = [int(torch.randint(len(images), (1,), generator=draw))]
    far = (1 - images @ images[centres[0]]).clamp_min(0)
    while len(centres) < n:
        centres.append(int(torch.multinomial(far + 1e-9, 1, generator=draw)))
        far = torch.minimum(far, (1 - images @ images[centres[-1]]).clamp_min(0))
    means = images[centres]
    for _ in range(steps):
        cluster = (images @ means.T).argmax(1)
        sums = torch.zeros_like(means).index_add_(0, cluster, images)
        means = F.normalize(sums + 1e-6 * means, dim=1)
    cosines, cluster = (images @ means.T).max(1)
    return cosines, cluster


def _best_of_each(score: Tensor, cluster: Tensor, n: int) -> Tensor:
    order = score.argsort(descending=True, stable=True)
    kept = [order[cluster[order] == c][:1] for c in range(n)]
    return torch.cat(kept)
