"""Labels that flow along the neighbour graph from the sure to the doubtful images."""

from __future__ import annotations

import torch

from clipgrip.pseudolabel.neighbours import Cell, Graph
from clipgrip.types import Mask, Probs


def propagate(
    graph: Graph, probs: Probs, fixed: Mask, *, alpha: float = 0.8, steps: int = 20
) -> Probs:
    """(N, C): each image mixes ``alpha`` of its neighbours' answers with its own; labeled rows stay.

    The diffusion of Zhou et al. (NeurIPS 2003) from zero-shot answers instead of from labels alone, as in ZLaP (CVPR
    2024, arXiv 2404.04072), which puts the texts into the graph too.
    """
    answers = torch.empty_like(probs)
    for cell in graph.cells:
        answers[cell.rows] = _within(cell, probs[cell.rows], fixed[cell.rows], alpha, steps)
    return answers


def _within(cell: Cell, probs: Probs, fixed: Mask, alpha: float, steps: int) -> Probs:
    degrees = cell.spread(torch.ones(len(probs), 1)).clamp_min(1e-9)
    answers = probs
    for _ in range(steps):
        mixed = alpha * cell.spread(answers) / degrees + (1 - alpha) * probs
        answers = torch.where(fixed[:, None], probs, mixed)
    return answers / answers.sum(1, keepdim=True).clamp_min(1e-12)
