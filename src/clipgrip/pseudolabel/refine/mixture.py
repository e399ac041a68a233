"""A Gaussian mixture of the images with one component per class, regularised by the text and by the neighbour graph.

``mixture`` follows TransCLIP (Zanella, Gérin, Ben Ayed, NeurIPS 2024, arXiv 2406.01837): one diagonal covariance for
all classes, a term that makes neighbours agree, a prior from the text; closed-form updates in alternation. Because no
edge leaves a cell, each cell takes all its inner steps while it is in the cache: images are read once per outer step.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from clipgrip.mapped import like
from clipgrip.pseudolabel.refine.chunks import CHUNK, chunk_slices, computed
from clipgrip.pseudolabel.refine.graph import Cell
from clipgrip.pseudolabel.refine.space import Pool
from clipgrip.types import Logits, Probs

Means = Float[Tensor, "C D"]


def mixture(pool: Pool, prior: Probs, text: Logits) -> Probs:
    """(N, C) the mixture's answers. They start at ``prior`` (N, C); ``text`` (N, C) is its log, added to densities."""
    settings, probs = pool.settings, like(prior)
    means = _means_of_surest(pool, prior, settings.numerics.mixture_first_images)
    squares = pool.scatter(1.0).diagonal().float()
    variance = torch.full((pool.images.shape[1],), 1 / pool.images.shape[1])

    def answer(cell: Cell) -> tuple[Probs, list[Tensor]]:
        images = [pool.read(rows) for rows in cell.rows_in_parts(CHUNK)]
        precision = variance.reciprocal() / settings.mixture_temperature
        density = _diagonal_density(images, means, precision)
        density.add_(text[cell.at])
        found = _inner_steps(pool, cell, density, last[cell.at].float())
        probs[cell.at] = found.to(probs.dtype)
        return found, images

    last = prior
    for _ in range(settings.numerics.mixture_outer_steps):
        before, sums, totals = means, torch.zeros_like(means), torch.zeros(len(means))
        for found, images in pool.graph.computed(answer, last, probs, text, pool.images):
            totals += found.sum(0)
            for part, block in zip(found.split(CHUNK), images, strict=True):
                sums.addmm_(part.T, block)
        last = probs
        means = F.normalize(sums + 1e-6 * before, dim=1)
        spread = squares - 2 * (sums * means).sum(0) + totals @ means.square()
        variance = (spread / totals.sum()).clamp_min(1e-6)
        if float((means - before).abs().max()) < settings.numerics.mixture_tolerance:
            break
    return probs


def _inner_steps(pool: Pool, cell: Cell, density: Logits, probs: Probs) -> Probs:
    """(n, C) one cell's answers z after a few updates z ← softmax(density + W z); ``density`` includes the text."""
    for _ in range(pool.settings.numerics.mixture_inner_steps):
        probs = pool.keep_labels(cell.spread(probs).add_(density).softmax(1), cell.at)
    return probs


def _means_of_surest(pool: Pool, prior: Probs, surest: int) -> Means:
    """(C, D) unit means of the ``surest`` images of each class, weighted by their probability."""
    values, rows = torch.zeros(0, prior.shape[1]), torch.zeros(0, prior.shape[1], dtype=torch.long)

    def surest_of(part: slice) -> tuple[Tensor, Tensor]:
        best, at = prior[part].float().topk(min(surest, part.stop - part.start), dim=0)
        return best, at + part.start

    for best, at in computed(surest_of, chunk_slices(len(prior), 16 * CHUNK), over=(prior,)):
        values, rows = torch.cat([values, best]), torch.cat([rows, at])
        values, at = values.topk(min(surest, len(values)), dim=0)
        rows = rows.gather(0, at)
    picked = pool.read(rows.T.reshape(-1)).view(*rows.T.shape, -1)
    return F.normalize(torch.einsum("ct,ctd->cd", values.T, picked), dim=1)


def _diagonal_density(images: list[Tensor], means: Means, precision: Tensor) -> Logits:
    """(n, C) log-density up to a constant of the image; ``precision`` (D,) is the inverse variance."""
    constant = -0.5 * (means.square() @ precision)
    weighted = (means * precision).T.contiguous()
    return torch.cat([torch.addmm(constant, block, weighted) for block in images])
