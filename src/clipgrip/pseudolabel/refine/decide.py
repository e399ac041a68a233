"""Which refinement a pool bears, and whether it is accepted: numbers in, a decision out, no tensor.

Join text, neighbours and clusters if there are images enough per class, or let eyes learn from a text whose answers
hardly resist equal shares; else move to equal shares, or half the way, if the answers hardly resist; else keep
zero-shot's answers. What would split up a class is given up.
"""

from __future__ import annotations

from dataclasses import dataclass

from clipgrip.pseudolabel.refine import reasons
from clipgrip.pseudolabel.refine.evidence import Evidence
from clipgrip.pseudolabel.refine.settings import Refinement


@dataclass(frozen=True)
class Choice:
    """A refinement and why it is the one."""

    method: str
    reason: str | None


KEEP_WHOLE = Choice("zero-shot", reasons.WOULD_DIVIDE)
"""What is left where clusters would split up a class."""


def decide(evidence: Evidence, settings: Refinement) -> Choice:
    """What to try; clusters are accepted or not afterwards."""
    equal = is_even(evidence, settings.equal_max_resistance)
    # equal shares tell of each class what clusters must find out: these have to bring as much once more
    least = settings.cluster_min_images * (2 if equal else 1)
    if evidence.images_per_cluster >= least:
        # eyes see what the text's own vectors cannot say, and labels have taught them already
        banks = "co-training" if equal and evidence.untaught_eyes else "joined"
        return KEEP_WHOLE if evidence.undivided else Choice(banks, reasons.NONE_LOSES)
    if evidence.some_absent:
        return Choice("zero-shot", None)
    if equal and evidence.images_per_class >= settings.cluster_min_images:
        return Choice("balance", reasons.LITTLE_RESISTANCE)
    if is_even(evidence, settings.nearly_equal_max_resistance):
        return Choice("half-balance", reasons.NEARLY_EQUAL)
    return Choice("zero-shot", reasons.UNEQUAL)


def accept(lost_share: float, settings: Refinement) -> bool:
    """Whether no class lost so many images that it was rather split up: the one guard."""
    return lost_share <= settings.max_lost_share


def has_gone_astray(lost_before: float | None, settings: Refinement) -> bool:
    """Whether a tuned prompt has taken so much from a class that zero-shot's answers are refined instead."""
    return lost_before is not None and not accept(lost_before, settings)


def is_even(evidence: Evidence, max_resistance: float) -> bool:
    """Whether the classes seem about equally frequent; False for too few images."""
    resistance = evidence.resistance
    return resistance is not None and resistance <= max_resistance


def absence_is_clear(evidence: Evidence, settings: Refinement) -> bool:
    """Whether the answers resist equal shares so much that classes must be absent."""
    resistance = evidence.resistance
    return resistance is not None and resistance > settings.absent_resistance
