"""Whether a model knows nothing of the classes it is asked for: `Signs` go in, `Finding`s come out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from clipgrip.trust.pointing import Pointing

Kind = Literal[
    "demo",
    "script",
    "some-unread",
    "alike",
    "codes",
    "pointless",
    "no-better",
    "one-class",
    "untested",
]
KINDS: tuple[str, ...] = get_args(Kind)
Help = Literal["model", "labels", "words"]

FEW_IMAGES = 20
"""Fewest images for a finding from the distribution of the answers."""
FLAT = 2.6
"""Spread of the logits (`Pointing`) below which skewness decides."""
FLAT_OF_FEW = 2.2
"""Spread below which up to `FEW_CLASSES` classes point at nothing: their logits are never skewed."""
FEW_CLASSES = 3
SKEWED = 0.4
"""Skewness from which names mean some of the images. These limits are measured by `python -m benchmarks.knowledge`."""
CLEARLY_SKEWED = 0.8
"""Skewness from which names that look like codes are not doubted."""
ONE_CLASS = 0.95
"""Share of one answer from which the pool is of one class, or the model cannot tell the classes apart."""
MOSTLY_ONE = 0.9
"""Share of one answer from which spread and skewness of the logits say nothing."""
ALIKE = 5.0
"""Likeness of the texts below which they are one text to the model: real names have 30 and more, those of nano 9."""
DEMO_COSINE = 0.4
"""Lowest cosine of images of nano's demos with their texts: it is 0.5 there, and 0.3 or less with photographs."""
JUDGED = 30
"""Labels from which the answers are compared with the most frequent class."""
CLOSE = 0.1
"""A gain in accuracy over the most frequent class that is larger than this is not tested for significance."""
LABELS_PER_CLASS = 5
"""Labels per class from which it is worth looking at what a model like this learns from them."""


@dataclass(frozen=True)
class Judged:
    """Of ``total`` labeled images: how many are answered right, and how many are of the most frequent class."""

    right: int
    common: int
    total: int
    common_class: str


@dataclass(frozen=True)
class Signs:
    """What was measured; None or empty where it was not looked at."""

    names: tuple[str, ...]
    demo_model: bool = False
    best_cosine: float | None = None
    likeness: float | None = None
    codes: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    pointing: Pointing | None = None
    judged: Judged | None = None


@dataclass(frozen=True)
class Finding:
    """One thing that speaks against the answers; ``values`` are those of its sentence."""

    kind: Kind
    values: dict[str, Any]


def findings(signs: Signs) -> tuple[Finding, ...]:
    """What speaks against the answers by these signs, the clearest first; empty if nothing does."""
    made: list[Finding] = []
    if signs.demo_model and signs.best_cosine is not None and signs.best_cosine < DEMO_COSINE:
        made.append(Finding("demo", {}))
    most = 2 * len(signs.unread) >= len(signs.names)
    if signs.unread:
        kind: Kind = "script" if most else "some-unread"
        made.append(Finding(kind, {"names": list(signs.unread)}))
    if not (signs.unread and most) and signs.likeness is not None and signs.likeness < ALIKE:
        made.append(Finding("alike", {}))
    clear = signs.pointing is not None and signs.pointing.skew >= CLEARLY_SKEWED
    if signs.codes and 2 * len(signs.codes) >= len(signs.names) and not clear:
        made.append(Finding("codes", {"names": list(signs.codes)}))
    if not knows_nothing(tuple(made)) and signs.pointing and points_at_nothing(signs.pointing):
        made.append(Finding("pointless", {}))
    if signs.judged is not None and no_better(signs.judged):
        made.append(Finding("no-better", vars(signs.judged)))
    return (*made, *_one_class(signs))


def knows_no_name(found: tuple[Finding, ...]) -> bool:
    """`knows_nothing`, but for labels that are answered no better than by chance: names may be swapped."""
    return knows_nothing(tuple(one for one in found if one.kind != "no-better"))


def knows_nothing(found: tuple[Finding, ...]) -> bool:
    """Whether the answers must be taken for guesses.

    Not by "one-class" alone, nor by "some-unread" alone: then fewer than half of the texts cannot be read.
    """
    return any(one.kind not in ("one-class", "some-unread") for one in found)


def untested(found: tuple[Finding, ...], held_out: object) -> tuple[Finding, ...]:
    """The same of answers that labels taught, where none could be held out: whether they are guesses is not known."""
    return (*found, Finding("untested", {})) if knows_nothing(found) and held_out is None else found


def points_at_nothing(seen: Pointing) -> bool:
    """Whether no name has high logits on some of the images only, as names that mean something do."""
    if seen.images < FEW_IMAGES or seen.top >= MOSTLY_ONE or seen.classes < 2:
        return False
    if seen.classes <= FEW_CLASSES:
        return seen.spread < FLAT_OF_FEW
    return seen.spread < FLAT and seen.skew < SKEWED


def no_better(judged: Judged) -> bool:
    """Whether the answers are not significantly better on the labels than always the most frequent class.

    One-sided binomial test at 5% of the right answers against that class's share.
    """
    if judged.total < JUDGED or judged.right > judged.common + CLOSE * judged.total:
        return False
    from scipy.stats import binom  # here, since a predictor needs no statistics

    chance = float(binom.sf(judged.right - 1, judged.total, judged.common / judged.total))
    return chance > 0.05


def helps(found: tuple[Finding, ...]) -> tuple[Help, ...]:
    """What to do, what helps most first: other words if only these are at fault, else another model."""
    kinds = {one.kind for one in found}
    if not knows_nothing(found):
        return ()
    if "untested" in kinds:
        return ("labels", "model", "words")
    if "demo" not in kinds and kinds & {"script", "alike"}:
        return ("words", "model", "labels")
    if "demo" not in kinds and "codes" in kinds:
        return ("words", "labels", "model")
    return ("model", "labels", "words")


def _one_class(signs: Signs) -> tuple[Finding, ...]:
    seen = signs.pointing
    if seen is None or seen.images < FEW_IMAGES or seen.top < ONE_CLASS or seen.classes < 2:
        return ()
    return (Finding("one-class", {"name": signs.names[seen.top_class], "share": seen.top}),)
