"""Balance, mixture and discriminants in turn, with the class shares that they find."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from clipgrip.pseudolabel.balance import overruled, sinkhorn, sure_prior, uniform
from clipgrip.pseudolabel.blocks import even_sample, spans
from clipgrip.pseudolabel.discriminant import discriminant, tempered
from clipgrip.pseudolabel.mixture import mixture
from clipgrip.pseudolabel.pool import Pool
from clipgrip.pseudolabel.presence import doubted
from clipgrip.pseudolabel.start import Refined, Start
from clipgrip.types import Logits, Mask, Probs

BALANCE_COST = 0.005
"""The uniform prior is believed where it overrules at most this share of the sure answers."""
PROTOTYPE_TRUST = 0.5
"""How far the second round believes the class shares of the first, where the classes are given by images."""
PROTOTYPE_DOUBT = 4.0
"""The power of their confidence with which prototypes' answers count for the class shares."""
PROTOTYPE_SCALE = 12.0
"""Of the cosine in the subspace, where prototypes answer better than in the whole space."""
MOST_TEXT = 4.0
SURE_TEXT = 0.85
"""Mean confidence from which a text is believed when it says how many images of a class to expect."""
GROWTH = 1.5
TINY = 1e-12


def clustered(start: Start, *, rounds: int = 2, text: float = 1.0) -> Refined:
    """Balance, mixture, discriminants; then again with the class shares that came out. ``text`` times its weight."""
    images, labels = start.images, torch.where(start.fixed, start.probs.argmax(1), -1)
    pool = Pool(images.projected, images.graph, labels)
    if start.classes is not None:
        start = _asked_again(start, pool.images, images.subspace.project(start.classes))
    kept, first = _expected(start), _first_prior(start)
    trust = PROTOTYPE_TRUST if start.prototypes else 1.0
    prior = _among(first, kept[start.candidates])
    answers = _cluster_once(start, pool, prior, kept, text)
    if (sober := kept & ~_overgrown(start, answers, kept)).sum() not in (0, 1, kept.sum()):
        kept, prior = sober, _among(first, sober[start.candidates])
        answers = _cluster_once(start, pool, prior, kept, text)
    for _ in range(rounds - 1):
        prior = (1 - trust) * prior + trust * answers.mean(0)
        del answers  # as large as all else that a round needs
        answers = _cluster_once(start, pool, prior, kept, text)
    return Refined(start.with_open(_with_rare(start, answers, kept)), "clusters")


def _asked_again(start: Start, images: Tensor, prototypes: Tensor) -> Start:
    """The answers of prototypes (C, d) among images (N, d) of the subspace, where they know more."""
    probs = torch.empty_like(start.probs)
    for rows in spans(len(probs)):
        logits = PROTOTYPE_SCALE * images[rows].float() @ prototypes.float().T
        found = logits.masked_fill(~start.candidates, -torch.inf).softmax(1)
        probs[rows] = torch.where(start.fixed[rows, None], start.probs[rows], found)
    asked = replace(start, probs=probs, believed=None)
    if start.present is None:
        return asked
    sober = doubted(asked.open, start.present[start.candidates])
    return replace(asked, probs=asked.with_open(sober))


def _among(prior: Tensor, classes: Mask) -> Tensor:
    """The prior of some of the classes."""
    return prior[classes] / prior[classes].sum()


def _overgrown(start: Start, answers: Probs, kept: Mask) -> Mask:
    """Classes (C,) that took far more images than a sure text expects: parts of a neighbour's cluster."""
    grown = torch.zeros_like(kept)
    if start.prototypes or float(start.trusted.max(1).values.mean()) < SURE_TEXT:
        return grown
    expected = start.trusted.sum(0)[kept[start.candidates]]
    counts = torch.bincount(answers.argmax(1), minlength=answers.shape[1])
    grown[kept] = counts > GROWTH * expected + 3
    return grown


def _expected(start: Start) -> Mask:
    """Classes (C,) of which a text expects at least one image; the others have no cluster to find."""
    kept = start.candidates.clone() if start.present is None else start.present.clone()
    if start.prototypes:
        return kept
    kept[start.candidates] &= start.trusted.sum(0) >= 1
    labeled = start.probs[start.fixed].argmax(1)
    kept[labeled] = start.candidates[labeled]
    return kept if int(kept.sum()) > 1 else start.candidates


def _with_rare(start: Start, answers: Probs, kept: Mask) -> Probs:
    """Clusters share what the text leaves them; classes without a cluster keep what the text gives them."""
    open_kept = kept[start.candidates]
    if bool(open_kept.all()):
        return answers
    whole = start.open.clone()
    whole[:, open_kept] = answers * start.open[:, open_kept].sum(1, keepdim=True)
    return whole


def _cluster_once(start: Start, pool: Pool, prior: Tensor, kept: Mask, held: float) -> Probs:
    """(n, K) over the kept classes, as sure as the two ways to see the clusters agree."""
    balanced = start.with_open(sinkhorn(_open_among(start, kept), prior), kept)
    text = _log(balanced, held * _text_weight(start.trusted))
    first = mixture(pool, balanced, text)
    del balanced  # of a million images each of these is 400 MB
    answers = start.picked(first, kept).argmax(1)
    logits = start.picked(discriminant(pool, first, text), kept)
    del first, text
    agreement = (answers == logits.argmax(1)).float().mean()
    return tempered(logits, float(agreement))


def _open_among(start: Start, kept: Mask) -> Probs:
    """(n, K) what the text says of the kept classes alone."""
    if bool(kept[start.candidates].all()):
        return start.open
    among = start.open[:, kept[start.candidates]]
    return among / among.sum(1, keepdim=True).clamp_min(TINY)


def _log(probs: Probs, weight: float) -> Logits:
    """λ log of the probabilities."""
    logs = torch.empty_like(probs)
    for rows in spans(len(probs)):
        logs[rows] = weight * probs[rows].clamp_min(TINY).log()
    return logs


def _text_weight(trusted: Probs) -> float:
    """λ from 1 at a mean confidence of 0.75 to 4 near certainty: sure texts are not to be talked over."""
    confidence = float(trusted.max(1).values.mean())
    return min(max(0.25 / (1 - confidence + 1e-6), 1.0), MOST_TEXT)


def balance_holds(start: Start) -> bool:
    """Whether the uniform prior leaves the sure answers of a text alone."""
    if start.prototypes:
        return False
    even = sinkhorn(even_sample(start.open), uniform(int(start.candidates.sum())))
    return overruled(even_sample(start.trusted), even) <= BALANCE_COST


def _first_prior(start: Start) -> Tensor:
    if balance_holds(start):
        return uniform(int(start.candidates.sum()))
    return sure_prior(start.trusted, PROTOTYPE_DOUBT if start.prototypes else 2.0)
