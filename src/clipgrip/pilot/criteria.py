"""The criteria of a pilot, fixed before its data: when the answer is yes, yes with conditions, or no."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf, isfinite
from typing import Literal, get_args

from clipgrip.errors import ConfigError, among
from clipgrip.sentences import Sentence, mark

Judgement = Literal["yes", "conditions", "no", "unknown"]
Rule = Literal["proven", "estimate"]
RULES: tuple[str, ...] = get_args(Rule)
NAMES = ("accuracy", "misses", "overkill", "automated", "payback")
HIGHER = frozenset({"accuracy", "automated"})
"""Criteria of which more is better."""
SAMPLED = frozenset({"accuracy", "misses", "overkill"})
"""Criteria whose value is a share seen in a sample, so that chance has a say."""
BAND, FACTOR = 0.05, 1.5
"""Where no edge is given: so much less where more is better, so many times the limit where less is."""


@dataclass(frozen=True)
class Criterion:
    """Yes at ``limit`` or better, with conditions down to ``edge``, no beyond.

    accuracy: share of the images answered right. misses: share of the images that are no OK part answered as OK.
    overkill: share of the OK parts answered as not OK. automated: share of the images that the model decides, at an
    error of at most ``max_error``. payback: months.

    Raises:
        ConfigError: an unknown name, a value out of range, or an edge on the wrong side.
    """

    name: str
    limit: float
    edge: float
    max_error: float | None = None

    def __post_init__(self) -> None:
        if self.name not in NAMES:
            raise ConfigError(
                'no criterion "{name}". Known: {known}.{nearest}',
                name=self.name,
                **among(self.name, NAMES),
            )
        if self.name == "payback":
            _check_months(self)
        else:
            _check_share(self.name, self.limit)
            _check_share(self.name, self.edge)
        if self.edge > self.limit if self.higher else self.edge < self.limit:
            side = Sentence("at most") if self.higher else Sentence("at least")
            raise ConfigError(
                "{name}: the edge {edge} of the band for conditions has to be {side} the limit "
                "{limit}, as a worse value. Write it as LIMIT:EDGE.",
                name=self.name,
                edge=f"{self.edge:g}",
                side=side,
                limit=f"{self.limit:g}",
            )
        if (self.name == "automated") != (self.max_error is not None):
            raise ConfigError(
                mark(
                    "a share to automate needs the largest error that is allowed (max-error), and only "
                    "it has one."
                )
            )
        if self.max_error is not None:
            _check_share("max-error", self.max_error)

    @classmethod
    def of(cls, name: str, text: str, max_error: float | None = None) -> Criterion:
        """``LIMIT`` or ``LIMIT:EDGE``; the default edge is 5 points less, or half as much again.

        ConfigError: not numbers, or as the class.
        """
        limit, colon, edge = text.partition(":")
        value = _number(name, limit, text)
        if colon:
            return cls(name, value, _number(name, edge, text), max_error)
        usual = value - BAND if name in HIGHER else FACTOR * value
        if name != "payback":
            usual = min(max(usual, value / 2), (1 + value) / 2)
        return cls(name, value, round(usual, 6), max_error)

    @property
    def higher(self) -> bool:
        """Whether more is better."""
        return self.name in HIGHER

    def reaches(self, value: float, limit: float) -> bool:
        """Whether ``value`` is as good as ``limit`` or better; a millionth of tolerance for rounding."""
        return value >= limit - 1e-9 if self.higher else value <= limit + 1e-9


@dataclass(frozen=True)
class Measured:
    """What was found for a criterion; None where it is unknown, ``inf`` months where it never pays back."""

    value: float | None
    interval: tuple[float, float] | None = None


def judge(criterion: Criterion, found: Measured, rule: Rule) -> Judgement:
    """Yes where the limit is reached; with conditions where the value is within the band.

    By the rule "proven" the worse end of the interval has to reach the limit, by "estimate" the value itself. The band
    is judged by the value.
    """
    if found.value is None:
        return "unknown"
    tested = found.value
    if rule == "proven" and found.interval is not None:
        tested = found.interval[0 if criterion.higher else 1]
    if criterion.reaches(tested, criterion.limit):
        return "yes"
    return "conditions" if criterion.reaches(found.value, criterion.edge) else "no"


def overall(judgements: Iterable[Judgement]) -> Judgement:
    """The worst of them: no, else unknown, else with conditions, else yes; unknown where there is none."""
    found = set(judgements)
    order: tuple[Judgement, ...] = ("no", "unknown", "conditions", "yes")
    return next((one for one in order if one in found), "unknown")


def _number(name: str, text: str, whole: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ConfigError(
            '{name}: "{whole}" is no number. Write LIMIT or LIMIT:EDGE, as in 0.9 or 0.9:0.85.',
            name=name,
            whole=whole,
        ) from None


def _check_share(name: str, value: float) -> None:
    if not 0 < value < 1:
        raise ConfigError(
            "{name} is {value}; a share lies between 0 and 1 and is neither, as in 0.02 for 2%: "
            "no sample proves that nothing at all is wrong.",
            name=name,
            value=f"{value:g}",
        )


def _check_months(criterion: Criterion) -> None:
    if not (isfinite(criterion.limit) and 0 < criterion.limit <= criterion.edge < inf):
        raise ConfigError(
            "payback is {limit} months with conditions up to {edge}; give months above 0, the "
            "longer one second, as in 12:18.",
            limit=f"{criterion.limit:g}",
            edge=f"{criterion.edge:g}",
        )
