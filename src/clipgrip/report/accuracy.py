"""Accuracy over time: every audited figure with its interval, version by version, and what each round changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from markupsafe import Markup

from clipgrip.data.rows import HashIndex
from clipgrip.metrics import Share
from clipgrip.report.figures import share_line
from clipgrip.review.measure import errors
from clipgrip.review.snapshot import read_snapshot
from clipgrip.review.store import ReviewRound, has_review, open_review
from clipgrip.runs.audit_store import (
    MEASURE,
    StoredAudit,
    is_uniform,
    stored_answers,
    stored_audits,
)
from clipgrip.runs.measuring import MeasuringAudit
from clipgrip.runs.outcome import Outcome
from clipgrip.runs.store import open_store
from clipgrip.trust.bounds import change_p_value
from clipgrip.words import Words, mark

HOW = {"uniform": mark("random audit"), "measuring": mark("audit drawn to measure")}


@dataclass(frozen=True)
class AuditedFigure:
    """The accuracy of one version of the model as people's answers gave it at one time."""

    version: int
    at: str
    how: str
    answers: int
    value: float
    low: float
    high: float
    put_right: int | None = None
    """Of the audited images that the version before answered too; None where there is none."""
    put_wrong: int | None = None


@dataclass(frozen=True)
class AccuracyRow:
    """One line of the table, ready to print."""

    version: str
    at: str
    how: str
    answers: str
    value: str
    span: str
    change: str


@dataclass(frozen=True)
class Accuracy:
    """The section: a plot where there are several figures, and the table."""

    rows: list[AccuracyRow]
    svg: Markup | None


def accuracy(figures: tuple[AuditedFigure, ...], say: Words) -> Accuracy | None:
    """The section; None where nobody answered an audit."""
    if not figures:
        return None
    rows = [
        AccuracyRow(
            say.number(one.version),
            say.date(one.at),
            say(HOW[one.how]),
            say.number(one.answers),
            say.percent(one.value),
            say.span((one.low, one.high)),
            change(one.put_right, one.put_wrong, say),
        )
        for one in figures
    ]
    if len(figures) < 2:
        return Accuracy(rows, None)
    svg = share_line(
        "audited",
        [str(one.version) for one in figures],
        [one.value for one in figures],
        intervals=[(one.low, one.high) for one in figures],
    )
    return Accuracy(rows, svg)


def change(put_right: int | None, put_wrong: int | None, say: Words) -> str:
    """What a version changed on the same images, and whether that may be chance; empty where nothing is compared."""
    if put_right is None or put_wrong is None:
        return ""
    counts = {"fixed": say.number(put_right), "broken": say.number(put_wrong)}
    p = change_p_value(put_right, put_wrong)
    chance = "< 0.1%" if p < 0.001 else say.percent(p)
    return say(
        "{fixed} put right, {broken} put wrong on the same images; so large a difference by chance alone: {p}",
        p=chance,
        **counts,
    )


def history(folder: Path, outcome: Outcome) -> tuple[AuditedFigure, ...]:
    """Oldest first: the rounds of a review as they were measured, the present one by all audited images, and sheets."""
    rounds = tuple(_of_review(folder)) if has_review(folder) else ()
    version = rounds[-1].version if rounds else _version(folder)
    return (*rounds, *_of_sheets(outcome, version))


def _version(folder: Path) -> int:
    if not has_review(folder):
        return 1
    with open_review(folder) as store:
        return len(store.rounds()) or 1


def _of_review(folder: Path) -> Iterator[AuditedFigure]:
    with open_review(folder) as store:
        snapshot, rounds = read_snapshot(folder, store), store.rounds()
        answers = store.answers()
    for before, after in pairwise(rounds):
        if after.facts.get("audited"):
            if before.number == 1:
                yield _as_measured(before, after, "before")
            yield _as_measured(after, after, "after")
    found, last = errors(snapshot).overall, rounds[-1] if rounds else None
    if not found.total or (last is not None and last.facts.get("audited") == found.total):
        return
    right = Share(found.total - found.count, found.total)
    at = max((one.at for one in answers if one.purpose == "audit"), default="")
    yield _figure(last.number if last else 1, at or (last.at if last else ""), right)


def _as_measured(version: ReviewRound, by: ReviewRound, when: str) -> AuditedFigure:
    """A round on the images that were audited when the later of two was made."""
    facts = by.facts
    right = Share(facts[f"right_{when}"], facts["audited"])
    found = _figure(version.number, version.at, right)
    if when == "before":
        return found
    return replace(found, put_right=facts["put_right"], put_wrong=facts["put_wrong"])


def _figure(version: int, at: str, right: Share) -> AuditedFigure:
    low, high = right.exact or (0.0, 1.0)
    return AuditedFigure(version, at, "uniform", right.total, right.value or 0.0, low, high)


def _of_sheets(outcome: Outcome, version: int) -> Iterator[AuditedFigure]:
    """Audits that were answered on sheets, of the answers that the run gives now."""
    with open_store(outcome.folder) as store:
        audits = stored_audits(store, outcome.run.id)
        answers = {one.audit: stored_answers(store, outcome.run.id, one.audit) for one in audits}
    for one in audits:
        truth = dict(answers[one.audit])
        found = (
            _uniform(outcome, one, truth, version)
            if is_uniform(one.audit)
            else _measuring(outcome, one, truth, version)
        )
        if found is not None:
            yield found


def _uniform(
    outcome: Outcome, audit: StoredAudit, truth: dict[str, int], version: int
) -> AuditedFigure | None:
    labels, known = outcome.answers.pool.argmax(1).numpy(), outcome.embeds.pool_rows.among(truth)
    hits = (labels == outcome.embeds.pool_rows.values(truth))[known].tolist()
    return _figure(version, audit.last, Share(sum(hits), len(hits))) if hits else None


def _measuring(
    outcome: Outcome, audit: StoredAudit, truth: dict[str, int], version: int
) -> AuditedFigure | None:
    """None for other draws, and for answers that were measured of a version that is no longer there."""
    if not audit.audit.startswith(MEASURE) or not len(outcome.task.unlabeled):
        return None
    asked = MeasuringAudit.of_id(outcome, audit.audit)
    if asked is None:
        return None
    row_of = HashIndex(asked.audit.images.hashes)
    rows = np.array([row_of[image] for image in truth if image in row_of], dtype=np.int64)
    classes = np.array([c for image, c in truth.items() if image in row_of], dtype=np.int64)
    found = asked.read(rows, classes)
    if found is None:
        return None
    whole = found.overall
    return AuditedFigure(
        version, audit.last, "measuring", whole.answers, whole.value, whole.low, whole.high
    )
