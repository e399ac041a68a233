"""A fitted temperature as a value that can be stored; `fitting` fits it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from clipgrip.errors import ConfigError, among
from clipgrip.types import Logits, Probs

KIND = "temperature"


def logits_of(probs: Probs) -> Logits:
    """Logits whose softmax is ``probs``; finite, because 0 becomes the smallest positive number."""
    return probs.clamp_min(torch.finfo(probs.dtype).tiny).log()


@dataclass(frozen=True)
class Temperature:
    """``softmax(logits / value)`` (Guo et al., ICML 2017), which does not change the ranking of the classes.

    Where only probabilities are known, pass `logits_of` them.
    """

    value: float

    def __call__(self, logits: Logits) -> Probs:
        """Calibrated probabilities (N, C)."""
        return (logits / self.value).softmax(1)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; `from_dict` reads them."""
        return {"kind": KIND, "value": self.value}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Temperature:
        """The temperature that `to_dict` stored.

        ConfigError: it is another kind of calibration, or its value is missing.
        """
        kind = str(stored.get("kind"))
        if kind != KIND:
            raise ConfigError(
                'calibration "{kind}" is not known. Known: {known}.{nearest}',
                kind=kind,
                **among(kind, [KIND]),
            )
        if "value" not in stored:
            raise ConfigError(
                "calibration of kind {kind}: {missing} is missing. Fit and store it anew.",
                kind=kind,
                missing="'value'",
            )
        return cls(float(stored["value"]))
