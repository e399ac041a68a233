"""Which refinement the pool bears: read from its size, its answers and what they resist; never from its labels."""

from __future__ import annotations

from dataclasses import replace

import torch

from clipgrip.pseudolabel.clusters import SURE_TEXT, clustered
from clipgrip.pseudolabel.methods import balanced_assignment, half_balanced, untouched
from clipgrip.pseudolabel.presence import (
    CERTAIN,
    RESISTS,
    at_fitting_scale,
    confidence,
    doubted,
    even,
    present,
    resistance,
)
from clipgrip.pseudolabel.reasons import (
    ABSENT,
    ASKS_LITTLE,
    HELD_FIRMLY,
    NEARLY_EQUAL,
    NONE_LOSES,
    PER_CLASS,
    PER_OTHER,
    PROTOTYPES,
    UNEQUAL,
    WOULD_DIVIDE,
    Reason,
)
from clipgrip.pseudolabel.start import Refined, Start
from clipgrip.types import Mask, Probs

FEW = 4
"""Images per class from which clusters are worth more than what a text says."""
FEW_PRESENT = 5
"""The same where classes seem to be absent, for those that are left."""
FEW_EVEN = 15
"""The same where the classes seem to be equally frequent, so that equal shares help as well."""
FEW_EVEN_DOUBTFUL = 8
"""The same where the text is not sure, so that there is much to gain."""
FEW_PROTOTYPES = 3
"""The same for class embeddings that are images, which say less."""
FEW_BALANCED = 3
"""Images per class from which equal class shares can be asked for at all."""
EVEN = 0.3
"""Resistance up to which equal shares gained on all measured pools; pools of unequal classes are over it."""
NEARLY_EVEN = 0.45
"""The same for half the way to equal shares."""
MAY_LOSE = 0.12
"""Share of all images that one of few classes may lose: a class that fills the pool is not to be divided up."""
MAY_LOSE_AT_MOST = 0.4
"""The same of many classes, among which one that gets so much is rather a text that draws others' images."""
MANY = 70
"""Between the two a class may lose one such part of the images for each class that there is."""
MAY_CUT = 0.03
"""Share of all neighbours' links that may run between what a class loses to clusters on the second try and keeps."""
HELD = 4.0
"""Times the weight of a text that is held against clusters which take more."""


def auto(given: Start) -> Refined:
    """Clusters where images suffice; else equal shares, or half the way there, where borne out; else nothing."""
    if given.first is not None and _divides(given, given.probs):
        given = replace(given, probs=given.first)
    start = _at_fitting_scale(given)
    kept = _present(start)
    if not kept.equal(start.candidates):
        return _among_present(start, kept)
    per_class = _per_class(start)
    if per_class >= _few(start):
        found, why = _held(start, given)
    elif even(start.open, EVEN) and per_class >= FEW_BALANCED:
        found = balanced_assignment(start)
        why = ASKS_LITTLE
    elif even(start.open, NEARLY_EVEN):
        found, why = half_balanced(start), NEARLY_EQUAL
    else:
        found, why = untouched(given), UNEQUAL
    return replace(found, reasons=(Reason(why), Reason(PER_CLASS, n=round(per_class))))


def _held(start: Start, given: Start) -> tuple[Refined, str]:
    """Clusters, unless they divide up a class that fills the pool: a text is then held more firmly, or left alone."""
    if start.prototypes:
        return clustered(start), PROTOTYPES
    if not start.firm:
        found = clustered(start)
        if not _divides(start, found.probs):
            return found, NONE_LOSES
    found = clustered(start, text=HELD)
    if not _divides(start, found.probs) and _most_cut(start, found.probs) <= MAY_CUT:
        return found, HELD_FIRMLY
    return untouched(given), WOULD_DIVIDE


def _divides(start: Start, now: Probs) -> bool:
    """Whether one class has lost more of the unlabeled images since zero-shot than it may."""
    first = start.probs if start.first is None else start.first
    before, after = (start.picked(p, start.candidates).argmax(1) for p in (first, now))
    left = torch.bincount(before[before != after], minlength=1)
    may = min(max(int(start.candidates.sum()) / MANY, MAY_LOSE), MAY_LOSE_AT_MOST)
    return float(left.max()) > may * len(before)


def _most_cut(start: Start, now: Probs) -> float:
    """The largest share of the pool's links that run between what one class lost since zero-shot and what it kept.

    Images that were wrongly its own have few neighbours among those that stay; parts of one class have many.
    """
    first = start.probs if start.first is None else start.first
    before, after = first.argmax(1), now.argmax(1)
    cut, every = torch.zeros(first.shape[1], dtype=torch.float64), 0.0
    for cell in start.images.graph.cells:
        was, stays = before[cell.rows], (before == after)[cell.rows]
        here, there = cell.sources, cell.columns.long()
        within = ~stays[here] & stays[there] & (was[here] == was[there])
        cut.index_add_(0, was[here[within]], cell.weights[within].double())
        every += float(cell.weights.sum())
    return float(cut.max()) / max(every, 1e-12)


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
    if not even(start.open, EVEN):
        return FEW
    sure = float(start.trusted.max(1).values.mean()) >= SURE_TEXT
    return FEW_EVEN if sure else FEW_EVEN_DOUBTFUL


def _present(start: Start) -> Mask:
    """Candidates (C,) that the pool holds: all, unless the answers resist equal shares; labeled classes always.

    An unsure text resists by its own faults as well; with images enough for clusters these mend it.
    """
    resists = resistance(start.open)
    sure = not start.prototypes and confidence(start.open) >= SURE_TEXT
    few = FEW_EVEN_DOUBTFUL if start.prototypes else FEW
    clear = sure or _per_class(start) < few or resists > CERTAIN
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
    enough = classes > 1 and per_class >= FEW_PRESENT
    every = int(start.candidates.sum())
    reasons = (
        Reason(ABSENT, absent=every - classes, classes=every),
        Reason(PER_OTHER, n=round(per_class)),
    )
    if not enough:
        return replace(untouched(start), reasons=reasons)
    found, why = _held(start, start)
    return replace(found, reasons=(*reasons, Reason(why)))
