"""An audit of a finished run: its random draw, and the sheet that a person fills."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, partial

import numpy as np

from clipgrip.allowed import check_classes
from clipgrip.data.classes import ClassNames, canonical
from clipgrip.data.rows import Rows
from clipgrip.data.table import Table
from clipgrip.data.tables import csv_bytes, read_table
from clipgrip.errors import ConfigError, DataError, RunError
from clipgrip.files import AnyPath
from clipgrip.runs.audit_store import MEASURE
from clipgrip.runs.outcome import Outcome
from clipgrip.runs.second_opinion import second_opinion
from clipgrip.runs.sheet_answers import answers_in
from clipgrip.sentences import Sentence, mark
from clipgrip.trust.audit import audit_id, audit_order
from clipgrip.trust.draw import Draw
from clipgrip.trust.scope import (
    Answered,
    Group,
    Numbers,
    Whole,
    misses_and_overkill,
    overall,
    per_class,
)
from clipgrip.written import write_output

NO_SHEET = mark(
    "{name}: not the sheet of one audit (column audit). A promise needs images that were drawn at random: draw them "
    "with clipgrip audit draw, and fill the column answer of its sheet."
)
NO_ROW = mark(
    '{where}: the column audit holds "{found}", and not the mark of the draw. Take out lines that are not of the sheet '
    "(totals, notes, a second heading), and fill the mark down where cells were merged or cleared."
)
OF_ANOTHER = mark(
    "{name}: its images were not drawn for the answers that this run gives now (audit {audit}, here {now}). It belongs "
    "to another run, or the predictions changed since. Draw a new sheet with clipgrip audit draw."
)
ALL_OK = mark("every class is an --ok-class, so nothing could be missed. Leave one out.")
NO_IMAGE = mark(
    '{where}: "{path}" is not an unlabeled image of this run.{nearest} Keep the sheet\'s paths as they were drawn.'
)
AUDIT = "audit"
AUTOMATE = "automate"
"""Commands that write files, as `written` records them."""

MARK = re.compile(r"(([0-9]+)-[^-]*)(?:-([1-9][0-9]*))?")
"""Column audit: seed and id of the draw, and the number of planned answers, which version 0.1 did not write."""
BY_CLASS, BY_OK = "class", "ok"
"""How the draw is grouped (``apart``): by class, or into OK classes, whose positions follow, and the others."""
SHEET = ("number", "audit", "path", "answer")


@dataclass(frozen=True)
class Audit:
    """The unlabeled images of a run with the model's answers, and the order in which a seed draws them."""

    run: str
    seed: int
    classes: ClassNames
    images: Rows = field(repr=False)
    pool: Answered = field(repr=False)
    apart: str = ""
    """The groups that are drawn separately (`apart_of`); empty where all images are drawn alike."""
    second: Callable[[], Numbers] | None = field(default=None, repr=False, compare=False)
    """Gives a `second_opinion` on the answers, computed on first use; None where there is no second model."""

    @classmethod
    def of(cls, outcome: Outcome, seed: int = 0, apart: str = "") -> Audit:
        """The audit of a finished run. RunError: no image is left for the model to decide."""
        rows = outcome.task.unlabeled
        if not len(rows):
            raise RunError(
                "in {folder} people labeled every image; nothing is left to automate.",
                folder=outcome.folder,
            )
        images = outcome.embeds.pool_rows.take(rows.numpy())
        confidence, labels = outcome.answers.pool[rows].max(1)
        pool = Answered(labels.numpy().astype(np.int64), confidence.double().numpy().round(6))
        second = cache(partial(second_opinion, outcome, pool.labels))
        return cls(outcome.run.id, seed, outcome.manifest.classes, images, pool, apart, second)

    @property
    def hashes(self) -> list[str]:
        return list(self.images.sha256s())

    @cached_property
    def id(self) -> str:
        """Identifies the audit; differs for another run, seed or answer of the model."""
        values = self.images.sha256s(), self.pool.labels.tolist(), self.pool.confidence.tolist()
        found = audit_id(self.run, self.seed, zip(*values, strict=True))
        return f"{self.apart}.{found}" if self.apart else found

    @cached_property
    def order(self) -> list[int]:
        """Rows in the order of the draw."""
        return audit_order(self.hashes, self.seed)

    @property
    def mark(self) -> str:
        """Seed and id, which each row of the sheet repeats."""
        return f"{self.seed}-{self.id}"

    @property
    def groups(self) -> tuple[Group, ...]:
        """The groups that are drawn separately; one if all images are drawn alike."""
        return groups_of(self.apart, self.classes)

    def draw(self, plan: int | None = None) -> Draw:
        """The draw of all images, with the number of planned answers."""
        return Draw(np.array(self.order, dtype=np.int64), plan, bool(self.apart))


