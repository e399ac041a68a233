"""What a table says of images, a row for each: where they are, and what they are of."""

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
    Claim,
    Entry,
    Found,
    Listed,
    Unread,
    add_file,
    placed,
)
from clipgrip.data.issues import Issue, Issues
from clipgrip.data.nearby import Folders, difference
from clipgrip.data.splitnames import SPLITS
from clipgrip.data.stores import url_of
from clipgrip.data.tables import Table
from clipgrip.data.walk import relative
from clipgrip.errors import DataError
from clipgrip.files import openable
from clipgrip.sentences import Sentence, combined, mark

SPLIT_COLUMNS = ("split", "subset")
DECIDED_BY = ("decided_by",)
"""In the tables that clipgrip writes: whose answer the label is."""
LOOKED_AT = 1000
"""Rows in which a column of another name is searched for names of classes."""
CALLED_LABELS = ("label", "class", "categor", "target", "ラベル", "クラス", "分類", "判定")
TICKS = frozenset(("0", "1", "0.0", "1.0", "true", "false", "True", "False"))
ONLY_THE_MODEL = mark(
    "{name}: all its labels are answers of a model (the column decided_by says so), which nobody has looked at. Give "
    "labels of people; clipgrip review shows the answers and writes people's to Files."
)


def from_table(table: Table, root: str) -> Found:
    """The images that a table lists, relative to ``root``, which may be a folder in a store."""
    column = table.need(PATH_COLUMNS)
    entries: dict[str, Entry] = {}
    issues = Issues()
    folders = Folders()
    for number, row in enumerate(table.rows):
        where = table.where(number)
        if not row[column].strip():
            issues.append(Issue(where, "missing-file", Sentence("the row has no path")))
            continue
        path = placed(row[column], root)
        there = url_of(path) is not None or os.path.lexists(openable(path))
        found = path if there else folders.nearby(path)
        if found and found != path:
            shown, how = relative(found, root), difference(path, found)
            detail = Sentence(
                "{where}: taken for {path}, {how}",
                where=where,
                path=shown,
                how=Sentence("which differs in {difference}", difference=how),
            )
            issues.append(Issue(relative(path, root), "matched-by-name", detail))
        add_file(found or path, root, entries, issues, where)
    statements = claims_in(table, *paths_of(table, column))
    return replace(
        statements,
        root=root,
        entries=tuple(entries.values()),
        issues=Issues(issues, statements.issues),
    )


def paths_of(table: Table, column: int) -> tuple[Callable[[int], str], Sequence[int]]:
    """The path of a row by its number, and the rows that have one."""
    rows = array("q", (n for n, row in enumerate(table.rows) if row[column].strip()))
    return lambda number: table.rows[number][column], rows


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
        row = table.rows[number]
        of_model = decider is not None and row[decider].strip() == "model"
        groups["model" if of_model else split_of(row)].append(number)
    if required and groups["model"] and not any(groups[kind] for kind in ("train", "test", "val")):
        raise DataError(ONLY_THE_MODEL, name=table.name)

    def claims(numbers: Sequence[int]) -> Sequence[Claim]:
        return Listed(
            len(numbers),
            lambda n: Claim(
                path(numbers[n]), table.rows[numbers[n]][label], table.where(numbers[n])
            ),
        )

    issues = Issues(_remarks(table, groups), _contradicted(table, label))
    return Found("", (), issues, claims(groups["train"]), claims(groups["test"]))


def _splits(table: Table) -> Callable[[Sequence[str]], str]:
    """The split of a row; the column counts only where all its cells are known names, and some are for training."""
    column = table.find(SPLIT_COLUMNS)
    if column is None:
        return lambda _: "train"
    names = {row[column].strip().casefold() for row in table.rows}
    kinds = {SPLITS.get(name, "" if name else "train") for name in names}
    if "" in kinds or "train" not in kinds:
        return lambda _: "train"
    return lambda row: SPLITS.get(row[column].strip().casefold(), "train")


def _remarks(table: Table, groups: Mapping[str, Sequence[int]]) -> Iterator[Issue]:
    details = {
        "test": mark("{n} rows of the split test are measured on and not learned from"),
        "val": mark("labels of {n} rows of the split val are not learned from"),
        "model": mark("{n} labels are answers of a model (decided_by) and are not taken"),
    }
    for kind, detail in details.items():
        if n := len(groups[kind]):
            yield Issue(table.name, "labels-left-out", Sentence(detail, n=n))


def _contradicted(table: Table, label: int) -> Iterator[Issue]:
    """Other columns that are called as one of labels and say something else."""
    for column, name in enumerate(table.columns):
        if column != label and name.strip().casefold() in LABEL_COLUMNS:
            n = sum(row[column].strip() not in ("", row[label].strip()) for row in table.rows)
            detail = Sentence(
                'the column "{column}" says something else in {n} rows; "{taken}" is taken',
                column=name,
                n=n,
                taken=table.columns[label],
            )
            yield from [Issue(table.name, "labels-not-read", detail)] if n else []


def _unread(table: Table) -> tuple[Unread, ...]:
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
