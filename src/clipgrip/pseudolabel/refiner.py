"""How rounds refine the answers that they learn from."""

from __future__ import annotations

from collections.abc import Callable

from clipgrip.data.task import Task
from clipgrip.pseudolabel.pool import PoolImages
from clipgrip.pseudolabel.reasons import FIRM, Reason
from clipgrip.pseudolabel.refine import refined_task
from clipgrip.pseudolabel.start import Refined
from clipgrip.types import ImageEmbeds, Probs

Refiner = Callable[[Probs, Task], Refined]
"""Better probabilities (N, C) of the pool from the pool itself, and how."""
ZERO_SHOT = "zero-shot"
"""The refinement that leaves answers as they are."""


def as_they_are(probs: Probs, _: Task) -> Refined:
    """No refinement."""
    return Refined(probs, ZERO_SHOT)


def refiner(method: str, image_embeds: ImageEmbeds, zero_shot: Probs) -> Refiner:
    """What each round does to the answers before it chooses among them; ``zero_shot`` (N, C) are the first.

    Where zero-shot's answers had to be held firmly, all rounds hold theirs: else they take bit by bit what the first
    was refused. A run that goes on finds that out again.
    """
    images, begun = PoolImages(image_embeds), dict[str, tuple[Reason, ...]]()

    def refine(probs: Probs, task: Task) -> Refined:
        if probs is zero_shot or "why" not in begun:
            found = refined_task(images, zero_shot, task, method)
            begun["why"] = found.reasons
            if probs is zero_shot:
                return found
        firm = any(reason.text in FIRM for reason in begun["why"])
        return refined_task(images, probs, task, method, zero_shot, firm)

    return refine if method != ZERO_SHOT else as_they_are
