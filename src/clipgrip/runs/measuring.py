"""A measuring audit of a finished run: its sheet, in two phases, and the accuracy that its answers give."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from clipgrip.errors import DataError
from clipgrip.files import AnyPath
from clipgrip.runs.auditing import Audit, Sheet, write_sheet
from clipgrip.runs.audits import MEASURE
from clipgrip.runs.outcome import Outcome
from clipgrip.trust.measured import MeasuredAccuracy, measured
from clipgrip.trust.measuring import Strata, first_phase, second_phase, strata
from clipgrip.trust.scope import Whole

USUAL = 100
"""Answers that are planned where nobody says how many."""
SEEDS = 20
"""Seeds that are tried to find the draw of stored answers again, where no sheet names it."""
DIVISION = MEASURE + "2."
"""How ids begin of draws by today's strata; those without the number were drawn by the former."""


@dataclass(frozen=True)
class MeasuringAudit:
    """A run's unlabeled pool in strata, with the model's answers that are measured."""

    audit: Audit = field(repr=False)
    former: bool = False
    """Drawn before decision 0056, and read as it was drawn."""

    @classmethod
    def of(cls, outcome: Outcome, seed: int = 0) -> MeasuringAudit:
        """The measuring audit of a finished run. RunError: no image is left for the model to decide."""
        return cls(Audit.of(outcome, seed))

    @classmethod
    def of_sheet(cls, outcome: Outcome, sheet: Sheet) -> MeasuringAudit:
        """The one that drew a sheet; RunError as `of`."""
        return cls(Audit.of(outcome, sheet.seed), not sheet.draw.startswith(DIVISION))

    @classmethod
    def of_id(cls, outcome: Outcome, audit: str) -> MeasuringAudit | None:
        """The one with that id, whose seed is among the first `SEEDS`; None where the run's answers are others now."""
        whole, former = Audit.of(outcome, 0), not audit.startswith(DIVISION)
        tried = (cls(replace(whole, seed=seed), former) for seed in range(SEEDS))
        return next((one for one in tried if one.id == audit), None)

    @cached_property
    def made(self) -> Strata:
        """The strata, with the order of the draw in each."""
        audit = self.audit
        return strata(audit.pool, audit.hashes, audit.seed, former=self.former)

    @property
    def id(self) -> str:
        """Another one than that of a promise: answers drawn to measure are never read as a promise."""
        return (MEASURE if self.former else DIVISION) + self.audit.id

    @property
    def mark(self) -> str:
        """What the sheet carries: seed and id."""
        return f"{self.audit.seed}-{self.id}"

    def drawn(self, planned: int, rows: Whole, truth: Whole) -> Whole:
        """Rows to ask about beyond the answered ``rows``: the first phase, or what it leaves of the plan."""
        if not len(rows):
            return first_phase(self.made, planned)
        return second_phase(self.made, rows, self.audit.pool.labels[rows] != truth, planned)

    def read(self, rows: Whole, truth: Whole) -> MeasuredAccuracy | None:
        """Accuracy of the run's answers to its unlabeled images; None where too few are answered."""
        audit, labels = self.audit, self.audit.pool.labels
        second = audit.second() if audit.second else None
        return measured(self.made, labels, rows, labels[rows] != truth, second)

    def answers(self, sheet: Sheet) -> tuple[Whole, Whole]:
        """Rows (n,) in the order of the sheet, and the class (n,) that a person gave to each.

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
        given = sheet.given(self.audit)
        for order in self.made.order:
            answered = np.array([row in given for row in order.tolist()], dtype=bool)
            if (~answered[:-1] & answered[1:]).any():
                missing = self.audit.images[int(order[int((~answered).argmax())])].path
                raise DataError(
                    "{name}: {missing} has no answer, though later images have. Answer from the top without a "
                    "gap: choosing which images to answer makes the sample no longer random.",
                    name=sheet.table.name,
                    missing=missing,
                )
        rows = np.array(list(given), dtype=np.int64)
        return rows, np.array(list(given.values()), dtype=np.int64)

    def write_sheet(
        self, place: AnyPath, planned: int, rows: Whole, truth: Whole, new: Whole, show_labels: bool
    ) -> None:
        """The answered rows with their answers, then the new ones."""
        names, chosen = self.audit.classes.display, [*rows.tolist(), *new.tolist()]
        given = {row: names[c] for row, c in zip(rows.tolist(), truth.tolist(), strict=True)}
        write_sheet(
            self.audit,
            chosen,
            place,
            show_labels=show_labels,
            given=given,
            planned=planned,
            mark=self.mark,
        )
