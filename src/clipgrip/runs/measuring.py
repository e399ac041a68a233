"""A measuring audit of a finished run: a stratified draw in two phases, and the accuracy by its answers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from clipgrip.errors import DataError
from clipgrip.files import AnyPath
from clipgrip.runs.audit_sheet import Audit, Sheet, write_sheet
from clipgrip.runs.audit_store import MEASURE
from clipgrip.runs.outcome import Outcome
from clipgrip.trust.measured import MeasuredAccuracy, measured
from clipgrip.trust.measuring import Strata, first_phase, second_phase, strata
from clipgrip.trust.scope import Whole

USUAL = 100
"""The default number of planned answers."""
SEEDS = 20
"""How many seeds are tried to find the draw of stored answers again without its sheet."""
DIVISION = MEASURE + "2."
"""How ids of draws by the current strata begin; ids without the number are of the former strata."""


@dataclass(frozen=True)
class MeasuringAudit:
    """The unlabeled images of a run in strata, with the model's answers to measure."""

    audit: Audit = field(repr=False)
    former: bool = False
    """Whether it was drawn by the strata before decision 0056, by which it is read then."""

    @classmethod
    def of(cls, outcome: Outcome, seed: int = 0) -> MeasuringAudit:
        """The measuring audit of a finished run. RunError: no image is left for the model to decide."""
        return cls(Audit.of(outcome, seed))

    @classmethod
    def of_sheet(cls, outcome: Outcome, sheet: Sheet) -> MeasuringAudit:
        """The audit that drew a sheet; RunError as `of`."""
        return cls(Audit.of(outcome, sheet.seed), not sheet.draw.startswith(DIVISION))

    @classmethod
    def of_id(cls, outcome: Outcome, audit: str) -> MeasuringAudit | None:
        """The audit with this id and one of the first `SEEDS` seeds; None where the run's answers have changed."""
        whole, former = Audit.of(outcome, 0), not audit.startswith(DIVISION)
        tried = (cls(replace(whole, seed=seed), former) for seed in range(SEEDS))
        return next((one for one in tried if one.id == audit), None)

    @cached_property
    def strata_of_pool(self) -> Strata:
        """The strata, with the order of the draw in each."""
        audit = self.audit
        return strata(audit.pool, audit.hashes, audit.seed, former=self.former)

    @property
    def id(self) -> str:
        """Differs from the id of an audit for a promise, so that answers drawn to measure never prove one."""
        return (MEASURE if self.former else DIVISION) + self.audit.id

    @property
    def mark(self) -> str:
        """As `Audit.mark`."""
        return f"{self.audit.seed}-{self.id}"

    def next_rows(self, planned: int, rows: Whole, truth: Whole) -> Whole:
        """The next rows to answer after ``rows``: those of the first phase, or then the rest of the plan."""
        if not len(rows):
            return first_phase(self.strata_of_pool, planned)
        return second_phase(
            self.strata_of_pool, rows, self.audit.pool.labels[rows] != truth, planned
        )

    def read(self, rows: Whole, truth: Whole) -> MeasuredAccuracy | None:
        """The accuracy of the run's answers to its unlabeled images; None with too few answers."""
        audit, labels = self.audit, self.audit.pool.labels
        second = audit.second() if audit.second else None
        return measured(self.strata_of_pool, labels, rows, labels[rows] != truth, second)

    def answers(self, sheet: Sheet) -> tuple[Whole, Whole]:
        """Answered rows (n,) in the order of the sheet, and the class (n,) of each answer.

        DataError: another audit's sheet, an image that was not drawn, a label that is no class, or a gap.
        """
        if sheet.mark != self.mark:
            raise DataError(
                "{name}: its images were not drawn for the answers that this run gives now (audit {audit}, here "
                "{now}). It belongs to another run, or the predictions changed since. Draw a new sheet with "
                "clipgrip audit draw --to-measure.",
                name=sheet.table.name,
                audit=sheet.mark,
                now=self.mark,
            )
        class_by_row = sheet.class_by_row(self.audit)
        for order in self.strata_of_pool.order:
            answered = np.array([row in class_by_row for row in order.tolist()], dtype=bool)
            if (~answered[:-1] & answered[1:]).any():
                missing = self.audit.images[int(order[int((~answered).argmax())])].path
                raise DataError(
                    "{name}: {missing} has no answer, though later images have. Answer from the top without a "
                    "gap: choosing which images to answer makes the sample no longer random.",
                    name=sheet.table.name,
                    missing=missing,
                )
        rows = np.array(list(class_by_row), dtype=np.int64)
        return rows, np.array(list(class_by_row.values()), dtype=np.int64)

    def write_sheet(
        self, place: AnyPath, planned: int, rows: Whole, truth: Whole, new: Whole, show_labels: bool
    ) -> None:
        """Write a sheet of the answered ``rows`` with their answers ``truth``, followed by the ``new`` rows."""
        names, chosen = self.audit.classes.display, [*rows.tolist(), *new.tolist()]
        answered = {row: names[c] for row, c in zip(rows.tolist(), truth.tolist(), strict=True)}
        write_sheet(
            self.audit,
            chosen,
            place,
            show_labels=show_labels,
            answered=answered,
            planned=planned,
            mark=self.mark,
        )
