"""What a pilot promises, what that needs, and why some promises cannot be kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import ceil

from clipgrip.errors import ConfigError
from clipgrip.pilot.agreed import check_criteria, check_shares
from clipgrip.pilot.criteria import RULES, SAMPLED, Criterion, Rule
from clipgrip.pilot.power import (
    MOST,
    POWER,
    Chance,
    answers_for_precision,
    answers_for_yes,
    chance,
    draw_size,
    yes_counts,
)
from clipgrip.sentences import Sentence, mark
from clipgrip.trust.measuring import answers_to_measure
from clipgrip.trust.planning import plan_size
from clipgrip.trust.terms import Terms

SECONDS = 5.0
"""Seconds a person is assumed to take for one answer, until it is measured."""
CONFIDENCE = 0.95
SCOPES = 8
"""Shares between the wanted one and all images that are tried for a promise."""


@dataclass(frozen=True)
class Pilot:
    """A proof of concept as it is agreed.

    ``precision`` is the half width of the 95% interval of the accuracy, ``class_precision`` that of each class.
    ``shares`` are the assumed shares of classes; the other classes have the rest in equal parts. ``expected`` is the
    accuracy that is hoped for.

    Raises:
        ConfigError: an input that no pilot can keep.
    """

    classes: tuple[str, ...]
    images: int
    precision: float
    criteria: tuple[Criterion, ...]
    ok_classes: tuple[str, ...] = ()
    class_precision: float | None = None
    shares: Mapping[str, float] = field(default_factory=dict)
    expected: float | None = None
    seconds: float = SECONDS
    rule: Rule = "proven"

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise ConfigError(
                'the rule "{rule}" is not known. Known: {rules}.',
                rule=self.rule,
                rules=", ".join(RULES),
            )
        if self.images < 1:
            raise ConfigError(
                "{images} images expected; a pilot needs one at least. Give --count N.",
                images=self.images,
            )
        if not 0 < self.seconds < 3600:
            raise ConfigError(
                "{seconds} seconds for an answer; give more than 0 and less than 3600.",
                seconds=f"{self.seconds:g}",
            )
        if self.expected is not None and not 0 < self.expected < 1:
            raise ConfigError(
                "the expected accuracy is {expected}; give a share between 0 and 1, such as 0.9.",
                expected=f"{self.expected:g}",
            )
        check_criteria(self.criteria, self.classes, self.ok_classes)
        check_shares(self.shares, self.classes)

    @property
    def assumed(self) -> float:
        """The accuracy that sizes are reckoned with: the expected one, else the criterion's, else the worst case."""
        if self.expected is not None:
            return self.expected
        limit = self.criterion("accuracy")
        return limit.limit if limit else 0.5

    def criterion(self, name: str) -> Criterion | None:
        """The criterion of that name."""
        return next((one for one in self.criteria if one.name == name), None)

    @cached_property
    def class_shares(self) -> dict[str, float]:
        """The share of each class, given or assumed; they sum to 1."""
        open_classes = [name for name in self.classes if name not in self.shares]
        rest = 1 - sum(self.shares.values())
        equal = rest / len(open_classes) if open_classes else 0.0
        return {name: self.shares.get(name, equal) for name in self.classes}

    def part(self, name: str) -> float:
        """Share of the images that a sampled criterion speaks of: all, those that are not OK, or the OK ones."""
        ok = sum(self.class_shares[name] for name in self.ok_classes)
        return {"accuracy": 1.0, "misses": 1 - ok, "overkill": ok}[name]


@dataclass(frozen=True)
class Need:
    """Images to draw for one purpose; ``answers`` of them count, ``normal`` is the normal approximation of these.

    ``images`` is None where no pilot is large enough.
    """

    purpose: str
    images: int | None
    answers: int | None = None
    normal: int | None = None
    half_width: float | None = None
    truth: float | None = None


@dataclass(frozen=True)
class Plan:
    """What the pilot needs: images to draw at random, minutes of answering, and the chances of each criterion."""

    needs: tuple[Need, ...]
    images: int
    minutes: float
    chances: Mapping[str, tuple[Chance, ...]]
    to_measure: int = 0
    """Images that give the precision alone where they are drawn to measure, as good models let expect."""


def plan(pilot: Pilot) -> Plan:
    """The power calculation.

    ConfigError: a precision or a criterion that the expected images cannot give, with what they can give.
    """
    needs = (*_precisions(pilot), *_powers(pilot), *_promise(pilot))
    _check_reach(pilot, needs)
    wanted = max(need.images for need in needs if need.images is not None)
    images = min(wanted, pilot.images)
    chances = {
        one.name: tuple(
            chance(one, pilot.rule, max(1, round(images * pilot.part(one.name))), truth)
            for truth in _truths(pilot, one)
        )
        for one in pilot.criteria
        if one.name in SAMPLED
    }
    uniform = needs[0].answers or needs[0].images or 0
    to_measure = min(answers_to_measure(uniform, pilot.assumed), pilot.images)
    return Plan(needs, images, images * pilot.seconds / 60, chances, to_measure)


