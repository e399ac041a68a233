"""What a table says of images, a row for each: where they are, and what they are of."""

from __future__ import annotations

import os
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from clipgrip.data.classes import ClassNames, canonical
from clipgrip.data.columns import Listed
from clipgrip.data.entries import (
    LABEL_COLUMNS,
    PATH_COLUMNS,
    Claim,
    Found,
    Unread,
    as_written,
    each_once,
    file_entries,
    is_listed,
    placed,
)
from clipgrip.data.issues import Issue, Issues
from clipgrip.data.nearby import Folders, difference
from clipgrip.data.splitnames import SPLITS
from clipgrip.data.stores import url_of
from clipgrip.data.table import Table
from clipgrip.data.texts import Texts
from clipgrip.data.walk import relative
from clipgrip.errors import DataError
from clipgrip.files import openable
from clipgrip.sentences import Sentence, combined, mark
from clipgrip_line.folder.collecting import COLUMNS as COLLECTED

SPLIT_COLUMNS = ("split", "subset", "set", "data set", "dataset", "partition", "ml_use")
IS_SPLIT = {"is_valid": "val", "is_val": "val", "is_test": "test"}
"""Columns of yes and no, as fastai has them, and what a yes means."""
DECIDED_BY = ("decided_by",)
"""In the tables that clipgrip writes: whose answer the label is."""
LOOKED_AT = 1000
"""Rows in which a column of another name is searched for names of classes."""
CALLED_LABELS = ("label", "class", "categor", "target", "ラベル", "クラス", "分類", "判定")
_YES = dict.fromkeys(("1", "1.0", "true", "True", "TRUE"), True)
_YES |= dict.fromkeys(("0", "0.0", "false", "False", "FALSE"), False)
TICKS = frozenset(_YES)
MARKS = {"calibrated": ("yes", "no"), "verdict": ("person",)}
"""Columns that say of a row, even where a person is to decide, that its label was the model's answer."""
UNSEEN = mark(
    "{n} labels are taken as people's: answers of a model that a person was to decide (decided_by). Make sure that "
    "somebody has looked at each"
)
ONLY_THE_MODEL = mark(
    "{name}: all its labels are answers of a model (the column decided_by says so), which nobody has looked at. Give "
    "labels of people; clipgrip review shows the answers and writes people's to Files."
)


def from_table(table: Table, root: str) -> Found:
    """The images that a table lists, relative to ``root``, which may be a folder in a store."""
    column = table.need(PATH_COLUMNS)
    paths, issues, folders = Texts(), Issues(), Folders()
    for number, written in enumerate(table.rows.column(column)):
        if not written.strip():
            where = table.where(number)
            issues.append(Issue(where, "missing-file", Sentence("the row has no path")))
            continue
        path = placed(written, root)
        if url_of(path) is None and not os.path.lexists(openable(path)):
            path = as_written(written, root) or _meant(
                path, root, folders, issues, table.where(number)
            )
            if not is_listed(path, root, issues, table.where(number)):
                continue
        paths.append(path)
    entries = each_once(file_entries(paths, root))
    statements = claims_in(table, *paths_of(table, column))
    return replace(statements, root=root, entries=entries, issues=Issues(issues, statements.issues))


def _meant(path: str, root: str, folders: Folders, issues: Issues, where: str) -> str:
    """The file whose name is written almost so, and a remark that says so; else the path itself."""
    found = folders.nearby(path)
    if not found or found == path:
        return path
    how = Sentence("which differs in {difference}", difference=difference(path, found))
    shown = relative(found, root)
    detail = Sentence("{where}: taken for {path}, {how}", where=where, path=shown, how=how)
    issues.append(Issue(relative(path, root), "matched-by-name", detail))
    return found


def paths_of(table: Table, column: int) -> tuple[Callable[[int], str], Sequence[int]]:
    """The path of a row by its number, and the rows that have one."""
    rows = array("q", (n for n, path in enumerate(table.rows.column(column)) if path.strip()))
    return lambda number: table.rows.cell(number, column), rows


def claims_in(
    table: Table, path: Callable[[int], str], rows: Iterable[int], *, required: bool = False
) -> Found:
    """One claim for each of ``rows`` that a person labeled; no images.

    What a column ``split`` keeps for a test measures, what it keeps for validation is not taken, and neither is what
    ``decided_by`` says a model has answered.

    Raises:
        DataError: there is no label column although it is ``required``, or all labels are a model's.
    """
    label = table.need(LABEL_COLUMNS) if required else table.find(LABEL_COLUMNS)
    if label is None:
        return Found("", (), unread=_unread(table))
    decider, split_of = table.find(DECIDED_BY), _splits(table)
    groups = {kind: array("q") for kind in ("train", "test", "val", "model")}
    for number in rows:
        of_model = decider is not None and table.rows.cell(number, decider).strip() == "model"
        groups["model" if of_model else split_of(number)].append(number)
    if required and groups["model"] and not any(groups[kind] for kind in ("train", "test", "val")):
        raise DataError(ONLY_THE_MODEL, name=table.name)

    def claims(numbers: Sequence[int]) -> Sequence[Claim]:
        def made(place: int) -> Claim:
            number = numbers[place]
            return Claim(path(number), table.rows.cell(number, label), table.where(number))

        return Listed(len(numbers), made)

    taken = [*groups["train"], *groups["test"]]
    issues = Issues(_remarks(table, groups), _routed(table, taken), _contradicted(table, label))
    if required and not any(cell.strip() for cell in table.rows.column(label)):
        detail = Sentence('no cell of its column "{column}" is filled', column=table.columns[label])
        issues.append(Issue(table.name, "labels-empty", detail))
    return Found("", (), issues, claims(groups["train"]), claims(groups["test"]))


