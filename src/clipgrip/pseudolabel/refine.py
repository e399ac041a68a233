"""Better probabilities for the pool from the pool itself: no training, no labels needed, seconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from clipgrip.errors import ConfigError, DataError, nearest
from clipgrip.pseudolabel.balance import overruled, sinkhorn, sure_prior, uniform
from clipgrip.pseudolabel.mixture import Pool, discriminant, mixture, tempered
from clipgrip.pseudolabel.neighbours import Graph, neighbour_graph
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
from clipgrip.pseudolabel.propagation import propagate
from clipgrip.types import ClassEmbeds, ImageEmbeds, Labels, Mask, Probs

PROTOTYPE_SHARE = 0.75
"""Class embeddings whose cosine with their images is over this share of the images' own with each other are images."""
PROTOTYPE_SCALE = 40.0
"""Prototypes of a few images are far less sure than CLIP's scale of 100 makes them."""
BALANCE_COST = 0.005
"""The uniform prior is believed where it overrules at most this share of the sure answers."""
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
PROTOTYPE_TRUST = 0.5
"""How far the second round believes the class shares of the first, where the classes are given by images."""
PROTOTYPE_DOUBT = 4.0
"""The power of their confidence with which prototypes' answers count for the class shares."""
MOST_TEXT = 4.0
SURE_TEXT = 0.85
"""Mean confidence from which a text is believed when it says how many images of a class to expect."""
GROWTH = 1.5
MODEST = 0.75
"""Confidence at the standard spread under which a text has more to gain from balance than to lose."""


@dataclass(frozen=True)
class Refined:
    """Probabilities (N, C), the method that made them, and why in plain words."""

    probs: Probs = field(repr=False)
    method: str
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Start:
    """What a method is given. ``probs`` (N, C) are the untouched answers; labeled rows one-hot."""

    images: ImageEmbeds = field(repr=False)
    probs: Probs = field(repr=False)
    fixed: Tensor = field(repr=False)
    candidates: Mask
    prototypes: bool = False
    """Whether the class embeddings are means of images."""
    believed: Probs | None = field(default=None, repr=False)
    """The answers at the scale that was asked for, where ``probs`` are at a lower one."""
    present: Mask | None = field(default=None, repr=False)
    """The candidates that the pool is taken to hold; all where None."""

    @property
    def open(self) -> Probs:
        """Unlabeled rows, candidate classes."""
        return self.probs[~self.fixed][:, self.candidates]

    @property
    def trusted(self) -> Probs:
        """The same at the scale that was asked for: what confidence is read from."""
        probs = self.probs if self.believed is None else self.believed
        return probs[~self.fixed][:, self.candidates]

    def with_open(self, answers: Probs, classes: Mask | None = None) -> Probs:
        """All rows and classes, with these answers for the unlabeled rows and the candidates, or other ``classes``."""
        whole = self.probs.clone()
        unlabeled = torch.zeros(len(answers), len(self.candidates))
        unlabeled[:, self.candidates if classes is None else classes] = answers
        whole[~self.fixed] = unlabeled
        return whole


def refine(
    image_embeds: ImageEmbeds,
    class_embeds: ClassEmbeds,
    *,
    logit_scale: float,
    labeled: Labels | None = None,
    candidates: Mask | None = None,
    method: str = "auto",
) -> Probs:
    """(N, C) probabilities; ``refined`` says the method and the reasons too.

    Args:
        image_embeds: (N, D) unit vectors of the pool, any floating type.
        class_embeds: (C, D) unit vectors of texts, or prototypes: means of a few images per class.
        logit_scale: the factor on the cosine, already exponentiated.
        labeled: (N,) class of the rows that a person labeled, -1 elsewhere; these rows come back one-hot.
        candidates: (C,) the classes that unlabeled rows may take; all where None.
        method: one of ``REFINERS``.

    Raises:
        ConfigError: the method is unknown.
        DataError: the shapes do not fit together.
    """
    return refined(
        image_embeds,
        class_embeds,
        logit_scale=logit_scale,
        labeled=labeled,
        candidates=candidates,
        method=method,
    ).probs


