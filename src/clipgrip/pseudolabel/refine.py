"""Better probabilities for the pool from the pool itself: no training, no labels needed, seconds."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from clipgrip.data.task import Task
from clipgrip.errors import ConfigError, nearest
from clipgrip.pseudolabel.auto import auto
from clipgrip.pseudolabel.clusters import clustered
from clipgrip.pseudolabel.methods import (
    balanced_assignment,
    half_balanced,
    own_prior,
    propagated,
    untouched,
)
from clipgrip.pseudolabel.pool import PoolImages
from clipgrip.pseudolabel.reasons import NOTHING_OPEN, Reason
from clipgrip.pseudolabel.start import Refined, Start, begin
from clipgrip.types import ClassEmbeds, ImageEmbeds, Labels, Mask, Probs


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
    start = begin(image_embeds, class_embeds, logit_scale, labeled, candidates)
    if len(start.open) == 0 or int(start.candidates.sum()) < 2:
        return Refined(start.probs, "zero-shot", (Reason(NOTHING_OPEN),))
    return REFINERS[method](start)


def refined_answers(
    image_embeds: ImageEmbeds | PoolImages,
    probs: Probs,
    *,
    fixed: Tensor,
    candidates: Mask,
    method: str = "auto",
    first: Probs | None = None,
    firm: bool = False,
) -> Refined:
    """The same from any answers (N, C), a tuned prompt's for example; ``fixed`` rows (N,) are one-hot and stay.

    Unlabeled rows must answer candidates only. ``first`` (N, C) are zero-shot's answers, which a prompt tuned on
    refined ones has left already: `auto` counts from there what a class loses. ``firm``: it held the texts firmly when
    it refined those, and does so again.
    """
    start = Start(_images(image_embeds), probs, fixed, candidates, first=first, firm=firm)
    if len(start.open) == 0 or int(candidates.sum()) < 2:
        return Refined(probs, "zero-shot", (Reason(NOTHING_OPEN),))
    return REFINERS[method](start)


def refined_task(
    image_embeds: ImageEmbeds | PoolImages,
    probs: Probs,
    task: Task,
    method: str,
    first: Probs | None = None,
    firm: bool = False,
) -> Refined:
    """Refined answers (N, C) of a task: labeled rows one-hot, the others among the candidates."""
    return refined_answers(
        image_embeds,
        _known(probs, task),
        fixed=task.labels >= 0,
        candidates=task.candidates,
        method=method,
        first=None if first is None else _known(first, task),
        firm=firm,
    )


def _images(given: ImageEmbeds | PoolImages) -> PoolImages:
    return given if isinstance(given, PoolImages) else PoolImages(torch.as_tensor(given))


def _known(probs: Probs, task: Task) -> Probs:
    """The answers (N, C) where nobody labeled, among the candidates; elsewhere the label."""
    among = probs * task.candidates
    among = among / among.sum(dim=1, keepdim=True).clamp_min(1e-12)
    labels = F.one_hot(task.labels.clamp_min(0), task.n_classes).to(probs.dtype)
    return torch.where((task.labels >= 0)[:, None], labels, among)


REFINERS: dict[str, Callable[[Start], Refined]] = {
    "auto": auto,
    "zero-shot": untouched,
    "balance": balanced_assignment,
    "half-balance": half_balanced,
    "prior": own_prior,
    "clusters": clustered,
    "propagation": propagated,
}
"""Ways to refine; ``auto`` chooses."""
