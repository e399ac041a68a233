"""From a review to the facts for the board: its random audit, its measured seconds, and what the audit proves."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from clipgrip.report.board.facts import Automation, BoardFacts, Effort, Evidence
from clipgrip.report.board.from_run import Answers, Asked, common, kept_promise, without_review
from clipgrip.review.answers import pace
from clipgrip.review.desk import DECIDED, GIVEN, Desk, now
from clipgrip.review.measure import measured_rows, promised
from clipgrip.review.store import NAME, Answer, ReviewStore


def review_facts(folder: Path, store: ReviewStore, asked: Asked) -> BoardFacts | None:
    """The newest round of a review; None where nobody has answered anything in it.

    Raises:
        ConfigError: an OK class that the review does not know.
    """
    answers = store.answers()
    if not answers:
        return None
    desk = Desk(folder, store)
    names = tuple(one.name for one in desk.view.classes)
    asked.check(names)
    judged = _judged(desk, names)
    evidence = _evidence(desk, judged, answers)
    audit = [one for one in answers if one.purpose == "audit"]
    others = [one for one in answers if one.purpose in ("review", "settle")]
    known = np.isin(desk.standing.state, (DECIDED, GIVEN)) & ~desk.standing.audit
    found: dict[str, Any] = {
        "evidence": evidence,
        "errors": judged.worst(asked.good(names)),
        "automation": _automation(desk, evidence, asked),
    }
    outcome = desk.view.outcome
    if evidence is None and outcome.manifest.classes.display == names:
        found = without_review(outcome, asked)
    return BoardFacts(
        **common(outcome, asked),
        **found,
        class_names=names,
        ok_classes=asked.ok_classes,
        labeled=int(known.sum()),
        audit_effort=_effort(audit),
        review_effort=_effort(others),
    )


def _judged(desk: Desk, names: tuple[str, ...]) -> Answers:
    """The audited images by the classes of now."""
    rows = measured_rows(desk)
    column = {one.id: n for n, one in enumerate(desk.view.classes)}
    truth = [column.get(int(id_), -1) for id_ in desk.standing.klass[rows]]
    answer = [column[int(id_)] for id_ in desk.view.label[rows]]
    return Answers(
        names,
        tuple(desk.view.rows[row] for row in rows.tolist()),
        np.array(truth, dtype=np.int64),
        np.array(answer, dtype=np.int64),
        desk.view.confidence[rows].astype(np.float64),
    )


def _evidence(desk: Desk, judged: Answers, answers: Iterable[Answer]) -> Evidence | None:
    """The audit; None where no image of it counts yet."""
    images = {row.sha256 for row in judged.rows}
    counted = [one for one in answers if one.image in images]
    if not counted:
        return None
    times = sorted(one.at for one in counted)
    people = tuple(dict.fromkeys(one.person for one in counted if one.person))
    drawn_from = int((desk.view.given < 0).sum())
    return Evidence(
        "audit", judged.counts, times[0], times[-1], people, NAME, drawn_from, judged.unsure
    )


def _automation(desk: Desk, evidence: Evidence | None, asked: Asked) -> Automation | None:
    """The promise that was kept, if it is as strict as the criteria ask for; else what the audit proves by now."""
    if evidence is None or desk.audit is None:
        return None
    terms = asked.terms(evidence.first)
    kept = kept_promise(desk.view.outcome, terms, desk.audit.id)
    if (
        kept is not None
        and kept.max_error <= terms.max_error
        and kept.confidence >= terms.confidence
    ):
        return kept
    names = {one.name: one.id for one in desk.view.classes}
    good = [names[name] for name in asked.good(tuple(names))]
    proven = promised(desk, terms, good)
    if proven is None:
        return None
    told = proven.told
    model = int(told.decided.sum())
    return Automation(
        model,
        len(told.decided) - model,
        told.terms.max_error,
        told.terms.confidence,
        sum(scope.audited for scope in told.scopes),
        sum(scope.wrong for scope in told.scopes),
        now(),
        "",
        NAME,
    )


def _effort(answers: list[Answer]) -> Effort | None:
    """Measured seconds, long absences cut; the mean, for hours are sums."""
    measured = pace(answers)
    if measured is None:
        return None
    looks = sum(one.seconds is not None for one in answers)
    people = len({one.person for one in answers})
    return Effort(measured.total / looks, looks, measured.total / 3600, people, NAME)