def refined(
    image_embeds: ImageEmbeds,
    class_embeds: ClassEmbeds,
    *,
    logit_scale: float,
    labeled: Labels | None = None,
    candidates: Mask | None = None,
    method: str = "auto",
) -> Refined:
    """As ``refine``, with what was done and why."""
    if method not in REFINERS:
        known = ", ".join(REFINERS)
        raise ConfigError(
            f'refinement "{method}" is unknown; known are {known}.{nearest(method, REFINERS)}'
        )
    start = _start(image_embeds, class_embeds, logit_scale, labeled, candidates)
    if len(start.open) == 0 or int(start.candidates.sum()) < 2:
        return Refined(start.probs, "zero-shot", ("there is nothing to decide",))
    return REFINERS[method](start)


def refined_answers(
    image_embeds: ImageEmbeds,
    probs: Probs,
    *,
    fixed: Tensor,
    candidates: Mask,
    method: str = "auto",
) -> Refined:
    """The same from any answers (N, C), a tuned prompt's for example; ``fixed`` rows (N,) are one-hot and stay.

    Unlabeled rows must answer candidates only.
    """
    start = Start(torch.as_tensor(image_embeds), probs, fixed, candidates)
    if len(start.open) == 0 or int(candidates.sum()) < 2:
        return Refined(probs, "zero-shot", ("there is nothing to decide",))
    return REFINERS[method](start)


def _start(
    image_embeds: ImageEmbeds,
    class_embeds: ClassEmbeds,
    logit_scale: float,
    labeled: Labels | None,
    candidates: Mask | None,
) -> Start:
    images, classes = torch.as_tensor(image_embeds), torch.as_tensor(class_embeds).float()
    rows, n_classes = len(images), len(classes)
    labels = torch.full((rows,), -1) if labeled is None else torch.as_tensor(labeled).long()
    mask = (
        torch.ones(n_classes, dtype=torch.bool)
        if candidates is None
        else torch.as_tensor(candidates).bool()
    )
    _check(images, classes, labels, mask)
    fixed = labels >= 0
    cosines = torch.cat(
        [torch.zeros(0, n_classes)] + [part.float() @ classes.T for part in images.split(16_384)]
    )
    prototypes = _are_prototypes(images, cosines[~fixed][:, mask])
    scale = min(logit_scale, PROTOTYPE_SCALE) if prototypes else logit_scale

    def answers(scale: float) -> Probs:
        probs = (scale * cosines).masked_fill(~mask, -torch.inf).softmax(1)
        one_hot = F.one_hot(labels.clamp_min(0), n_classes).float()
        return torch.where(fixed[:, None], one_hot, probs)

    believed = answers(logit_scale) if scale != logit_scale else None
    return Start(images, answers(scale), fixed, mask, prototypes, believed)


def _check(images: Tensor, classes: Tensor, labels: Tensor, candidates: Tensor) -> None:
    """DataError unless the shapes belong together."""
    fits = images.ndim == classes.ndim == 2 and images.shape[1] == classes.shape[1]
    if not fits or labels.shape != (len(images),) or candidates.shape != (len(classes),):
        raise DataError(
            f"image_embeds {tuple(images.shape)}, class_embeds {tuple(classes.shape)}, labeled "
            f"{tuple(labels.shape)} and candidates {tuple(candidates.shape)} do not belong together: they must be "
            "(N, D), (C, D), (N,) and (C,)."
        )
    if len(labels) and (int(labels.max()) >= len(classes) or not bool(candidates.any())):
        raise DataError(
            f"labels go from -1 to {len(classes) - 1} and at least one class must be a candidate; given are labels up "
            f"to {int(labels.max())} and {int(candidates.sum())} candidates."
        )


