"""Promises for each class, drawn class by class as `clipgrip audit draw --by-class` does, sheet after sheet.

Made pools, and real embeddings where ``CLIPGRIP_DATA`` names their folder: the 25 largest flowers (8 images a class
taught the model), 25 families of neighbouring ImageNet classes (14 each, about 98 images; 40 each, 280). *Uniform*
reads a draw from all images, as many as the other needed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import trust
from benchmarks.promise_pools import Made, good, limit_of, waves_of
from clipgrip.trust.draw import Draw
from clipgrip.trust.further import further
from clipgrip.trust.promise import Promise, promise
from clipgrip.trust.scope import Answered, Group, Whole, misses_and_overkill, per_class
from clipgrip.trust.terms import About, Terms

SHEETS = 40
"""After so many the audit ends, whatever it says."""
MANY = ((4, 2_000, 0.05), (20, 6_000, 0.1), (58, 5_800, 0.2))
"""Classes promised apart, images of the pool, promised error."""
REAL_ERRORS = (0.1, 0.2)


@dataclass(frozen=True)
class Pool:
    """Answers to be promised apart, anew for each draw where they are made."""

    name: str
    classes: int
    max_error: float
    make: Callable[[np.random.Generator], Made]
    misses: bool = False
    about: About = "delivered"

    @property
    def key(self) -> tuple[object, ...]:
        """What tells a row from others."""
        return self.name, self.classes, self.max_error, self.groups, self.about

    @property
    def groups(self) -> str:
        """How the answers are grouped."""
        return "misses and overkill" if self.misses else "classes"


KEYS = ("model", "classes", "max_error", "groups", "about")


def pools() -> Iterator[Pool]:
    """All rows of the table."""
    for classes, size, error in MANY:
        models: dict[str, Callable[..., Made]] = {
            "good": good,
            "at the limit": partial(limit_of, error),
            "in waves": partial(waves_of, error),
        }
        for name, make in models.items():
            yield Pool(name, classes, error, partial(make, size=size, classes=classes))
    for about in ("decided", "source"):
        yield Pool("good", 20, 0.1, partial(good, size=6_000, classes=20), about=about)
        limit = partial(limit_of, 0.1, size=6_000, classes=20)
        yield Pool("at the limit", 20, 0.1, limit, about=about)
    for name, make in (("good", good), ("at the limit", partial(limit_of, 0.05))):
        yield Pool(name, 4, 0.05, partial(make, size=2_000, classes=4), misses=True)
    if "CLIPGRIP_DATA" in os.environ:
        for name, made in real_sets(Path(os.environ["CLIPGRIP_DATA"]) / "clip-features"):
            for error in REAL_ERRORS:
                yield Pool(name, 25, error, partial(_same, made))


def real_sets(folder: Path) -> Iterator[tuple[str, Made]]:
    """Answers of CLIP to real photographs, in 25 classes."""
    held = np.load(folder / "flowers.npz")
    truth = np.concatenate([held["pool_labels"], held["test_labels"]]).astype(np.int64)
    images = trust.tensor(np.concatenate([held["pool_embeds"], held["test_embeds"]]))
    shots = torch.from_numpy(held["shot8_labels"].astype(np.int64))
    means = trust.prototypes(trust.tensor(held["shot8_embeds"]), shots)
    chosen = np.argsort(-np.bincount(truth), kind="stable")[:25]
    inside = np.isin(truth, chosen)
    place = np.full(len(means), -1)
    place[chosen] = np.arange(25)
    logits = trust.SCALE * images[torch.from_numpy(inside)] @ means[torch.from_numpy(chosen)].T
    yield "25 flowers", (_answers(logits.softmax(1)), place[truth[inside]])
    held = np.load(folder / "imagenet1000.npz")
    images, classes = trust.tensor(held["image_embeds"]), trust.tensor(held["class_embeds"])
    for each in (14, 40):
        inside = held["labels"] < 25 * each
        logits = trust.SCALE * images[torch.from_numpy(inside)] @ classes[: 25 * each].T
        families = logits.softmax(1).reshape(len(logits), 25, each).sum(2)
        yield (
            f"25 families of {each}",
            (_answers(families), held["labels"][inside].astype(np.int64) // each),
        )


def _answers(probs: torch.Tensor) -> Answered:
    confidence, labels = probs.max(1)
    return Answered(labels.numpy(), confidence.double().numpy().round(6))


def _same(made: Made, _: np.random.Generator) -> Made:
    return made


def measured(pool: Pool, draws: int) -> dict[str, Any]:
    """One row: broken draws, share automated, answers and sheets, and what as many uniform answers would prove."""
    found = np.array([_draw(pool, n) for n in range(draws)])
    names = ("broken", "automated", "answers", "sheets", "uniform_automated")
    means = dict(zip(names, found.mean(0).tolist(), strict=True))
    return {**dict(zip(KEYS, pool.key, strict=True)), "draws": draws, **means}


def _draw(pool: Pool, n: int) -> tuple[float, ...]:
    answers, truth = pool.make(np.random.default_rng([7, n]))
    groups = misses_and_overkill(pool.classes, [0]) if pool.misses else _groups(pool.classes)
    terms = Terms(pool.max_error, about=pool.about)
    draw = Draw(np.random.default_rng([9, n]).permutation(len(answers)), apart=True)
    told, rows, sheets, ever = None, np.zeros(0, np.int64), -1, False
    while sheets < SHEETS:
        sheets += 1
        told = promise(answers, rows, truth[rows], groups, terms, draw=draw)
        fresh = pool.make(np.random.default_rng([8, n])) if pool.about == "source" else None
        ever |= broken(told, answers, truth, groups, fresh)
        more = further(told, answers, rows, groups, draw.order).rows
        if not len(more):
            break
        asked = np.zeros(len(answers), bool)
        asked[rows] = asked[more] = True
        rows = draw.order[asked[draw.order]]
    assert told is not None
    uniform = draw.order[: len(rows)]
    other = promise(answers, uniform, truth[uniform], groups, terms, draw=Draw(draw.order))
    return ever, told.decided.mean(), len(rows), sheets, other.decided.mean()


def _groups(classes: int) -> tuple[Group, ...]:
    return per_class([str(c) for c in range(classes)])


def broken(
    told: Promise,
    pool: Answered,
    truth: Whole,
    groups: tuple[Group, ...],
    fresh: Made | None,
) -> bool:
    """Whether any scope holds more wrong answers than promised; about new images, among fresh ones."""
    for group, scope in zip(groups, told.scopes, strict=True):
        if scope.threshold is None:
            continue
        answers, right = fresh or (pool, truth)
        inside = group.members(answers.labels) & (answers.confidence >= scope.threshold)
        wrong, of = group.wrong[answers.labels, right] & inside, inside
        if fresh is None:
            wrong = wrong & told.decided
            of = inside & told.decided if told.terms.about == "decided" else inside
        if wrong.sum() > told.terms.max_error * of.sum() + 1e-9:
            return True
    return False


def line(row: dict[str, Any]) -> str:
    """For the terminal."""
    return (
        f"{row['model']:<16} {row['classes']:3} {row['groups']:<19} {row['about']:<9} "
        f"{100 * row['max_error']:3.0f} %  broken {100 * row['broken']:4.1f} %  automated "
        f"{100 * row['automated']:4.1f} %  answers {row['answers']:5.0f} in {row['sheets']:4.1f} sheets  "
        f"uniform: {100 * row['uniform_automated']:4.1f} %"
    )