def apart_of(classes: ClassNames, per_class: bool, ok: Iterable[str]) -> str:
    """The value of `Audit.apart` for a promise per class, or per OK and not OK; empty for one promise on all.

    ConfigError: both are asked for, a name is no class, or all classes mean OK.
    """
    names = list(ok)
    if per_class and names:
        raise ConfigError(
            mark("A promise for each class and one for --ok-class are two ways. Give one of them.")
        )
    if per_class:
        return BY_CLASS
    check_classes("--ok-class", map(canonical, names), classes.display)
    good = sorted({classes.index(name) for name in names})
    if good and len(good) == len(classes):
        raise ConfigError(ALL_OK)
    return BY_OK + "_".join(map(str, good)) if good else ""


def groups_of(apart: str, classes: ClassNames) -> tuple[Group, ...]:
    """The groups that a value of `apart_of` stands for; one group of all answers for the empty one."""
    if apart == BY_CLASS:
        return per_class(classes.display)
    if apart:
        ok = [int(place) for place in apart.removeprefix(BY_OK).split("_")]
        return misses_and_overkill(len(classes), ok)
    return overall(len(classes))


def check_apart(sheet: Sheet, asked: str) -> None:
    """ConfigError where a sheet was drawn in other groups than ``asked``; an empty ``asked`` follows the sheet."""
    drawn = sheet.apart
    if not asked or drawn == asked:
        return
    ways = {"": mark("from all images alike"), BY_CLASS: mark("class by class")}
    was, wanted = (Sentence(ways.get(way, mark("by OK and not OK"))) for way in (drawn, asked))
    raise ConfigError(
        "{name} was drawn {was}, not {wanted}, and the two ways are not mixed: how often an image is drawn is a "
        "part of the proof. Leave the option out to go on with this sheet, or draw a new one without --answers.",
        name=sheet.table.name,
        was=was,
        wanted=wanted,
    )


def write_sheet(
    audit: Audit,
    chosen: Sequence[int],
    place: AnyPath,
    *,
    show_labels: bool = False,
    answered: Mapping[int, str] | None = None,
    planned: int | None = None,
    mark: str = "",
) -> None:
    """Write the ``chosen`` rows as a CSV whose column ``answer`` holds the answers in ``answered`` (row -> text).

    ``mark`` replaces the audit's own, for another draw from its pool.
    """
    answered, names = answered or {}, audit.classes.display
    rows, mark = [], mark or audit.mark
    mark = mark if planned is None else f"{mark}-{planned}"
    for number, row in enumerate(chosen, 1):
        shown = (names[audit.pool.labels[row]],) if show_labels else ()
        rows.append((number, mark, audit.images[row].path, answered.get(row, ""), *shown))
    header = (*SHEET, *(("predicted",) if show_labels else ()))
    write_output(place, csv_bytes(header, rows), AUDIT)


