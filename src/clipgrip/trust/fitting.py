"""Calibration learned from labels, with honest figures before and after."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from clipgrip import metrics
from clipgrip.errors import DataError
from clipgrip.seeds import generator
from clipgrip.sentences import Sentence, mark
from clipgrip.trust.calibration import Calibration, Isotonic, Temperature, VectorScaling
from clipgrip.types import Labels, Logits, Probs

LOWEST, HIGHEST = 0.02, 50.0
"""Temperatures that are searched."""
SPREAD = 0.5
"""Standard deviation of the prior on log temperature: few labels stay near 1, hundreds go where they want."""


def labels_needed(kind: str, classes: int) -> int:
    """Labels below which a fit of that kind is refused: one parameter, 2 per class, or a curve per class."""
    return {"temperature": 20, "vector": max(50, 5 * classes), "isotonic": max(100, 10 * classes)}[
        kind
    ]


def fit_temperature(logits: Logits, labels: Labels) -> Temperature:
    """The temperature of least log loss with a prior ``log T ~ N(0, SPREAD²)``; labels of -1 count nowhere.

    Source: Guo et al., ICML 2017; the prior shrinks to no change where labels are few.

    Raises:
        DataError: fewer than 20 labels.
    """
    logits, labels = _known(logits, labels, "temperature")
    logits = logits.double()

    def loss(log_t: float) -> float:
        log_probs = (logits / float(np.exp(log_t))).log_softmax(1)
        data = -log_probs.gather(1, labels[:, None]).sum().item()
        return float(data + log_t**2 / (2 * SPREAD**2))

    from scipy.optimize import minimize_scalar  # not light, and putting a prompt to work needs none

    found = minimize_scalar(
        loss, bounds=(np.log(LOWEST), np.log(HIGHEST)), method="bounded", options={"xatol": 1e-6}
    )
    return Temperature(float(np.exp(found.x)))


def fit_vector(logits: Logits, labels: Labels, *, spread: float = 0.3) -> VectorScaling:
    """A weight and a bias per class of least log loss, drawn to the common temperature and to no bias.

    Weights relative to ``1 / T`` and biases have normal priors of standard deviation ``spread`` and 1.

    Raises:
        DataError: fewer labels than `labels_needed`.
    """
    temperature = fit_temperature(logits, labels).value
    logits, labels = _known(logits, labels, "vector")
    scaled = (logits / temperature).double()
    log_weight = torch.zeros(logits.shape[1], dtype=torch.double, requires_grad=True)
    bias = torch.zeros_like(log_weight, requires_grad=True)
    optimizer = torch.optim.LBFGS([log_weight, bias], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        shifted = scaled * log_weight.exp() + bias
        data = torch.nn.functional.cross_entropy(shifted, labels, reduction="sum")
        prior = (log_weight / spread).square().sum() / 2 + bias.square().sum() / 2
        total: Tensor = (data + prior) / len(labels)
        total.backward()
        return total

    optimizer.step(loss)
    weight = log_weight.detach().exp() / temperature
    return VectorScaling(weight.to(logits.dtype), bias.detach().to(logits.dtype))


def fit_isotonic(logits: Logits, labels: Labels) -> Isotonic:
    """A rising curve per class against the rest; softmax first, rows renormalised after.

    A share ``C / (n + C)`` of the answers stays as it was: a curve of few labels says zero where it only saw none.

    Raises:
        DataError: fewer labels than `labels_needed`.
    """
    from sklearn.isotonic import IsotonicRegression  # not light either

    logits, labels = _known(logits, labels, "isotonic")
    probs = logits.softmax(1).double().numpy()
    knots, values = [], []
    for c in range(probs.shape[1]):
        curve = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
        curve.fit(probs[:, c], (labels == c).double().numpy())
        knots.append(tuple(curve.X_thresholds_.tolist()))
        values.append(tuple(curve.y_thresholds_.tolist()))
    n, classes = probs.shape
    return Isotonic(tuple(knots), tuple(values), share=classes / (n + classes))


FITS: Mapping[str, Callable[[Logits, Labels], Calibration]] = {
    "temperature": fit_temperature,
    "vector": fit_vector,
    "isotonic": fit_isotonic,
}


@dataclass(frozen=True)
class Checked:
    """Figures of n labeled images before a calibration and after one that never saw them."""

    n: int
    before: dict[str, float]
    after: dict[str, float]


def cross_fitted(
    fit: Callable[[Logits, Labels], Calibration],
    logits: Logits,
    labels: Labels,
    *,
    folds: int = 5,
    seed: int = 0,
) -> Float[Tensor, "n C"]:
    """Probabilities of the labeled rows, each from a calibration fitted without it; rows in their order.

    Raises:
        DataError: a fold leaves too few labels to fit.
    """
    known = (labels >= 0).nonzero().flatten()
    logits, labels = logits[known], labels[known]
    place = torch.arange(len(labels)) % folds
    place = place[torch.randperm(len(labels), generator=generator(seed, "folds"))]
    probs = torch.empty_like(logits)
    for fold in range(folds):
        probs[place == fold] = fit(logits[place != fold], labels[place != fold])(
            logits[place == fold]
        )
    return probs


def checked(
    fit: Callable[[Logits, Labels], Calibration], logits: Logits, labels: Labels, *, seed: int = 0
) -> Checked:
    """Calibration error, log loss and Brier score before and after, the after by cross-fitting."""
    known = labels >= 0
    truth = labels[known]
    after = cross_fitted(fit, logits, labels, seed=seed)
    return Checked(len(truth), figures(logits[known].softmax(1), truth), figures(after, truth))


def figures(probs: Probs, labels: Labels) -> dict[str, float]:
    """accuracy, ece (equal-width bins), ece_equal_mass, nll and brier."""
    return {
        "accuracy": metrics.accuracy(probs, labels),
        "ece": metrics.ece(probs, labels),
        "ece_equal_mass": metrics.ece_equal_mass(probs, labels),
        "nll": metrics.nll(probs, labels),
        "brier": metrics.brier(probs, labels),
    }


def _known(logits: Logits, labels: Labels, kind: str) -> tuple[Tensor, Tensor]:
    known = labels >= 0
    count, needed = int(known.sum()), labels_needed(kind, logits.shape[1])
    if count < needed:
        instead = "" if kind == "temperature" else Sentence(", or fit a temperature (20 labels)")
        raise DataError(
            mark(
                "{kind} calibration over {classes} classes needs {needed} labeled images, there are {count}. Label "
                "{more} more{instead}."
            ),
            kind=kind,
            classes=logits.shape[1],
            needed=needed,
            count=count,
            more=needed - count,
            instead=instead,
        )
    return logits[known], labels[known]
