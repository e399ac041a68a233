"""Where the review stands, for people who decide: who decided how much, how often it is wrong, what to do next."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Literal

import numpy as np

from clipgrip.errors import ConfigError
from clipgrip.metrics import Share
from clipgrip.review.answers import Pace, pace
from clipgrip.review.desk import ASKED, DECIDED, DISAGREE, GIVEN, OPEN, UNSURE, Desk, counted
from clipgrip.review.doubts import Baseline, baseline, doubts
from clipgrip.review.measure import (
    Errors,
    Estimate,
    Promised,
    errors,
    estimate,
    gap,
    promised,
)
from clipgrip.review.queues import asked, disagreements, doubtful
from clipgrip.trust.knowledge import LABELS_PER_CLASS, Finding, knows_nothing
from clipgrip.trust.terms import Terms

FIRST_AUDIT = 50
"""Audited images from which an error rate is worth a look: ±11 points at an accuracy of 80 %."""
ENOUGH = 20
"""New answers, per class 2 but at least so many, that make another round worth its minutes."""

MOST_MORE = 1000
"""Audit answers that nobody will give only to widen a promise."""

Mark = Literal["good", "unclear", "bad", "unknown"]
Step = Literal["settle", "audit", "round", "more-audit", "review", "second", "rethink", "done"]


@dataclass(frozen=True)
class ClassLine:
    """One class: what the model answers, what people decided, how often the model is wrong."""

    id: int
    name: str
    prompt: str
    open: int
    people: int
    audited: Share
    """Wrong among audited images that the model takes for this class."""
    missed: Share
    """Wrong among audited images that are of this class."""
    estimated: float | None
    mark: Mark


@dataclass(frozen=True)
class PersonLine:
    """One person's work."""

    name: str
    answers: int
    pace: Pace | None


@dataclass(frozen=True)
class Overview:
    """All figures of the first page."""

    images: int
    people: int
    """Decided by people, the audited among them."""
    given: int
    """Labeled by the files that the run was given."""
    model: int
    """Within the promise: the model decides them."""
    open: int
    disagree: int
    unsure: int
    asked: int
    audited: Errors
    common: Baseline | None
    """The commonest class of the audited images, beside which the model's figure stands."""
    doubts: tuple[Finding, ...]
    """What speaks against the model's answers."""
    waiting: int
    """Audit answers that do not count yet."""
    estimated: Estimate
    promised: Promised | None
    classes: tuple[ClassLine, ...]
    persons: tuple[PersonLine, ...]
    pace: Pace | None
    fresh: int
    """Images that people decided and the model has not learned from yet."""
    step: Step
    step_count: int
    step_class: str


def overview(desk: Desk, terms: Terms, ok: tuple[int, ...] = ()) -> Overview:
    """Count everything."""
    with desk.lock:
        state, view = desk.standing.state, desk.view
        found, expected, told = errors(desk), estimate(desk), promised(desk, terms, ok)
        answers = desk.answers()
        model = _decided_by_model(desk, told)
        fresh = int(((state == DECIDED) & ~desk.standing.audit & ~view.learned).sum())
        common = baseline(desk, found)
        against = doubts(desk, found, common)
        news = min(fresh, _since_held_back(desk)) if "held" in desk.round.facts else fresh
        step, count, name = _next_step(desk, found, told, news, knows_nothing(against))
        return Overview(
            images=len(view.rows),
            people=int((state == DECIDED).sum()),
            given=int((state == GIVEN).sum()),
            model=model,
            open=int((state == OPEN).sum()) - model,
            disagree=int((state == DISAGREE).sum()),
            unsure=int((state == UNSURE).sum()),
            asked=int((state == ASKED).sum()),
            audited=found,
            common=common,
            doubts=against,
            waiting=gap(desk),
            estimated=expected,
            promised=told,
            classes=_class_lines(desk, found, expected, terms),
            persons=_person_lines(desk),
            pace=pace(answers),
            fresh=fresh,
            step=step,
            step_count=count,
            step_class=name,
        )


def asked_for(desk: Desk) -> Terms:
    """The terms that the last promise was asked for with; at most 2 % at 95 % before there is one."""
    for change in reversed(desk.store.changes()):
        if change.action == "promise":
            return Terms(change.facts["max_error"], change.facts["confidence"])
    return Terms()


def _since_held_back(desk: Desk) -> int:
    """Labels that the round which is held back did not learn from."""
    held = next(one for one in desk.rounds if one.number == desk.round.facts["held"])
    known = np.isin(desk.standing.state, (DECIDED, GIVEN)) & ~desk.standing.audit
    return max(0, int(known.sum()) - int(held.facts["labels"]))