def _splits(table: Table) -> Callable[[int], str]:
    """The split of a row; the column counts only where all its cells are known names, and some are for training."""
    column = table.find(SPLIT_COLUMNS)
    if column is None:
        return _ticked_splits(table)
    names = {cell.strip().casefold() for cell in table.rows.column(column)}
    kinds = {SPLITS.get(name, "" if name else "train") for name in names}
    if "" in kinds or "train" not in kinds:
        return lambda _: "train"
    return lambda number: SPLITS.get(table.rows.cell(number, column).strip().casefold(), "train")


def _ticked_splits(table: Table) -> Callable[[int], str]:
    """As `_splits`, of columns of yes and no; all their cells must be one of these."""
    found = [(table.find((name,)), split) for name, split in IS_SPLIT.items()]
    columns = [
        (column, split)
        for column, split in found
        if column is not None and set(table.rows.column(column)) <= TICKS
    ]

    def split_of(row: int) -> str:
        return next((s for c, s in columns if _YES[table.rows.cell(row, c)]), "train")

    is_split = any(split_of(row) == "train" for row in range(len(table.rows)))
    return split_of if is_split else lambda _: "train"


def _remarks(table: Table, groups: Mapping[str, Sequence[int]]) -> Iterator[Issue]:
    details = {
        "test": mark("{n} rows of the split test are measured on and not learned from"),
        "val": mark("labels of {n} rows of the split val are not learned from"),
        "model": mark("{n} labels are not taken: answers of a model (decided_by)"),
    }
    for kind, detail in details.items():
        if n := len(groups[kind]):
            yield Issue(table.name, "labels-left-out", Sentence(detail, n=n))


def _routed(table: Table, rows: Iterable[int]) -> Iterator[Issue]:
    """Rows that were left to a person, beside whose label the model's own marks stand: perhaps nobody saw them yet."""
    if n := sum(map(routed(table), rows)):
        yield Issue(table.name, "labels-unseen", Sentence(UNSEEN, n=n))


def routed(table: Table) -> Callable[[int], bool]:
    """Whether the label of a row, by its number, was a model's answer that was left to a person."""
    decider = table.find(DECIDED_BY)
    known = ((table.find((name,)), values) for name, values in MARKS.items())
    marks = [(column, values) for column, values in known if column is not None]
    if decider is None or not marks:
        return lambda _: False

    def is_routed(row: int) -> bool:
        if table.rows.cell(row, decider).strip() != "person":
            return False
        return any(table.rows.cell(row, column).strip() in values for column, values in marks)

    return is_routed


def _contradicted(table: Table, label: int) -> Iterator[Issue]:
    """Other columns that are called as one of labels and say something else."""
    for column, name in enumerate(table.columns):
        if column != label and name.strip().casefold() in LABEL_COLUMNS:
            pairs = zip(table.rows.column(column), table.rows.column(label), strict=True)
            n = sum(other.strip() not in ("", taken.strip()) for other, taken in pairs)
            detail = Sentence(
                'the column "{column}" says something else in {n} rows; "{taken}" is taken',
                column=name,
                n=n,
                taken=table.columns[label],
            )
            yield from [Issue(table.name, "labels-not-read", detail)] if n else []


def _unread(table: Table) -> tuple[Unread, ...]:
    """Nothing of what `clipgrip-line collect` wrote: what its model answered is meant to be looked at first."""
    if set(COLLECTED) <= set(table.columns):
        return ()
    rows = table.rows[:LOOKED_AT]
    cells = (frozenset(canonical(row[n]) for row in rows) for n in range(len(table.columns)))
    return tuple(
        Unread(table.name, name, values - {""})
        for name, values in zip(table.columns, cells, strict=True)
    )


def unread_remarks(unread: Iterable[Unread], names: ClassNames) -> Iterator[Issue]:
    """What holds names of classes, or is called like labels, and is not read."""
    ticked = defaultdict[str, list[str]](list)
    for one in unread:
        by_values = len(one.values) > 1 and all(value in names for value in one.values)
        if one.column in names and one.values <= TICKS:
            ticked[one.place].append(one.column)
        elif by_values or any(word in one.column.casefold() for word in CALLED_LABELS):
            detail = Sentence(
                '"{column}" may hold labels, but is not called {known}, so it is not read',
                column=one.column,
                known=" / ".join(LABEL_COLUMNS),
            )
            yield Issue(one.place, "labels-not-read", detail)
    for place, columns in ticked.items():
        if len(columns) > 1:
            listing = combined([Sentence('"{name}"', name=name) for name in columns[:3]], ", ")
            detail = Sentence(
                "columns called like classes ({columns}) are not read; one column label with the name is",
                columns=listing,
            )
            yield Issue(place, "labels-not-read", detail)