def _precisions(pilot: Pilot) -> list[Need]:
    overall = answers_for_precision(pilot.precision, pilot.assumed)
    needs = [Need("precision", overall.answers, overall.exact, overall.normal, pilot.precision)]
    if pilot.class_precision is not None:
        each = answers_for_precision(pilot.class_precision, pilot.assumed)
        drawn = draw_size(each.answers, min(pilot.class_shares.values()))
        needs.append(Need("class precision", drawn, each.exact, each.normal, pilot.class_precision))
    return needs


def _powers(pilot: Pilot) -> list[Need]:
    needs = []
    for one in pilot.criteria:
        if one.name in SAMPLED:
            truth = hoped(pilot, one)
            answers = answers_for_yes(one, pilot.rule, truth)
            drawn = None if answers is None else draw_size(answers, pilot.part(one.name))
            needs.append(Need(one.name, drawn, answers, truth=truth))
    return needs


def _promise(pilot: Pilot) -> list[Need]:
    """Answers that earn the promise for the wanted share: without an error in it, and with a quarter of the allowed."""
    one = pilot.criterion("automated")
    if one is None or one.max_error is None:
        return []
    needs = []
    for error in (0.0, one.max_error / 4):
        answers = _answers_for_promise(pilot.images, one.limit, one.max_error, error)
        needs.append(Need("automated", answers, answers, truth=error))
    return needs


def _answers_for_promise(images: int, share: float, max_error: float, error: float) -> int | None:
    """The smallest plan by which a scope of at least that share passes with probability `POWER`."""
    terms = Terms(max_error, CONFIDENCE)
    shares = (share + (1 - share) * part / SCOPES for part in range(SCOPES + 1))
    plans = [plan_size(images, terms, share=one, error=error, power=POWER) for one in shares]
    return min((plan for plan in plans if plan is not None), default=None)


def hoped(pilot: Pilot, one: Criterion) -> float:
    """The truth at which yes should come out: the expected accuracy, else half as many wrong as the limit allows."""
    if one.name == "accuracy":
        return pilot.expected if pilot.expected is not None else (1 + one.limit) / 2
    return one.limit / 2


def _truths(pilot: Pilot, one: Criterion) -> list[float]:
    """From a truth as far beyond the edge as the edge is from the limit, up to the one hoped for."""
    hope, ends = hoped(pilot, one), (2 * one.edge - one.limit, one.edge, one.limit)
    values = {*ends, (one.limit + hope) / 2, hope}
    return sorted({round(value, 4) for value in values if 0 < value < 1}, reverse=not one.higher)


def _check_reach(pilot: Pilot, needs: tuple[Need, ...]) -> None:
    for need in needs:
        if need.half_width is not None and need.images is not None and need.images > pilot.images:
            fits = _precision_that_fits(pilot, need.purpose)
            option = "--" + need.purpose.replace(" ", "-")
            advice = Sentence("Collect more images.")
            if fits is not None:
                larger = mark("Give a larger {option}, such as {fits}, or collect more images.")
                advice = Sentence(larger, option=option, fits=f"{fits:g}")
            raise ConfigError(
                (
                    "a precision of ±{points} points needs {images} images drawn at random, and there will be "
                    "{expected}. {advice}"
                )
                if need.purpose == "precision"
                else (
                    "a precision of each class of ±{points} points needs {images} images drawn at random, and "
                    "there will be {expected}. {advice}"
                ),
                points=f"{100 * need.half_width:g}",
                images=f"{need.images:,}",
                expected=f"{pilot.images:,}",
                advice=advice,
            )
        if need.purpose == "automated" and need.images is None and need.truth == 0:
            raise ConfigError(
                "with {images} images no audit can prove so small an error rate for that share of "
                "them, even if not one answer is wrong. Allow a larger --max-error, or collect more "
                "images.",
                images=f"{pilot.images:,}",
            )
    for one in pilot.criteria:
        if one.name in SAMPLED:
            _check_possible(pilot, one)


def _precision_that_fits(pilot: Pilot, purpose: str) -> float | None:
    """The smallest half width in whole points that the expected images give; None where none does."""
    name = purpose.replace(" ", "_")
    for points in range(1, 50):
        wider = replace(pilot, **{name: points / 100})  # type: ignore[arg-type]
        need = next(one for one in _precisions(wider) if one.purpose == purpose)
        if need.images is not None and need.images <= pilot.images:
            return points / 100
    return None


def _check_possible(pilot: Pilot, one: Criterion) -> None:
    """ConfigError where not even a faultless result would give a yes."""
    answers = max(1, round(pilot.images * pilot.part(one.name)))
    count = int(yes_counts(one, pilot.rule, answers))
    if (count <= answers) if one.higher else (count >= 0):
        return
    least = next((n for n in range(answers, MOST) if _possible(one, pilot.rule, n)), None)
    needed = Sentence("no pilot is large")
    if least is not None:
        needed = Sentence("{n} are", n=f"{ceil(least / pilot.part(one.name)):,}")
    raise ConfigError(
        "{name} {limit} cannot be proven with {images} images ({answers} of them count), "
        "even if not one answer is wrong; {needed} enough. Set an easier limit, or collect "
        "more images.",
        name=one.name,
        limit=f"{one.limit:g}",
        images=f"{pilot.images:,}",
        answers=f"{answers:,}",
        needed=needed,
    )


def _possible(one: Criterion, rule: Rule, answers: int) -> bool:
    count = int(yes_counts(one, rule, answers))
    return count <= answers if one.higher else count >= 0
