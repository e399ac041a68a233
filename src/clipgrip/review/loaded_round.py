"""A round of the model as the review works with it: the images, the model, and the random draw. Read, never written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from clipgrip.clock import precisely
from clipgrip.data.classes import ClassNames
from clipgrip.data.rows import NO_ROWS, Hashes, HashIndex, Rows
from clipgrip.review.states import Ints
from clipgrip.review.store import ReviewRound
from clipgrip.review.view import RoundClassifier
from clipgrip.runs.audit_sheet import Audit
from clipgrip.runs.outcome import Outcome
from clipgrip.runs.reopen import reopen
from clipgrip.runs.store import open_store

AUDIT_SEED = 0


@dataclass(frozen=True, eq=False)
class AuditDraw:
    """The random draw over what a round left unlabeled."""

    audit: Audit | None
    """None where people labeled everything."""
    pool_rows: Ints
    """The row in the review of each image of the audit's pool; -1 if it is not under review."""
    rows: Ints
    """Rows in the order of the draw."""

    @classmethod
    def of(cls, audit: Audit | None, row_by_hash: HashIndex) -> AuditDraw:
        """The draw in rows of the review."""
        if audit is None:
            return cls(None, np.zeros(0, np.int64), np.zeros(0, np.int64))
        pool_rows = row_by_hash.of(audit.images.hashes)
        rows = pool_rows[audit.order]
        return cls(audit, pool_rows, rows[rows >= 0])

    @cached_property
    def drawn(self) -> frozenset[int]:
        """The same rows, to look one up."""
        return frozenset(self.rows.tolist())


@dataclass(frozen=True, eq=False)
class LoadedRound:
    """The newest round and all of it that does not depend on people's answers and class names."""

    folder: Path
    """Of the review."""
    rounds: tuple[ReviewRound, ...]
    """Every round up to this one, oldest first."""
    classifier: RoundClassifier = field(repr=False)
    file_labels: Mapping[str, int] = field(repr=False)
    """Content hash -> class position in the first run, of images that its own files labeled."""
    missing: Rows = field(repr=False)
    """Images under review whose files are gone, so that no round can read them any more."""
    draw: AuditDraw = field(repr=False)

    @property
    def stored(self) -> ReviewRound:
        """As the review keeps it."""
        return self.rounds[-1]

    @property
    def number(self) -> int:
        """1: the run that the review began with."""
        return self.stored.number


def load_round(folder: Path, rounds: Sequence[ReviewRound]) -> LoadedRound:
    """Read the last of these rounds.

    Raises:
        RunError: it is not there, or damaged.
    """
    outcome = reopen(folder / rounds[-1].folder)
    images, labels = _under_review(folder, rounds, outcome)
    classifier = RoundClassifier.of(outcome, images)
    gone = images[classifier.row_by_hash.of(images) < 0]
    missing = NO_ROWS
    if len(gone):
        with open_store(folder / rounds[0].folder) as runs:
            missing = runs.rows(rounds[0].run, gone.astype(str).tolist())
    audit = Audit.of(outcome, AUDIT_SEED) if len(outcome.task.unlabeled) else None
    return LoadedRound(
        folder=folder,
        rounds=tuple(rounds),
        classifier=classifier,
        file_labels=dict(
            zip(images[labels >= 0].astype(str).tolist(), labels[labels >= 0].tolist(), strict=True)
        ),
        missing=missing,
        draw=AuditDraw.of(audit, classifier.row_by_hash),
    )


def _under_review(
    folder: Path, rounds: Sequence[ReviewRound], outcome: Outcome
) -> tuple[Hashes, Ints]:
    """Content hashes and labels of the first run's pool; of the only round, all of whose images are here, its own."""
    manifest = outcome.manifest
    if len(rounds) == 1 and len(manifest.pool) == outcome.run.facts["data"]["pool"]:
        return manifest.rows.hashes[manifest.pool], manifest.rows.labels[manifest.pool]
    with open_store(folder / rounds[0].folder) as runs:
        return runs.pool(rounds[0].run)


def first_round(folder: Path) -> tuple[ClassNames, ReviewRound]:
    """The run that a review begins with, and its classes.

    Raises:
        RunError: it is not finished.
    """
    with open_store(folder) as runs:
        run = runs.finished_run(folder)
        return runs.classes(run.id), ReviewRound(1, ".", run.id, precisely())
