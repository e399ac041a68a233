"""From a finished run to the facts for the board: people's answers against the model's, from runs.db or review.db."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipgrip.allowed import check_classes
from clipgrip.data.reading import open_row
from clipgrip.data.rows import Row, Rows
from clipgrip.errors import ConfigError, DataError
from clipgrip.pilot.store import Version, in_force
from clipgrip.report.board.facts import (
    Automation,
    BoardEvidence,
    BoardFacts,
    CaseValues,
    Counts,
    WorstError,
)
from clipgrip.report.from_run import lost
from clipgrip.report.pictures import thumbnail
from clipgrip.runs.audit_sheet import ALL_OK
from clipgrip.runs.audit_store import (
    StoredPromise,
    is_uniform,
    promises,
    stored_answers,
    stored_audits,
)
from clipgrip.runs.knowledge import doubts
from clipgrip.runs.outcome import Outcome
from clipgrip.runs.store import NAME, open_store
from clipgrip.runs.watch.standing import Standing, standing
from clipgrip.trust.terms import BEFORE, Terms

WORST = 10

Whole = NDArray[np.int64]


@dataclass(frozen=True)
class BoardRequest:
    """What the reader brings: criteria, assumptions, and which classes mean OK."""

    made: str
    ok_classes: tuple[str, ...] = ()
    versions: tuple[Version, ...] = ()
    assumed: Mapping[str, CaseValues] = field(default_factory=dict)
    currency: str = "JPY"

    def check(self, names: Sequence[str]) -> None:
        """ConfigError where an OK class is none of ``names``, or all of them are."""
        check_classes("--ok-class", self.ok_classes, names)
        if set(self.ok_classes) == set(names):
            raise ConfigError(ALL_OK)

    def good(self, names: Sequence[str]) -> tuple[str, ...]:
        """The OK classes among ``names``: as asked, else as the newest criteria say."""
        if self.ok_classes or not self.versions:
            return self.ok_classes
        return tuple(one for one in self.versions[-1].pilot.ok_classes if one in names)

    def terms(self, since: str | None) -> Terms:
        """The promise that the criteria in force ask for, else at most 2% at 95%."""
        most = self._most_wrong(since)
        return Terms() if most is None else Terms(most)

    def of_every_error(self, since: str | None) -> bool:
        """Whether the criteria in force limit all wrong labels, not misses and overkill alone."""
        return self._most_wrong(since) is not None

    def _most_wrong(self, since: str | None) -> float | None:
        version = in_force(self.versions, since)
        wanted = None if version is None else version.pilot.criterion("automated")
        return None if wanted is None else wanted.max_error


@dataclass(frozen=True)
class JudgedImages:
    """n judged images: the truth that people gave (-1: they could not tell), and the model's answer and confidence."""

    names: tuple[str, ...]
    rows: Rows = field(repr=False)
    truth: Whole = field(repr=False)
    answer: Whole = field(repr=False)
    confidence: NDArray[np.float64] = field(repr=False)

    @property
    def counts(self) -> Counts:
        """(C, C) without those that people could not tell."""
        table = np.zeros((len(self.names), len(self.names)), dtype=np.int64)
        known = self.truth >= 0
        np.add.at(table, (self.truth[known], self.answer[known]), 1)
        return tuple(tuple(row) for row in table.tolist())

    @property
    def unsure(self) -> int:
        """How many people could not tell."""
        return int((self.truth < 0).sum())

    def worst(self, ok: Sequence[str]) -> tuple[WorstError, ...]:
        """The wrong answers with their pictures: misses first, then overkill, then the others, the surest first."""
        wrong = np.flatnonzero((self.truth >= 0) & (self.truth != self.answer)).tolist()
        order = {"miss": 0, "overkill": 1, "error": 2}
        kinds = {n: self._kind(n, ok) for n in wrong}
        wrong.sort(key=lambda n: (order[kinds[n]], -self.confidence[n], self.rows[n].path))
        return tuple(self._error(n, kinds[n]) for n in wrong[:WORST])

    def _kind(self, n: int, ok: Sequence[str]) -> str:
        truth, answer = self.names[self.truth[n]], self.names[self.answer[n]]
        if ok and answer in ok and truth not in ok:
            return "miss"
        return "overkill" if ok and truth in ok and answer not in ok else "error"

    def _error(self, n: int, kind: Any) -> WorstError:
        return WorstError(
            self.rows[n].path,
            self.names[self.truth[n]],
            self.names[self.answer[n]],
            float(self.confidence[n]),
            kind,
            _picture(self.rows[n]),
        )


def run_facts(outcome: Outcome, asked: BoardRequest) -> BoardFacts:
    """The facts of a run in which nobody has answered anything; ConfigError: an OK class that it does not know."""
    names = outcome.manifest.classes.display
    asked.check(names)
    return BoardFacts(
        **common(outcome, asked),
        **without_review(outcome, asked),
        class_names=names,
        ok_classes=asked.ok_classes,
        labeled=len(outcome.task.labeled),
    )


