"""An audit of a finished run: the sheet that a person fills, and what it proves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from clipgrip.data.classes import UNLABELED_MARKS, ClassNames, canonical
from clipgrip.data.discover import PATH_COLUMNS, Claim
from clipgrip.data.match import position
from clipgrip.data.tables import Table, csv_bytes, read_table
from clipgrip.errors import DataError, RunError, nearest
from clipgrip.files import AnyPath
from clipgrip.runs.audits import MEASURE
from clipgrip.runs.outcome import Outcome
from clipgrip.sentences import mark
from clipgrip.trust.audit import audit_id, audit_order
from clipgrip.trust.scope import Answered, Whole
from clipgrip.written import write_output

AUDIT = "audit"
AUTOMATE = "automate"
"""Which command wrote a file."""

ANSWER_COLUMNS = ("answer", "label", "class")
MARK = re.compile(r"(([0-9]+)-[^-]*)(?:-([1-9][0-9]*))?")
"""Column audit: seed and id of the draw, then the answers planned; sheets of version 0.1 have no plan."""
SHEET = ("number", "audit", "path", "answer")


@dataclass(frozen=True)
class Audit:
    """A run's unlabeled pool in the order of the draw, with the answers that are put to the test."""

    run: str
    seed: int
    classes: ClassNames
    hashes: tuple[str, ...] = field(repr=False)
    paths: tuple[tuple[str, ...], ...] = field(repr=False)
    pool: Answered = field(repr=False)

    @classmethod
    def of(cls, outcome: Outcome, seed: int = 0) -> Audit:
        """The audit of a finished run.

        Raises:
            RunError: no image is left for the model to decide.
        """
        rows = outcome.task.unlabeled.tolist()
        if not rows:
            raise RunError(
                mark("in {folder} people labeled every image; nothing is left to automate."),
                folder=outcome.folder,
            )
        images = [outcome.embeds.pool_rows[row] for row in rows]
        confidence, labels = outcome.answers.pool[rows].max(1)
        return cls(
            outcome.run.id,
            seed,
            outcome.manifest.classes,
            tuple(image.sha256 for image in images),
            tuple(image.paths for image in images),
            Answered(labels.numpy().astype(np.int64), confidence.double().numpy().round(6)),
        )

    @cached_property
    def id(self) -> str:
        """Changes with the run, the seed, and every answer of the model."""
        labels, confidence = self.pool.labels.tolist(), self.pool.confidence.tolist()
        return audit_id(self.run, self.seed, zip(self.hashes, labels, confidence, strict=True))

    @cached_property
    def order(self) -> list[int]:
        """Rows as they are drawn."""
        return audit_order(self.hashes, self.seed)

    @property
    def mark(self) -> str:
        """What the sheet carries: seed and id."""
        return f"{self.seed}-{self.id}"

    def planned(self, answers: int | None) -> Whole | None:
        """Rows of a draw that was planned to have so many answers; None where nothing was planned."""
        return None if answers is None else np.array(self.order[:answers], dtype=np.int64)


def write_sheet(
    audit: Audit,
    n: int,
    place: AnyPath,
    *,
    show_labels: bool = False,
    given: Mapping[int, str] | None = None,
    planned: int | None = None,
) -> None:
    """The first ``n`` drawn images as a CSV whose column ``answer`` holds what is ``given`` (row -> text)."""
    given = given or {}
    names = audit.classes.display
    rows, mark = [], audit.mark if planned is None else f"{audit.mark}-{planned}"
    for number, row in enumerate(audit.order[:n], 1):
        shown = (names[audit.pool.labels[row]],) if show_labels else ()
        rows.append((number, mark, audit.paths[row][0], given.get(row, ""), *shown))
    header = (*SHEET, *(("predicted",) if show_labels else ()))
    write_output(place, csv_bytes(header, rows), AUDIT)


