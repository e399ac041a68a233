"""Logits to probabilities that mean what they say: the fitted maps, as values that can be stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from clipgrip.errors import ConfigError, nearest
from clipgrip.sentences import mark
from clipgrip.types import Logits, Probs

PerClass = Float[Tensor, " C"]


class Calibration(Protocol):
    """Maps logits (N, C) to probabilities (N, C); where only probabilities are known, give `logits_of` them."""

    def __call__(self, logits: Logits) -> Probs:
        """Calibrated probabilities."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; `calibration_from` reads them."""


def logits_of(probs: Probs) -> Logits:
    """Logits whose softmax is ``probs``; a zero becomes the smallest number that is not."""
    return probs.clamp_min(torch.finfo(probs.dtype).tiny).log()


@dataclass(frozen=True)
class Temperature:
    """``softmax(logits / value)`` (Guo et al., ICML 2017): the ranking of classes stays."""

    value: float

    def __call__(self, logits: Logits) -> Probs:
        """Calibrated probabilities (N, C)."""
        return (logits / self.value).softmax(1)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"kind": "temperature", "value": self.value}


@dataclass(frozen=True)
class VectorScaling:
    """``softmax(weight * logits + bias)``, a weight and a bias for each class (Guo et al., ICML 2017)."""

    weight: PerClass = field(repr=False)
    bias: PerClass = field(repr=False)

    def __call__(self, logits: Logits) -> Probs:
        """Calibrated probabilities (N, C)."""
        return (logits * self.weight + self.bias).softmax(1)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"kind": "vector", "weight": self.weight.tolist(), "bias": self.bias.tolist()}


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

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "kind": "isotonic",
            "knots": self.knots,
            "values": self.values,
            "kept": self.share,
        }


def calibration_from(stored: Mapping[str, Any]) -> Calibration:
    """What `to_dict` gave, as a calibration again.

    Raises:
        ConfigError: the kind is not known, or a value is missing.
    """
    kind = str(stored.get("kind"))
    if kind not in _READERS:
        known = ", ".join(_READERS)
        raise ConfigError(
            mark('calibration "{kind}" is not known. Known: {known}.{nearest}'),
            kind=kind,
            known=known,
            nearest=nearest(kind, _READERS),
        )
    try:
        return _READERS[kind](stored)
    except KeyError as missing:
        raise ConfigError(
            mark("calibration of kind {kind}: {missing} is missing. Fit and store it anew."),
            kind=kind,
            missing=missing,
        ) from None


def _temperature(stored: Mapping[str, Any]) -> Calibration:
    return Temperature(float(stored["value"]))


def _vector(stored: Mapping[str, Any]) -> Calibration:
    return VectorScaling(torch.tensor(stored["weight"]), torch.tensor(stored["bias"]))


def _isotonic(stored: Mapping[str, Any]) -> Calibration:
    knots, values = (tuple(tuple(curve) for curve in stored[key]) for key in ("knots", "values"))
    return Isotonic(knots, values, float(stored["kept"]))


_READERS = {"temperature": _temperature, "vector": _vector, "isotonic": _isotonic}


def _interpolated(column: Tensor, knots: tuple[float, ...], values: tuple[float, ...]) -> Tensor:
    x, y = torch.tensor(knots, dtype=column.dtype), torch.tensor(values, dtype=column.dtype)
    if len(x) == 1:
        return y.expand(len(column))
    right = torch.searchsorted(x, column.contiguous()).clamp(1, len(x) - 1)
    low, high = x[right - 1], x[right]
    share = ((column - low) / (high - low)).clamp(0, 1)
    return y[right - 1] + share * (y[right] - y[right - 1])
