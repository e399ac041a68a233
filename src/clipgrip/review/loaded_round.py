"""A round of the model as the review works with it: the images, the model, and the random draw. Read, never written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from clipgrip.clock import precisely
from clipgrip.data.classes import ClassNames
from clipgrip.data.manifest import Row
from clipgrip.errors import RunError
from clipgrip.review.states import Ints
from clipgrip.review.store import ReviewRound
from clipgrip.review.view import RoundClassifier
from clipgrip.runs.auditing import Audit
from clipgrip.runs.reopen import reopen
from clipgrip.runs.store import open_store
from clipgrip.sentences import mark

AUDIT_SEED = 0


@dataclass(frozen=True, eq=False)
class AuditDraw:
    """The random draw over what a round left unlabeled."""

    audit: Audit | None
    """None where people labeled everything."""
    pool_rows: Ints
    """Row of each image of the audit's pool; -1 where it is not under review."""
    rows: Ints
    """Rows in the order of the draw."""

    @classmethod
    def of(cls, audit: Audit | None, row_by_hash: Mapping[str, int]) -> AuditDraw:
        """The draw in rows of the review."""
        hashes, order = (audit.hashes, audit.order) if audit is not None else ((), [])
        pool_rows = np.array([row_by_hash.get(image, -1) for image in hashes], dtype=np.int64)
        rows = pool_rows[order]
        return cls(audit, pool_rows, rows[rows >= 0])

    @cached_property
    def drawn(self) -> frozenset[int]:
        """The same rows, to look one up."""
        return frozenset(self.rows.tolist())


@dataclass(frozen=True, eq=False)
class LoadedRound:
    """The newest round and what belongs to it, whatever people answer and call their classes."""

    folder: Path
    """Of the review."""
    rounds: tuple[ReviewRound, ...]
    """Every round up to this one, oldest first."""
    classifier: RoundClassifier = field(repr=False)
    file_labels: Mapping[str, int] = field(repr=False)
    """Content hash -> class position in the first run, of images that its own files labeled."""
    missing: tuple[Row, ...] = field(repr=False)
    """Images under review that no round can read any more: their files are gone."""
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
    pool = _began_with(folder, rounds[0])
    classifier = RoundClassifier.of(outcome, frozenset(row.sha256 for row in pool))
    audit = Audit.of(outcome, AUDIT_SEED) if len(outcome.task.unlabeled) else None
    return LoadedRound(
        folder=folder,
        rounds=tuple(rounds),
        classifier=classifier,
        file_labels={row.sha256: row.label for row in pool if row.label >= 0},
        missing=tuple(row for row in pool if row.sha256 not in classifier.row_by_hash),
        draw=AuditDraw.of(audit, classifier.row_by_hash),
    )


def first_round(folder: Path) -> tuple[ClassNames, ReviewRound]:
    """The run that a review begins with, and its classes.

    Raises:
        RunError: it is not finished.
    """
    with open_store(folder) as runs:
        run = runs.run()
        if run is None or run.finished is None:
            raise RunError(
                mark(
                    "the run in {folder} is not finished. Run the same clipgrip run command again to finish "
                    "it."
                ),
                folder=folder,
            )
        return runs.classes(run.id), ReviewRound(1, ".", run.id, precisely())


def _began_with(folder: Path, first: ReviewRound) -> tuple[Row, ...]:
    """The images under review, which are the first run's pool, never its test, with the labels it was given."""
    with open_store(folder / first.folder) as runs:
        manifest = runs.manifest(first.run)
    return tuple(manifest.rows[n] for n in manifest.pool.tolist())
