"""One mixture with one objective in the place of balance, mixture, discriminants, propagation and their decisions.

The objective, over soft answers z, means μ, one covariance Σ and factors b of the classes:

    Σ_i z_i · (log N(x_i; μ, Σ) / τ + λ log p_text(x_i) + b) + H(z) + κ/2 Σ_ij w_ij z_i · z_j
        - α/2τ Σ_c |μ_c - m_c|²_Σ - ρ N KL(shares of z | equal shares)

Each block is maximised in closed form in turn: z by its mean field, b by a scaling step of unbalanced transport with
the power φ = ρ / (ρ + 1), μ as a mean of its images and of α images where the text expects it (StatA's anchor), Σ
shrunk by the oracle rule (OAS; Chen et al., IEEE TSP 2010), which has no constant. Images are seen in the directions of
`space`. See docs/decisions/0047.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from clipgrip.pseudolabel.refine.balance import logits_of
from clipgrip.pseudolabel.refine.graph import Graph
from clipgrip.pseudolabel.refine.space import PoolImages
from clipgrip.types import ClassEmbeds, Logits, Probs


@dataclass(frozen=True)
class Knobs:
    """All numbers of the model; the neighbours of the graph and the directions are the default's."""

    temperature: float = 4.0
    """τ, as correlated dimensions make densities far too sure."""
    text_weight: float = 2.0
    """λ."""
    neighbour_weight: float = 3.0
    """κ."""
    anchor: float = 4.0
    """α, in images."""
    balance: float = 0.0
    """φ below 1: 0 leaves the shares to the text, near 1 makes them equal."""
    steps: int = 15
    inner_steps: int = 5


def map_mixture(
    images: PoolImages,
    probs: Probs,
    knobs: Knobs = Knobs(),
    prototypes: ClassEmbeds | None = None,
) -> Probs:
    """(N, C) answers at a maximum of the objective, from the text's answers (N, C)."""
    x, graph = images.projected.float(), images.graph
    text = knobs.text_weight * logits_of(probs)
    factors = _factors(text, knobs)
    z = (text + factors).softmax(1)
    expected = _means(x, z) if prototypes is None else images.subspace.project(prototypes.float())
    means, sigma = _fit(x, z, expected, knobs)
    for _ in range(knobs.steps):
        density = _density(x, means, sigma, knobs) + text
        for _ in range(knobs.inner_steps):
            pull = density + knobs.neighbour_weight * _spread(graph, z)
            factors = _factors(pull, knobs, factors, steps=3)
            z = (pull + factors).softmax(1)
        means, sigma = _fit(x, z, expected, knobs)
    return z


def objective(images: PoolImages, probs: Probs, knobs: Knobs, z: Probs) -> float:
    """The value per image at answers z, with the other blocks at their maximum."""
    x, text = images.projected.float(), knobs.text_weight * logits_of(probs)
    expected = _means(x, (text + _factors(text, knobs)).softmax(1))
    means, sigma = _fit(x, z, expected, knobs)
    fits = _density(x, means, sigma, knobs) - _own(x, sigma, knobs)[:, None] + text
    shares = z.mean(0).clamp_min(1e-12)
    uneven = float((shares * (shares * z.shape[1]).log()).sum())
    rho = knobs.balance / (1 - knobs.balance)
    pairs = 0.5 * knobs.neighbour_weight * (z * _spread(images.graph, z)).sum()
    entropy = -(z * z.clamp_min(1e-12).log()).sum()
    off = means - expected
    anchor = 0.5 * knobs.anchor / knobs.temperature * (off * torch.linalg.solve(sigma, off.T).T)
    return float(((z * fits).sum() + pairs + entropy - anchor.sum()) / len(z)) - rho * uneven


def _factors(logits: Logits, knobs: Knobs, start: Tensor | None = None, steps: int = 30) -> Tensor:
    factors = torch.zeros(logits.shape[1]) if start is None else start
    for _ in range(steps):
        shares = (logits + factors).softmax(1).mean(0).clamp_min(1e-12)
        factors = knobs.balance * (factors - shares.log())
        factors = factors - factors.mean()
    return factors


def _spread(graph: Graph, z: Probs) -> Probs:
    found = torch.empty_like(z)
    for cell in graph.cells:
        found[cell.rows] = cell.spread(z[cell.rows])
    return found


def _means(x: Tensor, z: Probs) -> Tensor:
    return F.normalize(z.T @ x, dim=1)


def _fit(x: Tensor, z: Probs, expected: Tensor, knobs: Knobs) -> tuple[Tensor, Tensor]:
    totals = z.sum(0)[:, None]
    means = (z.T @ x + knobs.anchor * expected) / (totals + knobs.anchor)
    scatter = x.T @ x - (z.T @ x).T @ means - means.T @ (z.T @ x) + (means * totals).T @ means
    return means, _oas(scatter / len(x), len(x))


def _oas(covariance: Tensor, rows: int) -> Tensor:
    """Shrunk towards a multiple of the identity by the share that the oracle approximation finds."""
    d = len(covariance)
    trace, square = float(covariance.trace()), float(covariance.square().sum())
    above = (1 - 2 / d) * square + trace**2
    share = min(1.0, above / ((rows + 1 - 2 / d) * max(square - trace**2 / d, 1e-12)))
    return (1 - share) * covariance + share * trace / d * torch.eye(d)


def _density(x: Tensor, means: Tensor, sigma: Tensor, knobs: Knobs) -> Logits:
    directions = torch.linalg.solve(sigma, means.T)
    return (x @ directions - 0.5 * (means.T * directions).sum(0)) / knobs.temperature


def _own(x: Tensor, sigma: Tensor, knobs: Knobs) -> Tensor:
    """What all classes share of the log-density, the determinant included."""
    white = 0.5 * (x * torch.linalg.solve(sigma, x.T).T).sum(1)
    return (white + 0.5 * torch.logdet(sigma)) / knobs.temperature
