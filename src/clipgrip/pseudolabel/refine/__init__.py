"""Refinement: better probabilities for a pool from the pool itself, in seconds, without training or labels.

``refine`` and ``refined`` start from embeddings, ``refined_answers`` and ``refined_task`` from answers that are there
already. `auto` shows how one of ``REFINERS`` is chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from clipgrip.errors import ConfigError, nearest
from clipgrip.mapped import FileRows, Folder, like, mapped
from clipgrip.prompts.classifier import predict_proba
from clipgrip.pseudolabel.banks import fit_bank_map
from clipgrip.pseudolabel.refine.answers import Refined, RefineInput, checked_classes, input_of
from clipgrip.pseudolabel.refine.auto import auto
from clipgrip.pseudolabel.refine.chunks import chunk_slices, put
from clipgrip.pseudolabel.refine.clusters import clustered
from clipgrip.pseudolabel.refine.joined import joined
from clipgrip.pseudolabel.refine.outofcore import embeds_of, in_memory, refined_out_of_core
from clipgrip.pseudolabel.refine.reasons import NOTHING_TO_DECIDE, Reason
from clipgrip.pseudolabel.refine.settings import DEFAULT, Refinement
from clipgrip.pseudolabel.refine.simple import (
    balanced_assignment,
    half_balanced,
    keep,
    propagated,
)
from clipgrip.pseudolabel.refine.space import PoolImages
from clipgrip.task import Task
from clipgrip.types import ClassEmbeds, ImageEmbeds, Labels, Mask, Probs, RowMask


def refine(
    image_embeds: ImageEmbeds | Sequence[ImageEmbeds] | FileRows,
    class_embeds: ClassEmbeds,
    *,
    logit_scale: float,
    labeled: Labels | None = None,
    candidates: Mask | None = None,
    method: str = "auto",
    settings: Refinement = DEFAULT,
    scratch: Folder | None = None,
) -> Probs:
    """(N, C) refined probabilities; ``refined`` returns the method and the reasons with them.

    Args:
        image_embeds: (N, D) unit vectors of the pool, any floating type; or a list of banks, each (N, ...) embeddings
            of the same images: the first by the encoder of ``class_embeds``, the others by any encoder. The weight of
            each bank is estimated from the images (``Refined.bank_weights``).
        class_embeds: (C, D) unit vectors of texts, or prototypes: means of a few images per class.
        logit_scale: the factor on the cosine, already exponentiated.
        labeled: (N,) class of the rows that a person labeled, -1 elsewhere; these rows come back one-hot.
        candidates: (C,) the classes that unlabeled rows may take; all where None.
        method: one of ``REFINERS``.
        settings: every number that the method uses.
        scratch: a folder for temporary files, for a pool that does not fit into memory; its disk needs some 4 D + 12 C
            bytes per image. ``image_embeds`` may then be a memory-mapped .npy file. The probabilities lie in a file
            too, which is deleted with them. The answers are the same but for rounding.

    Raises:
        ConfigError: the method is unknown, or several banks are given with ``scratch``.
        DataError: the shapes do not fit together.
        OSError: ``scratch`` has no room.
    """
    return refined(
        image_embeds,
        class_embeds,
        logit_scale=logit_scale,
        labeled=labeled,
        candidates=candidates,
        method=method,
        settings=settings,
        scratch=scratch,
    ).probs


def refined(
    image_embeds: ImageEmbeds | Sequence[ImageEmbeds] | FileRows,
    class_embeds: ClassEmbeds,
    *,
    logit_scale: float,
    labeled: Labels | None = None,
    candidates: Mask | None = None,
    method: str = "auto",
    settings: Refinement = DEFAULT,
    scratch: Folder | None = None,
) -> Refined:
    """As ``refine``, with what was done and why."""
    check_method(method)
    if scratch is not None:
        apply, allocate = partial(_refined, method=method), partial(mapped, scratch)
        images = embeds_of(image_embeds)
        classes = checked_classes(images, class_embeds, labeled, candidates)
        return refined_out_of_core(images, classes, logit_scale, settings, apply, allocate)
    banks = in_memory(image_embeds)
    given = input_of(banks[0], class_embeds, logit_scale, labeled, candidates, settings)
    if len(banks) == 1:
        return _refined(given, method)
    given, weights = _with_banks(given, banks, class_embeds, logit_scale)
    return replace(_refined(given, method), bank_weights=weights)


def refined_answers(
    image_embeds: ImageEmbeds | PoolImages,
    probs: Probs,
    *,
    labeled: RowMask,
    candidates: Mask,
    method: str = "auto",
    settings: Refinement = DEFAULT,
    zero_shot: Probs | None = None,
    undivided: bool = False,
) -> Refined:
    """Refined answers from any ``probs`` (N, C), a tuned prompt's for example.

    Args:
        image_embeds: (N, D) unit vectors, or ``PoolImages``, whose own ``settings`` then count.
        probs: one-hot where labeled; 0 for classes that are no candidates elsewhere.
        labeled: (N,) the rows that keep their answer.
        candidates: (C,) the classes that unlabeled rows may take.
        method: one of ``REFINERS``.
        settings: every number that the method uses.
        zero_shot: (N, C) the untuned prompt's answers, where ``probs`` are a tuned prompt's: `auto` counts from there
            how many images a class has lost.
        undivided: clusters of zero-shot's answers would have split up a class, so `auto` tries none now either.
    """
    images = image_embeds
    if not isinstance(images, PoolImages):
        images = PoolImages.of(torch.as_tensor(images), settings)
    return _refined(
        RefineInput(images, probs, labeled, candidates, zero_shot=zero_shot, undivided=undivided),
        method,
    )


def refined_task(
    image_embeds: ImageEmbeds | PoolImages,
    probs: Probs,
    task: Task,
    method: str,
    *,
    zero_shot: Probs | None = None,
    undivided: bool = False,
) -> Refined:
    """Refined answers (N, C) of a task: labeled rows one-hot, the others among the candidates."""
    return refined_answers(
        image_embeds,
        _with_labels(probs, task),
        labeled=task.labels >= 0,
        candidates=task.candidates,
        method=method,
        zero_shot=None if zero_shot is None else _with_labels(zero_shot, task),
        undivided=undivided,
    )


def check_method(method: str) -> None:
    """ConfigError where no refinement has this name."""
    if method not in REFINERS:
        known = ", ".join(REFINERS)
        raise ConfigError(
            f'refinement "{method}" is unknown; known are {known}.{nearest(method, REFINERS)}'
        )


def _with_banks(
    given: RefineInput, banks: Sequence[Tensor], class_embeds: ClassEmbeds, logit_scale: float
) -> tuple[RefineInput, tuple[float, ...]]:
    """The input whose images are seen by all banks, and the weight of each."""
    probs, labels = given.probs, None
    if bool(given.labeled.any()):  # their one-hot rows would tell nothing about the text
        classes = torch.as_tensor(class_embeds).float()
        probs = predict_proba(banks[0].float(), classes, logit_scale)
        labels = torch.where(given.labeled, given.probs.argmax(1), -1)
    bank_map = fit_bank_map(banks, probs, labels)
    if not bank_map.joins:
        return given, bank_map.weights
    rows = bank_map.joined(banks)
    eye_columns = rows.shape[1] - banks[0].shape[1]
    images = PoolImages.of(rows, given.settings, eye_columns=eye_columns)
    return replace(given, images=images, text_images=given.images), bank_map.weights


def _refined(given: RefineInput, method: str) -> Refined:
    """Apply a method to each distinct image once, and give its copies the same answer."""
    if len(given.unlabeled_probs) == 0 or int(given.candidates.sum()) < 2:
        return Refined(given.probs, "zero-shot", (Reason(NOTHING_TO_DECIDE),))
    copies = None if method == "zero-shot" else given.images.copies
    if copies is None:
        return REFINERS[method](given)
    found = REFINERS[method](given.once(copies))
    return replace(found, probs=copies.on_all(found.probs, given.probs, given.labeled))


def without_absent(probs: Probs, absent: Mask | None) -> Probs:
    """The answers (N, C) among the classes that are not ``absent`` (C,); the very same where that is None."""
    if absent is None:
        return probs
    made = like(probs)

    def divide(rows: slice) -> None:
        logs = probs[rows].float().clamp_min(torch.finfo(torch.float32).tiny).log()
        made[rows] = logs.masked_fill(absent, -torch.inf).softmax(1).to(made.dtype)

    put(divide, chunk_slices(len(probs)), over=(probs, made))
    return made


def _with_labels(probs: Probs, task: Task) -> Probs:
    """(N, C) the label, one-hot, where there is one; elsewhere the answers over the candidates, summing to one."""
    made = like(probs)

    def join(rows: slice) -> None:
        among, labels = probs[rows] * task.candidates, task.labels[rows]
        among = among / among.sum(dim=1, keepdim=True).clamp_min(1e-12)
        one_hot = F.one_hot(labels.clamp_min(0), task.n_classes).to(probs.dtype)
        made[rows] = torch.where((labels >= 0)[:, None], one_hot, among)

    put(join, chunk_slices(len(probs)), over=(probs, made))
    return made


REFINERS: dict[str, Callable[[RefineInput], Refined]] = {
    "auto": auto,
    "zero-shot": keep,
    "balance": balanced_assignment,
    "half-balance": half_balanced,
    "clusters": clustered,
    "joined": joined,
    "propagation": propagated,
}
"""Ways to refine; ``auto`` chooses."""
