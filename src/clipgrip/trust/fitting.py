"""Calibration fitted to labels, and scores before and after it on labels that it was not fitted to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from clipgrip import metrics
from clipgrip.errors import DataError
from clipgrip.seeds import generator
from clipgrip.trust.calibration import Temperature
from clipgrip.types import Labels, Logits, Probs

LOWEST, HIGHEST = 0.02, 50.0
"""Temperatures that are searched."""
SPREAD = 0.5
"""Standard deviation of the prior on log temperature: with few labels it stays near 1, hundreds outweigh the prior."""


LEAST = 20
"""Fewest labels that a temperature is fitted to."""
FOLDS = 5


def fit_temperature(logits: Logits, labels: Labels) -> Temperature:
    """The temperature of least log loss plus a prior ``log T ~ N(0, SPREAD²)``; labels of -1 count nowhere.

    Source: Guo et al., ICML 2017; the prior is ours. DataError: fewer than `LEAST` labels.
    """
    known = labels >= 0
    if (count := int(known.sum())) < LEAST:
        raise DataError(
            "temperature calibration over {classes} classes needs {needed} labeled images, there are {count}. "
            "Label {more} more.",
            classes=logits.shape[1],
            needed=LEAST,
            count=count,
            more=LEAST - count,
        )
    logits, labels = logits[known].double(), labels[known]

    def loss(log_t: float) -> float:
        log_probs = (logits / float(np.exp(log_t))).log_softmax(1)
        data = -log_probs.gather(1, labels[:, None]).sum().item()
        return float(data + log_t**2 / (2 * SPREAD**2))

    from scipy.optimize import minimize_scalar  # not light, and putting a prompt to work needs none

    found = minimize_scalar(
        loss, bounds=(np.log(LOWEST), np.log(HIGHEST)), method="bounded", options={"xatol": 1e-6}
    )
    return Temperature(float(np.exp(found.x)))


@dataclass(frozen=True)
class Checked:
    """`figures` of n labeled images before calibration, and after a calibration that was fitted without them."""

    n: int
    before: dict[str, float]
    after: dict[str, float]


def cross_fitted(
    fit: Callable[[Logits, Labels], Callable[[Logits], Probs]],
    logits: Logits,
    labels: Labels,
) -> Float[Tensor, "n C"]:
    """Probabilities of the labeled rows, each from a calibration fitted without it; rows in their order.

    DataError: a fold leaves too few labels to fit.
    """
    known = (labels >= 0).nonzero().flatten()
    logits, labels = logits[known], labels[known]
    fold = torch.arange(len(labels)) % FOLDS
    fold = fold[torch.randperm(len(labels), generator=generator(0, "folds"))]
    probs = torch.empty_like(logits)
    for number in range(FOLDS):
        own = fold == number
        probs[own] = fit(logits[~own], labels[~own])(logits[own])
    return probs


def figures(probs: Probs, labels: Labels) -> dict[str, float]:
    """accuracy, ece (equal-width bins), ece_equal_mass, nll and brier."""
    return {
        "accuracy": metrics.accuracy(probs, labels),
        "ece": metrics.ece(probs, labels),
        "ece_equal_mass": metrics.ece_equal_mass(probs, labels),
        "nll": metrics.nll(probs, labels),
        "brier": metrics.brier(probs, labels),
    }