@dataclass(frozen=True)
class Sheet:
    """A filled sheet: seed and mark of its draw, the planned number of answers (None if unknown), and its table."""

    seed: int
    mark: str
    planned: int | None
    table: Table = field(repr=False)

    @property
    def draw(self) -> str:
        """The `Audit.id` of the audit that drew it."""
        return self.mark.partition("-")[2]

    @property
    def measures(self) -> bool:
        """Whether it is a sheet of a measuring audit (`runs.measuring`)."""
        return self.draw.startswith(MEASURE)

    @property
    def apart(self) -> str:
        """As `Audit.apart`."""
        return "" if self.measures else self.draw.rpartition(".")[0]

    @classmethod
    def read(cls, place: AnyPath, encoding: str | None = None) -> Sheet:
        """Read a sheet. DataError: not a table, or without the mark of one audit in every row."""
        table = read_table(place, encoding)
        column = table.find(("audit",))
        marks = set() if column is None else {row[column].strip() for row in table.rows}
        of_draws = {mark for mark in marks if MARK.fullmatch(mark)}
        if column is not None and of_draws and of_draws != marks:
            strange = next(
                n for n, row in enumerate(table.rows) if row[column].strip() not in marks & of_draws
            )
            raise DataError(
                NO_ROW, where=table.where(strange), found=table.rows.cell(strange, column)
            )
        if len(marks) > 1:
            raise DataError(
                "{name}: rows of {n} draws (column audit). Images drawn in different ways, or at other times, are "
                "not read together: keep the rows of one sheet.",
                name=table.name,
                n=len(marks),
            )
        found = MARK.fullmatch(marks.pop() if marks else "")
        if found is None:
            raise DataError(NO_SHEET, name=table.name)
        of_draw, seed, planned = found.groups()
        return cls(int(seed), of_draw, int(planned) if planned else None, table)

    def __len__(self) -> int:
        """How many images it lists."""
        return len(self.table.rows)

    def texts(self, audit: Audit) -> dict[int, str]:
        """Row of the pool -> class name of the answer; DataError as `answers`."""
        rows, truth = (values.tolist() for values in self.answers(audit))
        return {row: audit.classes.display[label] for row, label in zip(rows, truth, strict=True)}

    def answers(self, audit: Audit) -> tuple[Whole, Whole]:
        """Answered rows (n,) in the order of the draw, and the class (n,) of each answer.

        DataError: another audit's sheet, an image that was not drawn, a label that is no class, or a gap.
        """
        if self.measures:
            raise DataError(
                "{name}: drawn to measure, with more of the doubtful images. It gives an accuracy (clipgrip audit "
                "read), never a promise: for that draw from all images alike with clipgrip audit draw, without "
                "--to-measure.",
                name=self.table.name,
            )
        if self.mark != audit.mark:
            raise DataError(OF_ANOTHER, name=self.table.name, audit=self.mark, now=audit.mark)
        answer_of = self.class_by_row(audit)
        self._check_gaps(audit, answer_of)
        rows = [row for row in audit.order if row in answer_of]
        return np.array(rows, dtype=np.int64), np.array(
            [answer_of[row] for row in rows], dtype=np.int64
        )

    def _check_gaps(self, audit: Audit, answer_of: Mapping[int, int]) -> None:
        draw = audit.draw()
        for group in audit.groups:
            drawn = draw.within(group.members(audit.pool.labels)).tolist()
            known = [row in answer_of for row in drawn]
            if False not in known or True not in known[known.index(False) :]:
                continue
            place = known.index(False) + 1
            raise DataError(
                "{name}: image {place} of the draw, {image}, has no answer, though later ones have. "
                "Answer from the top without a gap: choosing which images to answer makes the sample no "
                "longer random.",
                name=self.table.name,
                place=place,
                image=audit.images[drawn[place - 1]].path,
            )

    def class_by_row(self, audit: Audit) -> dict[int, int]:
        """Row of the pool -> class of the answer, in the sheet's order. DataError: an unknown image or class."""
        rows = {p: row for row, several in enumerate(audit.images.paths()) for p in several}
        return answers_in(self.table, rows, audit.classes, NO_IMAGE)
