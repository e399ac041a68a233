"""Which refinement the pool bears: read from its size, its answers and what they resist; never from its labels."""

from __future__ import annotations

from dataclasses import replace

from clipgrip.pseudolabel.clusters import SURE_TEXT, balance_holds, clustered
from clipgrip.pseudolabel.methods import balanced_assignment, untouched
from clipgrip.pseudolabel.presence import (
    CERTAIN,
    ENOUGH,
    RESISTS,
    at_fitting_scale,
    confidence,
    doubted,
    present,
    resistance,
)
from clipgrip.pseudolabel.start import Refined, Start
from clipgrip.types import Mask

FEW = 15
"""Images per class from which clusters are worth more than what a text says."""
FEW_DOUBTFUL = 8
"""The same where the text is not sure, so that there is much to gain."""
FEW_PRESENT = 5
"""The same for the classes that are left where others are absent."""
FEW_PROTOTYPES = 3
"""The same for class embeddings that are images, which say less."""
FEW_BALANCED = 3
"""Images per class from which equal class shares can be asked for at all."""
MODEST = 0.75
"""Confidence at the standard spread under which a text has more to gain from balance than to lose."""


def auto(given: Start) -> Refined:
    """Clusters where there are images enough for them; else balance where it is borne out; else nothing."""
    start = _at_fitting_scale(given)
    kept = _present(start)
    if not kept.equal(start.candidates):
        return _among_present(start, kept)
    per_class = _per_class(start)
    balance = balance_holds(start)
    modest = _modest(start)
    reasons = (_say_balance(start, balance, modest), f"there are {per_class:.0f} images per class")
    if per_class >= _few(start):
        found = clustered(start)
    elif (balance or modest) and per_class >= FEW_BALANCED:
        found = balanced_assignment(start)
    else:
        found = untouched(given)
    return replace(found, reasons=reasons)


def _modest(start: Start) -> bool:
    """Whether a text is so unsure that balance, which its answers do not resist, gains more than it costs."""
    enough = not start.prototypes and len(start.open) >= ENOUGH
    return enough and confidence(start.open) < MODEST


def _at_fitting_scale(start: Start) -> Start:
    """A scale that makes the answers far too sure or far too doubtful is not taken at its word."""
    given = start.open
    answers = at_fitting_scale(given)
    if answers is given:
        return start
    return replace(start, probs=start.with_open(answers), believed=None)


def _per_class(start: Start) -> float:
    """Images per class, with the labeled ones of the classes that unlabeled rows may take."""
    labeled = start.candidates[start.probs[start.fixed].argmax(1)].sum()
    return (len(start.open) + int(labeled)) / int(start.candidates.sum())


def _few(start: Start) -> int:
    """Images per class from which clusters are used: the less the classes say, the fewer."""
    if start.prototypes:
        return FEW_PROTOTYPES
    return FEW if float(start.trusted.max(1).values.mean()) >= SURE_TEXT else FEW_DOUBTFUL


def _present(start: Start) -> Mask:
    """Candidates (C,) that the pool holds: all, unless the answers resist equal shares; labeled classes always.

    An unsure text resists by its own faults as well; with images enough for clusters these mend it.
    """
    resists = resistance(start.open)
    sure = not start.prototypes and confidence(start.open) >= SURE_TEXT
    clear = sure or _per_class(start) < FEW_DOUBTFUL or resists > CERTAIN
    if resists <= RESISTS or not clear:
        return start.candidates
    kept = start.candidates.clone()
    kept[start.candidates] = present(start.open)
    kept[start.probs[start.fixed].argmax(1)] = True
    return kept & start.candidates


def _among_present(start: Start, kept: Mask) -> Refined:
    """Clusters of the classes that are there, where there are images enough for them; else only doubt of the others."""
    among, classes = kept[start.candidates], int(kept.sum())
    believed = start.believed
    if believed is not None:
        believed = replace(start, probs=believed).with_open(doubted(start.trusted, among))
    sober = start.with_open(doubted(start.open, among))
    start = replace(start, probs=sober, believed=believed, present=kept)
    per_class = len(start.open) / classes
    found = clustered(start) if classes > 1 and per_class >= FEW_PRESENT else untouched(start)
    absent = int(start.candidates.sum()) - classes
    return replace(
        found,
        reasons=(
            f"{absent} of {absent + classes} classes hardly appear in these images",
            f"there are {per_class:.0f} images for each of the others",
        ),
    )


def _say_balance(start: Start, balance: bool, modest: bool) -> str:
    if start.prototypes:
        return "the classes are given by images, which are less sure than texts"
    if balance:
        return "equally frequent classes contradict no sure answer"
    if modest:
        return "the texts are unsure, and equally frequent classes ask little of them"
    return (
        "equally frequent classes would overrule sure answers, or too few answers are sure to tell"
    )
