"""Where the review stands, for people who decide: who decided how much, how often it is wrong, what to do next."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from clipgrip.errors import ConfigError
from clipgrip.metrics import Share, exact_interval
from clipgrip.review.answers import Pace, pace
from clipgrip.review.deciding import Deciders, deciders
from clipgrip.review.doubts import Baseline, baseline, doubts
from clipgrip.review.draws import ChosenDraw
from clipgrip.review.measure import (
    AuditProof,
    ErrorEstimate,
    Errors,
    errors,
    estimate,
    gap,
)
from clipgrip.review.queues import asked, count_waiting, disagreements, most_doubtful
from clipgrip.review.snapshot import ReviewSnapshot
from clipgrip.review.states import ImageState
from clipgrip.sentences import Sentence
from clipgrip.trust.knowledge import LABELS_PER_CLASS, Finding, knows_nothing
from clipgrip.trust.terms import Terms

FIRST_AUDIT = 50
"""Audited images from which an error rate is worth a look: ±11 points at an accuracy of 80%."""
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
    estimated: ErrorEstimate
    deciders: Deciders
    """Who decides, by what is kept or proven."""
    classes: tuple[ClassLine, ...]
    persons: tuple[PersonLine, ...]
    pace: Pace | None
    fresh: int
    """Images that people decided and the model has not learned from yet."""
    step: Step
    step_count: int
    step_class: str

    @property
    def proof(self) -> AuditProof | None:
        """What the answers prove now."""
        return self.deciders.proof


def overview(snapshot: ReviewSnapshot, terms: Terms, chosen: ChosenDraw | None = None) -> Overview:
    """Count everything; the promise by the way in which the audit draws now (None: from all images alike)."""

    states = snapshot.states
    found, expected = errors(snapshot), estimate(snapshot)
    draws = replace(chosen or ChosenDraw(), terms=terms)
    decided_by = deciders(snapshot, draws)
    proof, model = decided_by.proof, int(decided_by.by_model.sum())
    decided = states.among(ImageState.DECIDED) & ~states.audit
    fresh = int((decided & ~snapshot.view.learned).sum())
    common = baseline(snapshot, found)
    against = doubts(snapshot, found, common)
    if knows_nothing(against) and not expected.calibrated:  # its word would be a false estimate
        expected = ErrorEstimate(dict.fromkeys(expected.by_class), None, calibrated=False)
    held_back = "held" in snapshot.round.stored.facts
    news = min(fresh, _since_held_back(snapshot)) if held_back else fresh
    step, count, name = _next_step(snapshot, found, proof, news, knows_nothing(against))
    return Overview(
        images=len(states.state),
        people=states.count(ImageState.DECIDED),
        given=states.count(ImageState.GIVEN),
        model=model,
        open=states.count(ImageState.OPEN) - model,
        disagree=states.count(ImageState.DISAGREE),
        unsure=states.count(ImageState.UNSURE),
        asked=states.count(ImageState.ASKED),
        audited=found,
        common=common,
        doubts=against,
        waiting=gap(snapshot),
        estimated=expected,
        deciders=decided_by,
        classes=_class_lines(snapshot, found, expected, terms),
        persons=_person_lines(snapshot),
        pace=pace(snapshot.answers),
        fresh=fresh,
        step=step,
        step_count=count,
        step_class=name,
    )


def _since_held_back(snapshot: ReviewSnapshot) -> int:
    """Labels that the round which is held back did not learn from."""
    number = snapshot.round.stored.facts["held"]
    held_back = next(one for one in snapshot.round.rounds if one.number == number)
    known = snapshot.states.labeled & ~snapshot.states.audit
    return max(0, int(known.sum()) - int(held_back.facts["labels"]))


def terms_of(max_error: float, confidence: float) -> Terms:
    """Terms of a promise about these images. ConfigError: a share out of range."""
    if not 0 < max_error < 0.5:
        raise ConfigError(
            Sentence("the largest share of errors has to lie between 0 and 50%, as in 2%.")
        )
    return Terms(max_error, confidence)


def _class_lines(
    snapshot: ReviewSnapshot, found: Errors, expected: ErrorEstimate, terms: Terms
) -> tuple[ClassLine, ...]:
    states = snapshot.states
    opened = snapshot.classes.counts(snapshot.view.label[states.among(ImageState.OPEN)])
    decided = snapshot.classes.counts(states.klass[states.labeled])
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
        for one in snapshot.classes.active
    )


def mark(wrong: Share, allowed: float) -> Mark:
    """Good or bad where the exact 95% interval lies on one side of what is allowed, else unclear.

    Wilson's is too short for a few answers: it calls 1 of 7 surely more than 2%.
    """
    if not wrong.total:
        return "unknown"
    low, high = exact_interval(wrong.count, wrong.total)
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


def _person_lines(snapshot: ReviewSnapshot) -> tuple[PersonLine, ...]:
    by_person = defaultdict(list)
    for answer in snapshot.answers:
        by_person[answer.person].append(answer)
    lines = (PersonLine(name, len(some), pace(some)) for name, some in by_person.items())
    return tuple(sorted(lines, key=lambda line: (-line.answers, line.name)))


def _next_step(
    snapshot: ReviewSnapshot, found: Errors, proof: AuditProof | None, fresh: int, guesses: bool
) -> tuple[Step, int, str]:
    """What to do now: the first that applies. To look at more of what a model guesses is time lost."""
    if n := len(disagreements(snapshot)):
        return "settle", n, ""
    if proof is not None and proof.promise.apart and proof.promise.paying:
        return "more-audit", sum(one.draws or 0 for one in proof.promise.paying), ""
    counted, drawn = len(found.rows), len(snapshot.round.draw.pool_rows)
    wanted = LABELS_PER_CLASS * len(snapshot.classes.active)
    if guesses and not counted and count_waiting(snapshot):  # labels teach it, an audit would not
        return ("rethink", wanted - fresh, "") if fresh < wanted else ("round", fresh, "")
    if counted < min(FIRST_AUDIT, drawn):
        return "audit", min(FIRST_AUDIT, drawn) - counted, ""
    if fresh >= max(ENOUGH, 2 * len(snapshot.classes.active)):
        return "round", fresh, ""
    if n := len(asked(snapshot)):
        return "second", n, ""
    if guesses and count_waiting(snapshot):
        return "rethink", wanted, ""
    if (
        proof is not None
        and not proof.promise.apart
        and proof.promise.following is not None
        and _worth_more(snapshot, found, proof)
    ):
        return "more-audit", proof.promise.following.draws or 1, ""
    if rest := count_waiting(snapshot):
        return "review", rest, _worst_class(snapshot, found)
    return "done", 0, ""


def _worth_more(snapshot: ReviewSnapshot, found: Errors, proof: AuditProof) -> bool:
    """Whether more audit answers are likely to widen what the model may decide.

    Some group has to be within reach, and the surest quarter of the measured images not clearly worse than promised:
    with a poor model people's time is better spent on doubtful images.
    """
    rows = np.array(found.rows, dtype=np.int64)
    order = np.argsort(-snapshot.view.confidence[rows], kind="stable")
    surest = rows[order[: max(1, len(rows) // 4)]]
    wrong = Share(int(np.isin(surest, found.wrong).sum()), len(surest))
    if wrong.exact is not None and wrong.exact[0] > proof.promise.terms.max_error:
        return False
    return any(isinstance(more, int) and 0 < more <= MOST_MORE for more in proof.more.values())


def _worst_class(snapshot: ReviewSnapshot, found: Errors) -> str:
    """The class with the most open images in doubt, weighed by its audited errors."""
    rows = most_doubtful(snapshot, 200)
    numbers = snapshot.classes.counts(snapshot.view.label[rows])
    worst = max(numbers, key=lambda id_: numbers[id_] * (0.1 + (found.answered[id_].value or 0.0)))
    return snapshot.classes.names[worst]
