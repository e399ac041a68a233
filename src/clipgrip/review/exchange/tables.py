"""Tables of labels: path and label, Label Studio's, and Roboflow's one column for each class."""

from __future__ import annotations

from collections.abc import Iterator

from clipgrip.data.classes import UNLABELED_MARKS, canonical
from clipgrip.data.entries import LABEL_COLUMNS, PATH_COLUMNS
from clipgrip.data.table import Table
from clipgrip.data.tablerows import left_to_person
from clipgrip.data.tables import parse_csv
from clipgrip.data.text import decoded
from clipgrip.errors import DataError
from clipgrip.review.exchange import label_studio
from clipgrip.review.exchange.claims import THE_FILE, Claimed, Known, Left, Read
from clipgrip.review.exchange.fiftyone import GUESS, TRUTH
from clipgrip.sentences import mark

IS_JSON = mark(
    "{name} is JSON and no table. Bring it in on the page Files of clipgrip review, as what its tool writes: Label "
    "Studio, COCO or FiftyOne; or make of it a CSV with the columns path and label."
)
_TICKS = {"1": True, "1.0": True, "true": True, "0": False, "0.0": False, "false": False, "": False}


def read_csv(data: bytes, known: Known, called: str = THE_FILE) -> Iterator[Read]:
    """One claim for each line of the file that is ``called`` so. DataError: no CSV, or a column is missing."""
    text = decoded(data, called)
    if text.lstrip()[:1] in ("[", "{"):
        raise DataError(IS_JSON, name=called)
    table = parse_csv(text, called)
    if label_studio.is_label_studio(table):
        yield from label_studio.read_table(table, known)
        return
    paths, ticked = table.need(PATH_COLUMNS), _one_column_a_class(table)
    yield from ticked if ticked is not None else _lines(table, paths, _labels(table))


def _labels(table: Table) -> int:
    """The column of the labels; FiftyOne writes its field before it: ``ground_truth.label``."""
    if table.find(LABEL_COLUMNS) is None:
        names = [name.strip().casefold() for name in table.columns]
        dotted = [
            n
            for n, name in enumerate(names)
            if name.endswith(".label") and not name.startswith(GUESS)
        ]
        truth = [n for n in dotted if names[n] == f"{TRUTH}.label"]
        if len(truth or dotted) == 1:
            return (truth or dotted)[0]
    return table.need(LABEL_COLUMNS)


def _lines(table: Table, paths: int, labels: int) -> Iterator[Read]:
    hashes, deciders = table.find(("sha256",)), table.find(("decided_by",))
    is_routed = left_to_person(table)
    called = [table.find((name,)) for name in LABEL_COLUMNS]
    others = [column for column in called if column not in (None, labels)]
    for number, cells in enumerate(table.rows):
        where, path, label = table.where(number), cells[paths], cells[labels]
        sha256 = "" if hashes is None else cells[hashes]
        if canonical(label) in UNLABELED_MARKS:
            yield Left("no-label", where, path, sha256=sha256)
        elif deciders is not None and cells[deciders].strip() == "model":
            yield Left("model", where, path, sha256=sha256)
        elif any(canonical(cells[one]) not in ("", canonical(label)) for one in others):
            yield Left("disagree", where, path, sha256=sha256)
        else:
            yield Claimed(path, label, where, sha256, of_model=is_routed(number))


def _one_column_a_class(table: Table) -> list[Read] | None:
    """Roboflow's ``_classes.csv``: a 1 in the column of the class; None where the table is another one."""
    paths = table.need(PATH_COLUMNS)
    columns = [n for n in range(len(table.columns)) if n != paths]
    cells = {row[n].strip().casefold() for row in table.rows for n in columns}
    if (
        table.find(LABEL_COLUMNS) is not None
        or not columns
        or not cells
        or not cells <= _TICKS.keys()
    ):
        return None
    found: list[Read] = []
    for number, row in enumerate(table.rows):
        names = [table.columns[n] for n in columns if _TICKS[row[n].strip().casefold()]]
        where, path = table.where(number), row[paths]
        if len(names) == 1:
            found.append(Claimed(path, names[0], where))
        else:
            reason = "ticks" if names else "no-label"
            found.append(Left(reason, where, path, ", ".join(names)))
    return found
