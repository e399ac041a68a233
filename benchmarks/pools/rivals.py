"""Ways to refine: the default beside short versions of published ones, written from their formulas."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.pools.measure import Trial, Way
from benchmarks.research.map_mixture import map_mixture
from clipgrip.pseudolabel.refine import refined
from clipgrip.pseudolabel.refine.answers import input_of
from clipgrip.pseudolabel.refine.balance import sinkhorn, uniform
from clipgrip.pseudolabel.refine.decide import accept
from clipgrip.pseudolabel.refine.graph import propagate
from clipgrip.pseudolabel.refine.measure import lost_share
from clipgrip.pseudolabel.refine.scale import at_fitting_scale
from clipgrip.pseudolabel.refine.settings import DEFAULT
from clipgrip.types import Probs

STEPS = 10
INNER_STEPS = 5
TEMPERATURE = 50.0
"""Divides log-densities, as both papers' published settings do."""
ANCHOR = 1.0
"""StatA: images of its own from which a class is moved as much by them as by its text."""


def clipgrip(trial: Trial) -> Probs:
    """The default."""
    pool = trial.pool
    return refined(pool.images, pool.classes, logit_scale=pool.scale).probs


def balance(trial: Trial) -> Probs:
    """Equal class shares (OTTER, NeurIPS 2024, with Sinkhorn's scaling)."""
    return sinkhorn(trial.zero_shot, uniform(trial.zero_shot.shape[1]))


def label_propagation(trial: Trial) -> Probs:
    """Diffusion of the answers over three neighbours (ZLaP, CVPR 2024, without the texts as nodes)."""
    labeled = torch.zeros(len(trial.zero_shot), dtype=torch.bool)
    return propagate(trial.images.graph, trial.zero_shot, labeled)


def one_mixture(trial: Trial) -> Probs:
    """One MAP mixture instead of the default's parts, under the default's guard and least number of images."""
    pool = trial.pool
    whole = input_of(pool.images, pool.classes, pool.scale, None, None, DEFAULT)
    copies = trial.images.copies
    given = whole if copies is None else whole.once(copies)
    probs = at_fitting_scale(given.probs)
    if len(probs) < DEFAULT.cluster_min_images * probs.shape[1]:
        return trial.zero_shot
    found = map_mixture(given.images, probs, prototypes=given.prototype_embeds)
    if not accept(lost_share(given, found), DEFAULT):
        return trial.zero_shot
    return found if copies is None else found[copies.image_of]


def transclip(trial: Trial) -> Probs:
    """TransCLIP-ZS (NeurIPS 2024): clusters with a diagonal covariance, neighbours, divergence from the text."""
    return _clusters(trial, anchored=False)


def stata(trial: Trial) -> Probs:
    """StatA (CVPR 2025): the same, the means anchored to those that the text expects.

    The paper anchors the variance too; here one variance for all classes is the images' own.
    """
    return _clusters(trial, anchored=True)


def _clusters(trial: Trial, *, anchored: bool) -> Probs:
    images, text = trial.pool.images.float(), trial.zero_shot.clamp_min(1e-12).log()
    probs, (cell,) = trial.zero_shot.clone(), trial.images.graph.cells
    first = _means_of_surest(images, probs)
    means, variance = first, torch.full((images.shape[1],), 1 / images.shape[1])
    for _ in range(STEPS):
        precision = variance.reciprocal() / TEMPERATURE
        density = images @ (means * precision).T - 0.5 * means.square() @ precision
        density = density + text - density.max(1, keepdim=True).values
        for _ in range(INNER_STEPS):
            probs = (density + cell.spread(probs)).softmax(1)
        sums, totals = probs.T @ images, probs.sum(0)
        means = sums + (ANCHOR * first if anchored else 1e-6 * first)
        means = F.normalize(means, dim=1)
        spread = images.square().sum(0) - 2 * (sums * means).sum(0) + totals @ means.square()
        variance = (spread / totals.sum()).clamp_min(1e-6)
    return probs


def _means_of_surest(images: Tensor, probs: Probs) -> Tensor:
    """(C, D) of the eight surest images of each class."""
    rows = probs.topk(min(8, len(probs)), dim=0).indices
    return F.normalize(images[rows].mean(0), dim=1)


WAYS: dict[str, Way] = {
    "clipgrip": clipgrip,
    "TransCLIP": transclip,
    "StatA": stata,
    "propagation": label_propagation,
    "Sinkhorn": balance,
    "MAP mixture": one_mixture,
}