def _are_prototypes(images: ImageEmbeds, cosines: Tensor) -> bool:
    """Whether the class embeddings lie among the images: texts lie in a cone of their own (the modality gap)."""
    if len(images) < 2 or not len(cosines):
        return False
    sample = images[:: max(1, len(images) // 1000)].float()
    similar = sample @ sample.T
    similar.fill_diagonal_(-torch.inf)
    among = similar.max(1).values.mean()
    return bool(cosines.max(1).values.mean() > PROTOTYPE_SHARE * among)


def _untouched(start: Start) -> Refined:
    return Refined(start.probs if start.believed is None else start.believed, "zero-shot")


def _balanced(start: Start) -> Refined:
    prior = uniform(int(start.candidates.sum()))
    return Refined(start.with_open(sinkhorn(start.open, prior)), "balance")


def _own_prior(start: Start) -> Refined:
    answers = sinkhorn(start.open, sure_prior(start.trusted))
    return Refined(start.with_open(answers), "prior")


def _propagated(start: Start) -> Refined:
    answers = propagate(neighbour_graph(start.images), start.probs, start.fixed)
    open_answers = answers[~start.fixed][:, start.candidates]
    open_answers = open_answers / open_answers.sum(1, keepdim=True).clamp_min(1e-12)
    return Refined(start.with_open(open_answers), "propagation")


def _clustered(start: Start, *, rounds: int = 2) -> Refined:
    """Balance, mixture, discriminants; then again with the class shares that came out."""
    kept, graph, first = _expected(start), neighbour_graph(start.images), _first_prior(start)
    trust = PROTOTYPE_TRUST if start.prototypes else 1.0
    prior = _among(first, kept[start.candidates])
    answers = _cluster_once(start, graph, prior, kept)
    if (sober := kept & ~_overgrown(start, answers, kept)).sum() not in (0, 1, kept.sum()):
        kept, prior = sober, _among(first, sober[start.candidates])
        answers = _cluster_once(start, graph, prior, kept)
    for _ in range(rounds - 1):
        prior = (1 - trust) * prior + trust * answers.mean(0)
        answers = _cluster_once(start, graph, prior, kept)
    return Refined(start.with_open(_with_rare(start, answers, kept)), "clusters")


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
    whole = start.open.clone()
    whole[:, open_kept] = answers * start.open[:, open_kept].sum(1, keepdim=True)
    return whole


def _cluster_once(start: Start, graph: Graph, prior: Tensor, kept: Mask) -> Probs:
    """(n, K) over the kept classes, as sure as the two ways to see the clusters agree."""
    among = start.open[:, kept[start.candidates]]
    among = among / among.sum(1, keepdim=True).clamp_min(1e-12)
    text = start.with_open(sinkhorn(among, prior), kept)
    pool = Pool(start.images, text, start.fixed, _text_weight(start.trusted))
    first = mixture(pool, graph)
    logits = discriminant(pool, first)[~start.fixed][:, kept]
    agreement = (first[~start.fixed][:, kept].argmax(1) == logits.argmax(1)).float().mean()
    return tempered(logits, float(agreement))


def _text_weight(trusted: Probs) -> float:
    """λ from 1 at a mean confidence of 0.75 to 4 near certainty: sure texts are not to be talked over."""
    confidence = float(trusted.max(1).values.mean())
    return min(max(0.25 / (1 - confidence + 1e-6), 1.0), MOST_TEXT)


def _balance_holds(start: Start) -> bool:
    """Whether the uniform prior leaves the sure answers of a text alone."""
    if start.prototypes:
        return False
    even = sinkhorn(start.open, uniform(int(start.candidates.sum())))
    return overruled(start.trusted, even) <= BALANCE_COST


def _first_prior(start: Start) -> Tensor:
    if _balance_holds(start):
        return uniform(int(start.candidates.sum()))
    return sure_prior(start.trusted, PROTOTYPE_DOUBT if start.prototypes else 2.0)


def _auto(given: Start) -> Refined:
    """Clusters where there are images enough for them; else balance where it is borne out; else nothing."""
    start = _at_fitting_scale(given)
    kept = _present(start)
    if not kept.equal(start.candidates):
        return _among_present(start, kept)
    per_class = _per_class(start)
    balance = _balance_holds(start)
    modest = _modest(start)
    reasons = (_say_balance(start, balance, modest), f"there are {per_class:.0f} images per class")
    if per_class >= _few(start):
        found = _clustered(start)
    elif (balance or modest) and per_class >= FEW_BALANCED:
        found = _balanced(start)
    else:
        found = _untouched(given)
    return replace(found, reasons=reasons)


def _modest(start: Start) -> bool:
    """Whether a text is so unsure that balance, which its answers do not resist, gains more than it costs."""
    enough = not start.prototypes and len(start.open) >= ENOUGH
    return enough and confidence(start.open) < MODEST


def _at_fitting_scale(start: Start) -> Start:
    """A scale that makes the answers far too sure or far too doubtful is not taken at its word."""
    answers = at_fitting_scale(start.open)
    if answers.equal(start.open):
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
    found = _clustered(start) if classes > 1 and per_class >= FEW_PRESENT else _untouched(start)
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


REFINERS: dict[str, Callable[[Start], Refined]] = {
    "auto": _auto,
    "zero-shot": _untouched,
    "balance": _balanced,
    "prior": _own_prior,
    "clusters": _clustered,
    "propagation": _propagated,
}
"""Ways to refine; ``auto`` chooses."""
