"""From a review to the facts for the board: its random audit, its measured seconds, and what the audit proves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from clipgrip.clock import precisely
from clipgrip.report.board.facts import Automation, BoardEvidence, BoardFacts, Effort
from clipgrip.report.board.from_run import (
    BoardRequest,
    JudgedImages,
    about_of,
    common,
    kept_promise,
    run_facts,
    without_review,
)
from clipgrip.review.answers import pace
from clipgrip.review.draws import ChosenDraw, audit_of, chosen_draw
from clipgrip.review.measure import audit_proof, measured_rows
from clipgrip.review.snapshot import ReviewSnapshot, read_snapshot
from clipgrip.review.store import NAME, Answer, ReviewStore, has_review, open_review
from clipgrip.runs.events import Listener
from clipgrip.runs.reopen import reopen
from clipgrip.runs.watch.standing import standing


def board_facts(folder: Path, asked: BoardRequest, listener: Listener | None = None) -> BoardFacts:
    """Everything the report says about the run in a folder, the review in it included.

    Raises:
        RunError: the folder holds no finished run.
        ConfigError: an OK class that the run does not know.
    """
    if has_review(folder):
        with open_review(folder) as store:
            found = review_facts(folder, store, asked)
        if found is not None:
            return replace(found, home=str(folder))
    return run_facts(reopen(folder, listener), asked)


def review_facts(folder: Path, store: ReviewStore, asked: BoardRequest) -> BoardFacts | None:
    """The newest round of a review; None where nobody has answered anything in it.

    ConfigError: an OK class that the review does not know.
    """
    if not store.answers():
        return None
    snapshot = read_snapshot(folder, store)
    names, answers = snapshot.classes.class_names.display, snapshot.answers
    asked.check(names)
    judged = _judged(snapshot, names)
    evidence = _evidence(snapshot, judged, answers)
    audit = [one for one in answers if one.purpose == "audit"]
    others = [one for one in answers if one.purpose in ("review", "settle")]
    labeled = snapshot.states.labeled & ~snapshot.states.audit
    found: dict[str, Any] = {
        "evidence": evidence,
        "errors": judged.worst(asked.good(names)),
        "automation": _automation(snapshot, evidence, asked, chosen_draw(snapshot, store)),
    }
    outcome = snapshot.view.outcome
    if evidence is None and outcome.manifest.classes.display == names:
        found = without_review(outcome, asked)
    return BoardFacts(
        **common(outcome, asked),
        **found,
        class_names=names,
        ok_classes=asked.ok_classes,
        labeled=int(labeled.sum()),
        audit_effort=_effort(audit),
        review_effort=_effort(others),
    )


def _judged(snapshot: ReviewSnapshot, names: tuple[str, ...]) -> JudgedImages:
    """The audited images by the classes of now."""
    rows = measured_rows(snapshot)
    view, classes = snapshot.view, snapshot.classes
    return JudgedImages(
        names,
        view.rows.take(rows),
        classes.columns(snapshot.states.klass[rows]),
        classes.columns(view.label[rows]),
        view.confidence[rows].astype(np.float64),
    )


def _evidence(
    snapshot: ReviewSnapshot, judged: JudgedImages, answers: Iterable[Answer]
) -> BoardEvidence | None:
    """The audit; None where no image of it counts yet."""
    images = {row.sha256 for row in judged.rows}
    counted = [one for one in answers if one.image in images]
    if not counted:
        return None
    times = sorted(one.at for one in counted)
    people = tuple(dict.fromkeys(one.person for one in counted if one.person))
    drawn_from = int((snapshot.states.file_label < 0).sum())
    return BoardEvidence(
        "audit", judged.counts, times[0], times[-1], people, NAME, drawn_from, judged.unsure
    )


def _automation(
    snapshot: ReviewSnapshot,
    evidence: BoardEvidence | None,
    asked: BoardRequest,
    chosen: ChosenDraw,
) -> Automation | None:
    """The promise that was kept, if it is as strict as the criteria ask for; else what the audit proves by now.

    Of one that was withdrawn at work, only the groups that still stand; None where none does.
    """
    audit, outcome = snapshot.round.draw.audit, snapshot.view.outcome
    if evidence is None or audit is None:
        return None
    terms, every = asked.terms(evidence.first), asked.of_every_error(evidence.first)
    stored = kept_promise(outcome, terms)
    names = {one.name: one.id for one in snapshot.classes.active}
    if stored is not None and (
        stored.keeps(terms.max_error, len(names))
        if every
        else stored.max_error <= terms.max_error and stored.confidence >= terms.confidence
    ):
        return stored
    stands = standing(outcome.folder)
    mine = audit_of(snapshot, chosen) or audit
    if stands is not None and (stands.open_fall or stands.fallen_of(mine.id)):
        return stored
    # misses and overkill apart would leave a limit of all wrong labels unjudged
    good = [] if every else [names[name] for name in asked.good(tuple(names))]
    proof = audit_proof(snapshot, terms, good, chosen.plan)
    if proof is None:
        return None
    promise = proof.promise
    model = int(promise.decided.sum())
    return Automation(
        model,
        len(promise.decided) - model,
        promise.terms.max_error,
        promise.terms.confidence,
        sum(scope.audited for scope in promise.scopes),
        sum(scope.wrong for scope in promise.scopes),
        precisely(),
        "",
        NAME,
        about_of(promise.terms.about, [scope.group for scope in promise.scopes]),
    )


def _effort(answers: list[Answer]) -> Effort | None:
    """Measured seconds, long absences cut; the mean, for hours are sums."""
    measured = pace(answers)
    if measured is None:
        return None
    looks = sum(one.seconds is not None for one in answers)
    people = len({one.person for one in answers})
    return Effort(measured.total / looks, looks, measured.total / 3600, people, NAME)