def terms_of(max_error: float, confidence: float) -> Terms:
    """Terms of a promise about these images.

    Raises:
        ConfigError: a share out of range.
    """
    if not 0 < max_error < 0.5:
        raise ConfigError("the largest share of errors has to lie between 0 and 50 %, as in 2 %.")
    return Terms(max_error, confidence)


def _decided_by_model(desk: Desk, told: Promised | None) -> int:
    """Open images within the promise."""
    if told is None or desk.audit is None:
        return 0
    inside = desk.audit_rows[told.told.decided]
    return int((desk.standing.state[inside[inside >= 0]] == OPEN).sum())


def _class_lines(
    desk: Desk, found: Errors, expected: Estimate, terms: Terms
) -> tuple[ClassLine, ...]:
    state = desk.standing.state
    ids = [one.id for one in desk.view.classes]
    opened = counted(desk.view.label[state == OPEN], ids)
    decided = counted(desk.standing.klass[np.isin(state, (DECIDED, GIVEN))], ids)
    return tuple(
        ClassLine(
            id=one.id,
            name=one.name,
            prompt=one.prompt,
            open=opened[one.id],
            people=decided[one.id],
            audited=found.answered[one.id],
            missed=found.true[one.id],
            estimated=expected.by_class[one.id],
            mark=mark_of_class(found.answered[one.id], found.true[one.id], terms.max_error),
        )
        for one in desk.view.classes
    )


def mark(wrong: Share, allowed: float) -> Mark:
    """Good or bad where the 95 % interval lies on one side of what is allowed, else unclear."""
    if wrong.interval is None:
        return "unknown"
    low, high = wrong.interval
    if high <= allowed:
        return "good"
    return "bad" if low > allowed else "unclear"


def mark_of_class(answered: Share, missed: Share, allowed: float) -> Mark:
    """The worse of both: wrong where the model says so, and missed by it; unknown only where neither is measured."""
    marks = {mark(answered, allowed), mark(missed, allowed)}
    if "bad" in marks:
        return "bad"
    if marks == {"unknown"}:
        return "unknown"
    return "unclear" if "unclear" in marks else "good"


def _person_lines(desk: Desk) -> tuple[PersonLine, ...]:
    said = defaultdict(list)
    for answer in desk.answers():
        said[answer.person].append(answer)
    lines = (PersonLine(name, len(given), pace(given)) for name, given in said.items())
    return tuple(sorted(lines, key=lambda line: (-line.answers, line.name)))


def _next_step(
    desk: Desk, found: Errors, told: Promised | None, fresh: int, guesses: bool
) -> tuple[Step, int, str]:
    """What to do now: the first that applies. To look at more of what a model guesses is time lost."""
    if n := len(disagreements(desk)):
        return "settle", n, ""
    counted_now, drawn = len(found.rows), 0 if desk.audit is None else len(desk.audit.hashes)
    if counted_now < min(FIRST_AUDIT, drawn):
        return "audit", min(FIRST_AUDIT, drawn) - counted_now, ""
    if fresh >= max(ENOUGH, 2 * len(desk.view.classes)):
        return "round", fresh, ""
    if n := len(asked(desk)):
        return "second", n, ""
    if guesses and len(doubtful(desk)):
        return "rethink", LABELS_PER_CLASS * len(desk.view.classes), ""
    if told is not None and told.told.following is not None and _worth_more(desk, found, told):
        return "more-audit", told.told.following.draws or 1, ""
    if rest := len(doubtful(desk)):
        return "review", rest, _worst_class(desk, found)
    return "done", 0, ""


def _worth_more(desk: Desk, found: Errors, told: Promised) -> bool:
    """Whether more audit answers are likely to widen what the model may decide.

    Some group has to be within reach, and the surest quarter of the measured images not clearly worse than promised:
    with a poor model people's time is better spent on doubtful images.
    """
    rows = np.array(found.rows, dtype=np.int64)
    surest = rows[np.argsort(-desk.view.confidence[rows], kind="stable")][: max(1, len(rows) // 4)]
    wrong = Share(int(np.isin(surest, found.wrong).sum()), len(surest))
    if wrong.interval is not None and wrong.interval[0] > told.told.terms.max_error:
        return False
    if told.told.decided.any() and not any(one.pays for one in told.told.wider):
        return False  # answers would take more images from the model than they add
    return any(isinstance(more, int) and 0 < more <= MOST_MORE for more in told.more.values())


def _worst_class(desk: Desk, found: Errors) -> str:
    """The class with the most open images in doubt, weighed by its audited errors."""
    rows = doubtful(desk)[:200]
    ids = [one.id for one in desk.view.classes]
    numbers = counted(desk.view.label[rows], ids)
    worst = max(ids, key=lambda id_: numbers[id_] * (0.1 + (found.answered[id_].value or 0.0)))
    return desk.names[worst]
