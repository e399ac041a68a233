"""Pools whose truth is known: models of all kinds, good, bad and out to deceive."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from clipgrip.trust.scope import Answered, Whole

Made = tuple[Answered, Whole]
"""The answers, and the true class (N,) of each."""


def _pool(draw: np.random.Generator, size: int, classes: int, risk: Callable[..., object]) -> Made:
    labels = draw.integers(classes, size=size)
    confidence = draw.beta(6, 0.4, size)
    chance = np.broadcast_to(np.asarray(risk(confidence, labels), dtype=float), size)
    other = (labels + draw.integers(1, max(2, classes), size=size)) % classes
    wrong = draw.random(size) < chance
    return Answered(labels, confidence), np.where(wrong, other, labels)


def calibrated(draw: np.random.Generator, size: int = 2000, classes: int = 4) -> Made:
    """Confidence c is right with probability c."""
    return _pool(draw, size, classes, lambda c, _: 1 - c)


def good(draw: np.random.Generator, size: int = 2000, classes: int = 4) -> Made:
    """About 1 % wrong, most of it where it is unsure."""
    return _pool(draw, size, classes, lambda c, _: 0.15 * (1 - c))


def overconfident(draw: np.random.Generator, size: int = 2000, classes: int = 4) -> Made:
    """Wrong three times as often as it says, and in 1 % where it is surest."""
    return _pool(draw, size, classes, lambda c, _: np.clip(0.01 + 3 * (1 - c), 0, 1))


def upside_down(draw: np.random.Generator, size: int = 2000, classes: int = 4) -> Made:
    """The surest answers are the wrong ones."""
    return _pool(draw, size, classes, lambda c, _: 0.5 * (c > 0.95) + 0.001)


def in_waves(draw: np.random.Generator, size: int = 2000, classes: int = 4) -> Made:
    """Errors come and go along the confidence, around the promised rate."""
    return _pool(draw, size, classes, lambda c, _: 0.021 + 0.02 * np.sin(40 * c))


def at_the_limit(draw: np.random.Generator, size: int = 2000, classes: int = 4) -> Made:
    """Just above the promised rate everywhere: any promise is broken."""
    return _pool(draw, size, classes, lambda *_: 0.0225)


def tied(draw: np.random.Generator, size: int = 2000, classes: int = 4) -> Made:
    """Three confidences only."""
    pool, truth = _pool(draw, size, classes, lambda c, _: 0.08 * (1 - np.round(c * 2) / 2) + 0.01)
    return Answered(pool.labels, np.round(pool.confidence * 2) / 2), truth


def few(draw: np.random.Generator, size: int = 240, classes: int = 4) -> Made:
    """A small pool."""
    return _pool(draw, size, classes, lambda c, _: 0.3 * (1 - c))


def many_classes(draw: np.random.Generator, size: int = 4000, classes: int = 100) -> Made:
    """A hundred classes, some of them always wrong."""
    return _pool(draw, size, classes, lambda c, labels: np.where(labels < 3, 0.6, 0.2 * (1 - c)))


def never_wrong(draw: np.random.Generator, size: int = 2000, classes: int = 4) -> Made:
    """Error rate zero."""
    return _pool(draw, size, classes, lambda *_: 0.0)


def always_wrong(draw: np.random.Generator, size: int = 2000, classes: int = 4) -> Made:
    """Error rate one."""
    return _pool(draw, size, classes, lambda *_: 1.0)


MODELS = {
    made.__name__.replace("_", " "): made
    for made in (
        *(good, calibrated, overconfident, upside_down, in_waves, at_the_limit),
        *(tied, few, many_classes, never_wrong, always_wrong),
    )
}


def limit_of(max_error: float, draw: np.random.Generator, size: int, classes: int) -> Made:
    """An eighth above the promised rate in every class: any promise is broken."""
    return _pool(draw, size, classes, lambda *_: 1.125 * max_error)


def waves_of(max_error: float, draw: np.random.Generator, size: int, classes: int) -> Made:
    """Errors around the promised rate along the confidence, at another place in each class."""
    return _pool(
        draw, size, classes, lambda c, labels: max_error * (1 + 0.9 * np.sin(40 * c + labels))
    )
