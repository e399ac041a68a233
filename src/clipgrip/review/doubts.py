"""What speaks against the model's answers: by the random audit if it is large enough, else by what the run found."""

from __future__ import annotations

from dataclasses import dataclass

from clipgrip.metrics import Share
from clipgrip.review.measure import Errors
from clipgrip.review.snapshot import ReviewSnapshot
from clipgrip.runs.knowledge import doubts as doubts_of_run
from clipgrip.trust.knowledge import JUDGED, Finding, Judged, no_better


@dataclass(frozen=True)
class Baseline:
    """How many of the audited images the commonest of their classes would get right if it were every answer."""

    name: str
    right: Share


def baseline(snapshot: ReviewSnapshot, found: Errors) -> Baseline | None:
    """None where nothing was audited; an image that nobody can tell is right for no class."""
    numbers = snapshot.classes.counts(snapshot.states.klass[list(found.rows)])
    most = max(numbers, key=lambda id_: numbers[id_])
    if not numbers[most]:
        return None
    return Baseline(snapshot.classes.names[most], Share(numbers[most], len(found.rows)))


def doubts(snapshot: ReviewSnapshot, found: Errors, common: Baseline | None) -> tuple[Finding, ...]:
    """The findings by the audit if it has enough answers, else those that the run made before it learned."""
    seen = doubts_of_run(snapshot.view.outcome.run.facts)
    if common is None or found.overall.total < JUDGED:
        return seen
    right = found.overall.total - found.overall.count
    judged = Judged(right, common.right.count, found.overall.total, common.name)
    if not no_better(judged):
        return ()
    rest = tuple(one for one in seen if one.kind not in ("no-better", "untested"))
    return (Finding("no-better", vars(judged)), *rest)
