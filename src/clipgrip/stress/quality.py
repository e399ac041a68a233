"""What can be measured of what a rule chose, without knowing the truth."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from clipgrip.pseudolabel.select.chosen import Chosen, at_temperature
from clipgrip.types import Probs


@dataclass(frozen=True)
class SelectionQuality:
    """What a selection rule chose, judged without the truth."""

    coverage: float
    """Share of the rows that were chosen."""
    estimated_purity: float | None
    """Mean calibrated confidence in the chosen classes; None where nothing was chosen. See `selection_report`."""
    balance: float
    """Entropy of the class counts over that of equal counts: 1 where all classes got as many, 0 where one got all."""
    short: tuple[int, ...]
    """Classes that got fewer than ``k``."""


def selection_report(
    chosen: Chosen, probs: Probs, k: int, *, temperature: float = 1.0
) -> SelectionQuality:
    """Coverage, estimated purity, balance and short classes of what was chosen from answers (N, C).

    Purity is estimated by the mean probability of the chosen classes at ``temperature``, which is too high: the most
    confident rows are those whose confidence is overstated most (the winner's curse), a tuned prompt is overconfident,
    and a temperature of 1 leaves CLIP's own overconfidence in. Use it to rank selections of one pool, not as a purity.
    """
    counts = torch.bincount(chosen.labels, minlength=probs.shape[1])
    confidence = at_temperature(probs, temperature)[chosen.rows, chosen.labels]
    return SelectionQuality(
        coverage=len(chosen.rows) / len(probs) if len(probs) else 0.0,
        estimated_purity=confidence.double().mean().item() if len(confidence) else None,
        balance=balance(counts),
        short=tuple((counts < k).nonzero().squeeze(1).tolist()),
    )


def balance(counts: Tensor) -> float:
    """Normalised entropy of the counts (C,), from 0 (one class has all) to 1 (all have as many); 1 for one class."""
    total, classes = counts.sum().item(), len(counts)
    if total == 0:
        return 0.0
    if classes < 2:
        return 1.0
    shares = counts[counts > 0].double() / total
    return abs(-(shares * shares.log()).sum().item() / math.log(classes))
