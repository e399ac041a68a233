"""What a selection rule is (`Selector`), and what it returns (`Chosen`)."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from clipgrip.mapped import like
from clipgrip.pseudolabel.refine.chunks import chunk_slices, put
from clipgrip.types import Labels, Mask, Probs, SomeProbs


class Chosen(NamedTuple):
    """The chosen rows: ascending positions (n,) among the rows given, with class (n,) and confidence (n,).

    ``targets`` (n, C) are distributions, from rules that spread an image over several classes; None: one-hot.
    """

    rows: Tensor
    labels: Labels
    confidence: Tensor
    targets: Tensor | None = None

    def distributions(self, n_classes: int) -> Tensor:
        """(n, C) the targets, one-hot where the rule gave none."""
        if self.targets is not None:
            return self.targets
        return F.one_hot(self.labels, n_classes).to(self.confidence.dtype)


class Selector(Protocol):
    """A selection rule."""

    def __call__(self, probs: Probs, k: int, temperature: float = 1.0, /) -> Chosen:
        """At most ``k`` rows per class by answers (N, C); ``temperature`` calibrates them where they become targets."""


def narrowed(probs: Probs, rows: Tensor, classes: Mask | Tensor) -> SomeProbs:
    """(n, K) the probabilities of some rows over some classes, normalised."""
    columns = classes.nonzero().squeeze(1) if classes.dtype == torch.bool else classes
    among = like(probs, (len(rows), len(columns)))

    def narrow(part: slice) -> None:
        some = probs[rows[part]][:, columns]
        among[part] = some / some.sum(dim=1, keepdim=True).clamp_min(1e-30)

    put(narrow, chunk_slices(len(rows)), over=(among, probs))
    return among


def at_temperature(probs: Probs, temperature: float) -> Probs:
    """(N, C) probabilities as softmax would give them at this temperature (Guo et al., ICML 2017)."""
    if temperature == 1.0:
        return probs
    tiny = torch.finfo(probs.dtype).tiny
    found = like(probs)

    def answer(rows: slice) -> None:
        found[rows] = (probs[rows].clamp_min(tiny).log() / temperature).softmax(dim=1)

    put(answer, chunk_slices(len(probs)), over=(probs, found))
    return found