def without_review(outcome: Outcome, asked: BoardRequest) -> dict[str, Any]:
    """Evidence, errors and automation from the run itself: the sheets of clipgrip audit draw, else its test images."""
    evidence, answers = _audited(outcome) or _tested(outcome) or (None, None)
    good = asked.good(outcome.manifest.classes.display)
    return {
        "evidence": evidence,
        "errors": () if answers is None else answers.worst(good),
        "automation": kept_promise(outcome, asked.terms(evidence.first if evidence else None)),
    }


def common(outcome: Outcome, asked: BoardRequest) -> dict[str, Any]:
    """The facts that do not depend on people's answers."""
    metrics = outcome.metrics
    return {
        "run": outcome.run.id,
        "folder": str(outcome.folder),
        "made": asked.made,
        "created": outcome.run.created,
        "clipgrip": metrics["clipgrip"],
        "backbone": metrics["backbone"]["name"],
        "pool": len(outcome.embeds.pool_rows),
        "lost": lost(outcome),
        "versions": asked.versions,
        "assumed": asked.assumed,
        "currency": asked.currency,
        "doubts": doubts(metrics),
        "withdrawn": (standing(outcome.folder) or Standing()).fell_at,
    }


def _audited(outcome: Outcome) -> tuple[BoardEvidence, JudgedImages] | None:
    """The audit, of those read by clipgrip audit automate, that was answered last."""
    with open_store(outcome.folder) as store:
        audits = [one for one in stored_audits(store, outcome.run.id) if is_uniform(one.audit)]
        if not audits:
            return None
        by_hash = dict(stored_answers(store, outcome.run.id, audits[-1].audit))
    rows = np.flatnonzero(outcome.embeds.pool_rows.among(by_hash)).tolist()
    images = outcome.embeds.pool_rows.take(np.array(rows, dtype=np.int64))
    truth = np.array([by_hash[image.sha256] for image in images], dtype=np.int64)
    answers = _answers(outcome, images, truth, outcome.answers.pool[rows])
    last = audits[-1]
    evidence = BoardEvidence(
        "audit", answers.counts, last.first, last.last, last.by, NAME, len(outcome.task.unlabeled)
    )
    return evidence, answers


def _tested(outcome: Outcome) -> tuple[BoardEvidence, JudgedImages] | None:
    """The test images of the run; None where it has none."""
    images = outcome.embeds.test_rows
    if not len(images):
        return None
    truth = outcome.embeds.test_labels.numpy().astype(np.int64)
    answers = _answers(outcome, images, truth, outcome.answers.test)
    when = outcome.run.created
    return BoardEvidence("test", answers.counts, when, when, (), NAME), answers


def _answers(outcome: Outcome, images: Rows, truth: Whole, probs: Any) -> JudgedImages:
    confidence, answer = probs.max(1)
    names = outcome.manifest.classes.display
    labels = answer.numpy().astype(np.int64)
    return JudgedImages(names, images, truth, labels, confidence.double().numpy())


def kept_promise(outcome: Outcome, terms: Terms) -> Automation | None:
    """The newest promise of a run that is at least as strict as ``terms``, else the newest.

    Rather one that speaks of every wrong label among these images. What was withdrawn at work of it is people's.
    """
    stands = standing(outcome.folder) or Standing()
    with open_store(outcome.folder) as store:
        stored = promises(store, outcome.run.id)
    classes = len(outcome.manifest.classes)
    found = [one for one in (_standing_part(one, stands) for one in stored) if one is not None]
    strict = [one for one in found if _is_as_strict(one, terms)]
    every = [one for one in strict if one.keeps(terms.max_error, classes)]
    return next((ones[-1] for ones in (every, strict, found) if ones), None)


def _is_as_strict(one: Automation, terms: Terms) -> bool:
    most, least = terms.max_error + 1e-9, terms.confidence - 1e-9
    return one.max_error <= most and one.confidence >= least


def _standing_part(stored: StoredPromise, stands: Standing) -> Automation | None:
    """A promise without the groups of its audit that were withdrawn at work; None where none of it stands."""
    facts, fallen = stored.facts, stands.fallen_of(stored.audit)
    proven = [one for one in facts["scopes"] if one["threshold"] is not None]
    left = [one for one in facts["scopes"] if one["group"] not in fallen]
    replaced = stored not in stands.promises  # what fell may have had other groups in it
    if fallen and (replaced or not any(one in left for one in proven)):
        return None
    gone = sum(one["images"] - one["audited"] for one in proven if one not in left)
    by_model = max(0, facts["decided_by_model"] - gone)
    return Automation(
        by_model,
        facts["pool"] - by_model,
        facts["max_error"],
        facts["confidence"],
        sum(scope["audited"] for scope in left),
        sum(scope["wrong"] for scope in left),
        stored.said_at,
        stored.said_by,
        NAME,
        about_of(facts["about"], [scope["group"] for scope in facts["scopes"]]),
        tuple(fallen),
    )


def about_of(about: str, groups: Sequence[str]) -> str:
    """The kind of a promise, by what 0.1 called it too."""
    return "apart" if "misses" in groups else BEFORE.get(about, about)


def _picture(row: Row, opened: Callable[[Row], Any] = open_row) -> str | None:
    try:
        return thumbnail(opened(row))
    except (DataError, OSError):
        return None
