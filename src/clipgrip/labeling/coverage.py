"""The few images that stand for the many: coverage, made as large as greed can."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from clipgrip.types import ImageEmbeds

BLOCK = 2048
"""Images that are read at once."""
SAMPLE = 8192
"""Up to so many images each may be chosen and is to be covered; of more, so many that are drawn by their weight."""
FIRST = 64
"""Images whose gain is computed anew before a choice; more where these do not decide."""
NOTHING = 1e-6
"""A gain under this share of all weight is none: what is left looks like what is chosen."""
SAME = 1e-3
"""A distance from the mean of all images that is no direction."""

Rows = Int[Tensor, " n"]
Weights = Float[Tensor, " N"]


def covering(
    image_embeds: ImageEmbeds,
    weights: Weights,
    n: int,
    *,
    known: Int[Tensor, " K"],
    barred: Int[Tensor, " B"],
    draw: torch.Generator,
) -> Rows:
    """At most ``n`` rows, best first, that with the ``known`` ones cover the weighted images best.

    Coverage is Σ w(x) max k(x, s) over the rows s that are chosen or known (generalised coverage: Bae, Noh, Sutherland,
    ECCV 2024, arXiv 2407.12212; weighted: Uncertainty Herding, ICLR 2025, arXiv 2412.20644), k the cosine around the
    mean of all images, at least 0. Taking the best next row each time reaches 1 - 1/e of the best set.

    Cost: for N images of width D and R = min(N, 8192), N·D to read and R²·D to compare, memory for R² similarities (256
    MB at most). Of equal gains the more typical image comes, then the lower row. What looks like a chosen image is left
    out, so fewer rows may come.
    """
    free = torch.ones(len(image_embeds), dtype=torch.bool)
    free[known], free[barred] = False, False
    candidates = _candidates(free * weights, draw)
    if not len(candidates) or n < 1:
        return torch.zeros(0, dtype=torch.long)
    space = Space.of(image_embeds)
    rows, counts = _references(weights, draw)
    ground = Ground(space.similar(candidates, space.at(rows)), counts)
    covered = torch.zeros(len(rows))
    for part in known.split(BLOCK) if len(known) else ():
        covered = torch.maximum(covered, space.similar(part, space.at(rows)).max(0).values)
    chosen = ground.choose(n, covered) or [0] * (not len(known))
    return candidates[torch.tensor(chosen, dtype=torch.long)]


def nearest_counts(image_embeds: ImageEmbeds, rows: Rows) -> Int[Tensor, " n"]:
    """(n,) for each of some rows: how many images are nearer to it than to any other of them, itself included."""
    space = Space.of(image_embeds)
    counts = torch.zeros(len(rows), dtype=torch.long)
    for part in torch.arange(len(image_embeds)).split(BLOCK) if len(rows) else ():
        nearest = torch.full((len(part),), -1)
        best = torch.full((len(part),), -torch.inf)
        for start in range(0, len(rows), BLOCK):
            similar, place = (space.at(part) @ space.at(rows[start : start + BLOCK]).T).max(1)
            nearest = torch.where(similar > best, place + start, nearest)
            best = torch.maximum(best, similar)
        counts += torch.bincount(nearest, minlength=len(rows))
    return counts


@dataclass(frozen=True)
class Space:
    """The images as seen from their mean: CLIP's images lie in a narrow cone, and only inside it do they differ."""

    images: ImageEmbeds = field(repr=False)
    mean: Float[Tensor, " D"] = field(repr=False)

    @classmethod
    def of(cls, images: ImageEmbeds) -> Space:
        """The space of a pool."""
        total = torch.zeros(images.shape[1], dtype=torch.double)
        for part in images.split(BLOCK):
            total += part.double().sum(0)
        return cls(images, (total / max(1, len(images))).float())

    def at(self, rows: Rows) -> Float[Tensor, "n D"]:
        """Unit vectors from the mean to the images."""
        return F.normalize(self.images[rows].float() - self.mean, dim=1, eps=SAME)

    def similar(self, rows: Rows, directions: Float[Tensor, "R D"]) -> Float[Tensor, "n R"]:
        """How far each image stands for each direction: the cosine, at least 0."""
        found = torch.empty(len(rows), len(directions))
        for start in range(0, len(rows), BLOCK):
            part = slice(start, start + BLOCK)
            found[part] = (self.at(rows[part]) @ directions.T).clamp_min_(0)
        return found


@dataclass(frozen=True)
class Ground:
    """How far each of n candidates stands for each of R images (n, R), and what these weigh (R,)."""

    similar: Float[Tensor, "n R"] = field(repr=False)
    weights: Float[Tensor, " R"] = field(repr=False)

    def choose(self, n: int, covered: Float[Tensor, " R"]) -> list[int]:
        """At most ``n`` candidates, best first, where the images are ``covered`` so far already.

        Gains only fall as more is covered, so an old gain is a bound and few are computed anew (Minoux, 1978).
        """
        everyone = torch.arange(len(self.similar))
        typical = self._gains(everyone, torch.zeros_like(covered))
        bounds = self._gains(everyone, covered)
        chosen: list[int] = []
        while len(chosen) < min(n, len(bounds)):
            best = self._best(bounds, covered, typical)
            if not bounds[best] > self._nothing:
                break
            chosen.append(best)
            bounds[best] = -torch.inf
            covered = torch.maximum(covered, self.similar[best])
        return chosen

    @property
    def _nothing(self) -> float:
        return NOTHING * float(self.weights.sum())

    def _best(self, bounds: Tensor, covered: Tensor, typical: Tensor) -> int:
        """The candidate of the largest gain; of equals the most typical, then the lowest.

        ``bounds`` (n,) come up to date as far as needed.
        """
        stale, best, size = bounds.clone(), -torch.inf, FIRST
        while float(stale.max()) > -torch.inf and float(stale.max()) >= best - self._nothing:
            rows = stale.topk(min(size, len(stale))).indices
            rows = rows[stale[rows] > -torch.inf]
            bounds[rows], stale[rows] = self._gains(rows, covered), -torch.inf
            best, size = max(best, float(bounds[rows].max())), 4 * size
        equals = (bounds >= best - self._nothing) & (stale == -torch.inf)
        ranks = typical.masked_fill(~equals, -torch.inf)
        return int((ranks >= ranks.max() - self._nothing).nonzero()[0])

    def _gains(self, rows: Rows, covered: Tensor) -> Float[Tensor, " n"]:
        """What each of some candidates would add."""
        parts = [
            (self.similar[part] - covered).clamp_min_(0) @ self.weights for part in rows.split(256)
        ]
        return torch.cat(parts)


def _candidates(weights: Weights, draw: torch.Generator) -> Rows:
    """All rows with a weight, ascending, or a sample of them."""
    rows = weights.nonzero().squeeze(1)
    if len(rows) <= SAMPLE:
        return rows
    return weights.double().multinomial(SAMPLE, generator=draw).sort().values


def _references(weights: Weights, draw: torch.Generator) -> tuple[Rows, Float[Tensor, " R"]]:
    """All rows with a weight and these, or a sample with replacement and how often each came: coverage is unbiased."""
    rows = weights.nonzero().squeeze(1)
    if len(rows) <= SAMPLE:
        return rows, weights[rows]
    drawn = weights.double().multinomial(SAMPLE, replacement=True, generator=draw)
    rows, times = drawn.unique(return_counts=True)
    return rows, times.float()