@dataclass(frozen=True)
class Sheet:
    """A filled sheet: the seed of its draw, its mark, the answers planned when it was drawn first, and the table."""

    seed: int
    mark: str
    planned: int | None
    table: Table = field(repr=False)

    @classmethod
    def read(cls, place: AnyPath, encoding: str | None = None) -> Sheet:
        """Read a sheet.

        Raises:
            DataError: not a table, or without the mark of one audit in every row.
        """
        table = read_table(place, encoding)
        column = table.find(("audit",))
        marks = set() if column is None else {row[column].strip() for row in table.rows}
        found = MARK.fullmatch(marks.pop() if len(marks) == 1 else "")
        if found is None:
            raise DataError(
                mark(
                    "{name}: not the sheet of one audit (column audit). A promise needs images that were "
                    "drawn at random: draw them with clipgrip audit draw, and fill the column answer of its "
                    "sheet."
                ),
                name=table.name,
            )
        of_draw, seed, planned = found.groups()
        return cls(int(seed), of_draw, int(planned) if planned else None, table)

    def __len__(self) -> int:
        """Images in it, answered or not."""
        return len(self.table.rows)

    def texts(self, audit: Audit) -> dict[int, str]:
        """Row of the pool -> the name of the class that a person gave to it.

        Raises:
            DataError: as ``answers``.
        """
        rows, truth = (values.tolist() for values in self.answers(audit))
        return {row: audit.classes.display[label] for row, label in zip(rows, truth, strict=True)}

    def answers(self, audit: Audit) -> tuple[Whole, Whole]:
        """Rows (n,) in the order of the draw, and the class (n,) that a person gave to each.

        Raises:
            DataError: another audit's sheet, an image that was not drawn, a label that is no class, or a gap.
        """
        if self.mark.partition("-")[2].startswith(MEASURE):
            raise DataError(
                f"{self.table.name}: drawn to measure, with more of the doubtful images. It gives "
                "an accuracy (clipgrip audit read), never a promise: for that draw from all images alike with clipgrip "
                "audit draw, without --to-measure."
            )
        if self.mark != audit.mark:
            raise DataError(
                mark(
                    "{name}: its images were not drawn for the answers that this run gives now (audit "
                    "{audit}, here {now}). It belongs to another run, or the predictions changed since. "
                    "Draw a new sheet with clipgrip audit draw."
                ),
                name=self.table.name,
                audit=self.mark,
                now=audit.mark,
            )
        said = self._said(audit)
        rows = [row for row in audit.order if row in said]
        if rows != audit.order[: len(rows)]:
            place = next(n for n, row in enumerate(audit.order, 1) if row not in said)
            raise DataError(
                mark(
                    "{name}: image {place} of the draw, {image}, has no answer, though later ones have. "
                    "Answer from the top without a gap: choosing which images to answer makes the sample no "
                    "longer random."
                ),
                name=self.table.name,
                place=place,
                image=audit.paths[audit.order[place - 1]][0],
            )
        return np.array(rows, dtype=np.int64), np.array([said[row] for row in rows], dtype=np.int64)

    def given(self, audit: Audit) -> dict[int, int]:
        """Row of the pool -> class that a person gave to it, in the order of the sheet.

        Raises:
            DataError: an image that is not of the run, or a label that is no class.
        """
        return self._said(audit)

    def _said(self, audit: Audit) -> dict[int, int]:
        paths, answers = self.table.need(PATH_COLUMNS), self.table.need(ANSWER_COLUMNS)
        places = {canonical(p): row for row, several in enumerate(audit.paths) for p in several}
        said: dict[int, int] = {}
        for number, cells in enumerate(self.table.rows):
            where, path = self.table.where(number), canonical(cells[paths])
            if path not in places:
                raise DataError(
                    mark(
                        '{where}: "{cells}" is not an unlabeled image of this run.{nearest} Keep the sheet\'s '
                        "paths as they were drawn."
                    ),
                    where=where,
                    cells=cells[paths],
                    nearest=nearest(path, places),
                )
            if canonical(cells[answers]) in UNLABELED_MARKS:
                continue
            label = position(Claim(path, cells[answers], where), audit.classes)
            if said.setdefault(places[path], label) != label:
                raise DataError(
                    mark('{where}: "{path}" has two different answers. Keep one of them.'),
                    where=where,
                    path=path,
                )
        return said
