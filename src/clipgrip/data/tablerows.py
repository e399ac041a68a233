"""Tables with a row for each image: the paths of the images, their labels and splits."""

from __future__ import annotations

import os
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from clipgrip.data.classes import ClassNames, canonical
from clipgrip.data.entries import (
    LABEL_COLUMNS,
    PATH_COLUMNS,
    Found,
    Unread,
    WrittenLabel,
    backslash_file,
    each_once,
    exists_or_issue,
    file_entries,
    resolved,
)
from clipgrip.data.issues import Issue, Issues
from clipgrip.data.lazy import LazyItems
from clipgrip.data.nearby import FolderNames, difference
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
"""Boolean columns, as in fastai, and the split of the rows that say yes."""
DECIDED_BY = ("decided_by",)
"""In tables that clipgrip wrote: whether a person or the model gave the label."""
LOOKED_AT = 1000
"""Rows of an unread column that are searched for class names."""
CALLED_LABELS = ("label", "class", "categor", "target", "ラベル", "クラス", "分類", "判定")
_YES = dict.fromkeys(("1", "1.0", "true", "True", "TRUE"), True)
_YES |= dict.fromkeys(("0", "0.0", "false", "False", "FALSE"), False)
TICKS = frozenset(_YES)
MARKS = {"calibrated": ("yes", "no"), "verdict": ("person",)}
"""Columns and values that show that a row's label was the model's answer, though a person was to decide."""
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
    paths, issues, folders = Texts(), Issues(), FolderNames()
    for number, written in enumerate(table.rows.column(column)):
        if not written.strip():
            where = table.where(number)
            issues.append(Issue(where, "missing-file", Sentence("the row has no path")))
            continue
        path = resolved(written, root)
        if url_of(path) is None and not os.path.lexists(openable(path)):
            path = backslash_file(written, root) or _similar_file(
                path, root, folders, issues, table.where(number)
            )
            if not exists_or_issue(path, root, issues, table.where(number)):
                continue
        paths.append(path)
    entries = each_once(file_entries(paths, root))
    found = labels_in(table, *paths_of(table, column))
    return replace(found, root=root, entries=entries, issues=Issues(issues, found.issues))


def _similar_file(path: str, root: str, folders: FolderNames, issues: Issues, where: str) -> str:
    """The only file with almost the same name, and a remark that says so; else the path itself."""
    found = folders.similar(path)
    if not found or found == path:
        return path
    how = Sentence("which differs in {difference}", difference=difference(path, found))
    shown = relative(found, root)
    detail = Sentence("{where}: taken for {path}, {how}", where=where, path=shown, how=how)
    issues.append(Issue(relative(path, root), "matched-by-name", detail))
    return found


def paths_of(table: Table, column: int) -> tuple[Callable[[int], str], Sequence[int]]:
    """A function from a row's index to its path, and the indexes of the rows that have one."""
    rows = array("q", (n for n, path in enumerate(table.rows.column(column)) if path.strip()))
    return lambda number: table.rows.cell(number, column), rows


def labels_in(
    table: Table, path: Callable[[int], str], rows: Iterable[int], *, required: bool = False
) -> Found:
    """The labels of ``rows``, without entries for the images.

    Rows of the split test become ``test_labels``; rows of the split val, and answers of a model (``decided_by``), are
    left out.

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

    def labels_of(numbers: Sequence[int]) -> Sequence[WrittenLabel]:
        def written(position: int) -> WrittenLabel:
            number = numbers[position]
            return WrittenLabel(path(number), table.rows.cell(number, label), table.where(number))

        return LazyItems(len(numbers), written)

    taken = [*groups["train"], *groups["test"]]
    issues = Issues(
        _left_out_remarks(table, groups),
        _unseen_remarks(table, taken),
        _contradiction_remarks(table, label),
    )
    if required and not any(cell.strip() for cell in table.rows.column(label)):
        detail = Sentence('no cell of its column "{column}" is filled', column=table.columns[label])
        issues.append(Issue(table.name, "labels-empty", detail))
    return Found("", (), issues, labels_of(groups["train"]), labels_of(groups["test"]))


def _splits(table: Table) -> Callable[[int], str]:
    """A function from a row to its split. The column counts only if all its cells name splits and some are train."""
    column = table.find(SPLIT_COLUMNS)
    if column is None:
        return _ticked_splits(table)
    names = {cell.strip().casefold() for cell in table.rows.column(column)}
    kinds = {SPLITS.get(name, "" if name else "train") for name in names}
    if "" in kinds or "train" not in kinds:
        return lambda _: "train"
    return lambda number: SPLITS.get(table.rows.cell(number, column).strip().casefold(), "train")


def _ticked_splits(table: Table) -> Callable[[int], str]:
    """As `_splits`, for boolean columns, whose cells must all be yes or no."""
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


def _left_out_remarks(table: Table, groups: Mapping[str, Sequence[int]]) -> Iterator[Issue]:
    details = {
        "test": mark("{n} rows of the split test are measured on and not learned from"),
        "val": mark("labels of {n} rows of the split val are not learned from"),
        "model": mark("{n} labels are not taken: answers of a model (decided_by)"),
    }
    for kind, detail in details.items():
        if n := len(groups[kind]):
            yield Issue(table.name, "labels-left-out", Sentence(detail, n=n))


def _unseen_remarks(table: Table, rows: Iterable[int]) -> Iterator[Issue]:
    """A remark on labels that were a model's answers and left to a person: perhaps nobody has looked at them yet."""
    if n := sum(map(left_to_person(table), rows)):
        yield Issue(table.name, "labels-unseen", Sentence(UNSEEN, n=n))


def left_to_person(table: Table) -> Callable[[int], bool]:
    """A function that says of a row whether its label was a model's answer that a person was to decide."""
    decider = table.find(DECIDED_BY)
    known = ((table.find((name,)), values) for name, values in MARKS.items())
    marks = [(column, values) for column, values in known if column is not None]
    if decider is None or not marks:
        return lambda _: False

    def is_left_to_person(row: int) -> bool:
        if table.rows.cell(row, decider).strip() != "person":
            return False
        return any(table.rows.cell(row, column).strip() in values for column, values in marks)

    return is_left_to_person


def _contradiction_remarks(table: Table, label: int) -> Iterator[Issue]:
    """Remarks on further columns of labels that contradict the one that is read."""
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
    """The columns of a table without labels, with their first values; none for tables of `clipgrip-line collect`.

    Those hold the model's answers, which a person is to look at first.
    """
    if set(COLLECTED) <= set(table.columns):
        return ()
    rows = table.rows[:LOOKED_AT]
    cells = (frozenset(canonical(row[n]) for row in rows) for n in range(len(table.columns)))
    return tuple(
        Unread(table.name, name, values - {""})
        for name, values in zip(table.columns, cells, strict=True)
    )


def unread_remarks(unread: Iterable[Unread], names: ClassNames) -> Iterator[Issue]:
    """Remarks on columns that hold class names, or have a name like labels, and are not read."""
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
