"""How frequent each class is among new images, and answers corrected for it."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from clipgrip.errors import DataError
from clipgrip.metrics import confusion
from clipgrip.pseudolabel.refine.balance import Prior
from clipgrip.types import Labels, Probs


@dataclass(frozen=True)
class Shifted:
    """An estimated class prior (C,) and the answers (N, C) under it."""

    prior: Prior = field(repr=False)
    probs: Probs = field(repr=False)


def reweighted(probs: Probs, source: Prior, target: Prior) -> Probs:
    """Answers for classes as frequent as ``target`` from answers made for ``source`` (Saerens 2002, eq. 2.4)."""
    moved = probs * (target / source.clamp_min(1e-12))
    return moved / moved.sum(1, keepdim=True).clamp_min(1e-30)


def em_prior(probs: Probs, source: Prior, *, steps: int = 1000, tolerance: float = 1e-7) -> Shifted:
    """The prior of most likelihood by EM, where only the class shares differ from the source.

    Source: Saerens, Latinne & Decaestecker, Neural Computation 2002, eqs. 2.9. ``probs`` have to be calibrated: with
    overconfident ones the estimate runs to what the model prefers anyway.
    """
    prior = source
    for _ in range(steps):
        found = reweighted(probs, source, prior).mean(0)
        change = (found - prior).abs().sum().item()
        prior = found
        if change < tolerance:
            break
    return Shifted(prior, reweighted(probs, source, prior))


def bbse_prior(probs: Probs, labeled: Probs, labels: Labels) -> Prior:
    """The prior of the images of ``probs`` by the confusions on labeled source images (Lipton et al., ICML 2018).

    Solves ``C w = q``, C the joint shares of answer and truth on the source, q the shares of answers on the target;
    negative weights become 0.

    Raises:
        DataError: a class has no labeled source image, so that its confusions are unknown.
    """
    counts = confusion(labeled, labels).double()
    empty = (counts.sum(1) == 0).nonzero().flatten().tolist()
    if empty:
        raise DataError(
            f"no labeled image of class {', '.join(str(c) for c in empty[:5])} (counted from 0): its confusions are "
            "unknown. Label at least one image of each class, or estimate the prior by EM."
        )
    joint = counts.T / counts.sum()
    answered = torch.bincount(probs.argmax(1), minlength=probs.shape[1]).double() / len(probs)
    ratio = torch.linalg.lstsq(joint, answered[:, None], driver="gelsd").solution[:, 0]
    prior = (ratio.clamp_min(0) * joint.sum(0)).clamp_min(0)
    return (prior / prior.sum()).to(probs.dtype)
