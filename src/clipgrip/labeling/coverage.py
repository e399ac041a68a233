"""A few images that cover all: greedy maximisation of weighted coverage, a facility-location function."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from clipgrip.types import ImageEmbeds

BLOCK = 2048
"""Images per block of computation."""
SAMPLE = 8192
"""Most candidates, and most images to be covered; of larger pools so many are drawn with probabilities by weight."""
FIRST = 64
"""Candidates whose gain is updated first before each choice; more if these do not decide it."""
NOTHING = 1e-6
"""A gain below this share of the total weight counts as 0: what is left looks like what is chosen."""
SAME = 1e-3
"""An image nearer to the mean of all images than this has no direction from there."""

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
    """At most ``n`` rows, best first, that together with the ``known`` ones cover the weighted images best.

    Coverage is Σ_x w(x) max_s k(x, s) over the rows s that are chosen or known (generalised coverage: Bae, Noh,
    Sutherland, ECCV 2024, arXiv 2407.12212; weighted: Uncertainty Herding, ICLR 2025, arXiv 2412.20644), with k the
    cosine around the mean of all images, at least 0. It is submodular, so the greedy choice reaches 1 - 1/e of the
    optimum. ``barred`` rows are covered but not chosen.

    Cost: for N images of width D and R = min(N, 8192), N·D to read and R²·D to compare, memory for R² similarities (256
    MB at most). Of equal gains the more typical image wins, then the lower row. What looks like a chosen image is left
    out, so there may be fewer rows than ``n``.
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
    """(n,) how many images have each of these rows as the nearest of them, itself included."""
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
    """Images by their direction from the mean: CLIP's embeddings lie in a narrow cone and differ only within it."""

    images: ImageEmbeds = field(repr=False)
    mean: Float[Tensor, " D"] = field(repr=False)

    @classmethod
    def of(cls, images: ImageEmbeds) -> Space:
        """From a pool (N, D)."""
        total = torch.zeros(images.shape[1], dtype=torch.double)
        for part in images.split(BLOCK):
            total += part.double().sum(0)
        return cls(images, (total / max(1, len(images))).float())

    def at(self, rows: Rows) -> Float[Tensor, "n D"]:
        """(n, D) unit vectors from the mean to these images."""
        return F.normalize(self.images[rows].float() - self.mean, dim=1, eps=SAME)

    def similar(self, rows: Rows, directions: Float[Tensor, "R D"]) -> Float[Tensor, "n R"]:
        """(n, R) cosine of each image with each direction, at least 0."""
        found = torch.empty(len(rows), len(directions))
        for start in range(0, len(rows), BLOCK):
            part = slice(start, start + BLOCK)
            found[part] = (self.at(rows[part]) @ directions.T).clamp_min_(0)
        return found


@dataclass(frozen=True)
class Ground:
    """The similarity of n candidates to R images that are to be covered, and the weights of these."""

    similar: Float[Tensor, "n R"] = field(repr=False)
    weights: Float[Tensor, " R"] = field(repr=False)

    def choose(self, n: int, covered: Float[Tensor, " R"]) -> list[int]:
        """At most ``n`` candidates, best first; each image is ``covered`` (R,) so far by known rows.

        Lazy greedy (Minoux, 1978): gains only fall as more is covered, so an old gain is an upper bound, and only few
        are computed again.
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
        """(n,) the coverage that each of these candidates would add."""
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
    """The images to be covered and their weights: all with a weight, or a sample with replacement and its counts.

    With the sample the coverage is an unbiased estimate.
    """
    rows = weights.nonzero().squeeze(1)
    if len(rows) <= SAMPLE:
        return rows, weights[rows]
    drawn = weights.double().multinomial(SAMPLE, replacement=True, generator=draw)
    rows, times = drawn.unique(return_counts=True)
    return rows, times.float()
