"""Calibrations that were tried beside one temperature and are no better (docs/decisions/0014).

A weight and a bias for each class, and a curve for each class; and what each brings, by labels that it never saw.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from clipgrip.errors import DataError
from clipgrip.trust.fitting import LEAST, Checked, cross_fitted, figures, fit_temperature
from clipgrip.types import Labels, Logits, Probs

PerClass = Float[Tensor, " C"]
Calibration = Callable[[Logits], Probs]


@dataclass(frozen=True)
class VectorScaling:
    """``softmax(weight * logits + bias)``, a weight and a bias for each class (Guo et al., ICML 2017)."""

    weight: PerClass = field(repr=False)
    bias: PerClass = field(repr=False)

    def __call__(self, logits: Logits) -> Probs:
        """Calibrated probabilities (N, C)."""
        return (logits * self.weight + self.bias).softmax(1)


@dataclass(frozen=True)
class Isotonic:
    """A rising curve for each class, one against the rest, rows renormalised (Zadrozny & Elkan, KDD 2002).

    ``knots[c]`` are probabilities before, rising; ``values[c]`` those after; straight lines between. A share ``share``
    of the answer before is mixed in, so that no class becomes impossible.
    """

    knots: tuple[tuple[float, ...], ...] = field(repr=False)
    values: tuple[tuple[float, ...], ...] = field(repr=False)
    share: float

    def __call__(self, logits: Logits) -> Probs:
        """Calibrated probabilities (N, C); a row that every curve maps to zero keeps what it had."""
        probs = logits.softmax(1)
        curves = zip(probs.T, self.knots, self.values, strict=True)
        raw = torch.stack([_interpolated(column, x, y) for column, x, y in curves], 1)
        total = raw.sum(1, keepdim=True)
        mapped = torch.where(total > 0, raw / total.clamp_min(1e-12), probs)
        return (1 - self.share) * mapped + self.share * probs


def _interpolated(column: Tensor, knots: tuple[float, ...], values: tuple[float, ...]) -> Tensor:
    x, y = torch.tensor(knots, dtype=column.dtype), torch.tensor(values, dtype=column.dtype)
    if len(x) == 1:
        return y.expand(len(column))
    right = torch.searchsorted(x, column.contiguous()).clamp(1, len(x) - 1)
    low, high = x[right - 1], x[right]
    share = ((column - low) / (high - low)).clamp(0, 1)
    return y[right - 1] + share * (y[right] - y[right - 1])


def labels_needed(kind: str, classes: int) -> int:
    """Labels below which a fit of that kind is refused: one parameter, 2 per class, or a curve per class."""
    least = {
        "temperature": LEAST,
        "vector": max(50, 5 * classes),
        "isotonic": max(100, 10 * classes),
    }
    return least[kind]


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


def checked(
    fit: Callable[[Logits, Labels], Calibration], logits: Logits, labels: Labels
) -> Checked:
    """Calibration error, log loss and Brier score before and after, the after by cross-fitting."""
    known = labels >= 0
    truth = labels[known]
    after = cross_fitted(fit, logits, labels)
    return Checked(len(truth), figures(logits[known].softmax(1), truth), figures(after, truth))


def _known(logits: Logits, labels: Labels, kind: str) -> tuple[Tensor, Tensor]:
    known = labels >= 0
    count, needed = int(known.sum()), labels_needed(kind, logits.shape[1])
    if count < needed:
        raise DataError(f"a fit of kind {kind} needs {needed} labeled images, there are {count}.")
    return logits[known], labels[known]
