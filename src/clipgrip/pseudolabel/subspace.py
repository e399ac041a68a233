"""Directions in which images differ more than those that look alike do: where their classes lie.

A discriminant analysis without labels, the neighbours of an image in the place of its class: locality preserving
projections (He, Niyogi, NeurIPS 2003), which maximise the variance of all images over that among neighbours. What
neighbours do not share (light, framing, view) is left out before clusters are sought.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from clipgrip.pseudolabel.blocks import spans
from clipgrip.pseudolabel.neighbours import Graph
from clipgrip.types import ImageEmbeds

DIFFERS = 0.8
"""Variance of all images over the shrunk one among neighbours, from which on a direction is kept."""
SHRINKAGE = 0.5
"""How far the covariance among neighbours is shrunk towards a multiple of the identity."""
FEWEST = 4
"""Directions that are kept in any case."""
MOST = 256
"""Directions at most: half of CLIP's, so that a million projected images take half a gigabyte."""
TINY = 1e-9


@dataclass(frozen=True)
class Subspace:
    """d directions in which neighbours vary alike, and the mean of the images."""

    mean: Float[Tensor, D] = field(repr=False)
    directions: Float[Tensor, "D d"] = field(repr=False)

    def project(self, embeds: Float[Tensor, "N D"]) -> Float[Tensor, "N d"]:
        """Unit vectors in the subspace, of the same floating type."""
        width = self.directions.shape[1]
        projected, offset = embeds.new_empty(len(embeds), width), self.mean @ self.directions
        for rows in spans(len(embeds)):
            projected[rows] = F.normalize(embeds[rows].float() @ self.directions - offset, dim=1)
        return projected


def discriminating(image_embeds: ImageEmbeds, graph: Graph) -> Subspace:
    """The subspace of a pool (N, D); time and memory linear in N."""
    mean = torch.zeros(image_embeds.shape[1])
    for rows in spans(len(image_embeds)):
        mean += image_embeds[rows].float().sum(0)
    mean /= len(image_embeds)
    total, among = _scatters(image_embeds, graph, mean)
    scale = among.diagonal().mean().clamp_min(TINY)
    shrunk = (1 - SHRINKAGE) * among + SHRINKAGE * scale * torch.eye(len(among)).double()
    root = torch.linalg.cholesky(shrunk)
    half = torch.linalg.solve_triangular(root, total, upper=False)
    ratios, axes = torch.linalg.eigh(torch.linalg.solve_triangular(root, half.T, upper=False))
    kept = min(max(FEWEST, int((ratios > DIFFERS).sum())), MOST, len(ratios))
    directions = torch.linalg.solve_triangular(root.T, axes[:, -kept:], upper=True)
    return Subspace(mean, (directions / directions.norm(dim=0).mean()).float())


def _scatters(image_embeds: ImageEmbeds, graph: Graph, mean: Tensor) -> tuple[Tensor, Tensor]:
    """(D, D) covariances in float64: of all images, and among neighbours, Xᵀ(D - W)X over the sum of the weights."""
    width = image_embeds.shape[1]
    total, among = torch.zeros(2, width, width, dtype=torch.float64)
    weight = 0.0
    for cell in graph.cells:
        images = image_embeds[cell.rows].float() - mean
        degrees = cell.spread(torch.ones(len(images), 1))
        total += images.T @ images
        among += images.T @ (degrees * images - cell.spread(images))
        weight += float(degrees.sum())
    return total / len(image_embeds), (among + among.T) / 2 / max(weight, TINY)
