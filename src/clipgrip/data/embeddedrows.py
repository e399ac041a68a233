"""The rows of a file of embeddings as entries, with the labels that stand in the file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from clipgrip.data.classes import ClassNames
from clipgrip.data.embeddings import Embeddings, read_embeddings, root_of
from clipgrip.data.embedlayout import check_apart, name_of_position
from clipgrip.data.entries import Entry, Found, Unread, WrittenLabel, native_separators, place_key
from clipgrip.data.issues import Issue, Issues
from clipgrip.data.lazy import LazyItems
from clipgrip.data.sources import EmbeddingSource
from clipgrip.data.splitnames import SPLITS
from clipgrip.data.tablerows import SPLIT_COLUMNS
from clipgrip.data.texts import Texts
from clipgrip.sentences import Sentence, mark

SPLIT = mark(
    '"{column}" is not read; what is to be measured on stands in a column test (true or false)'
)


def from_embeddings(path: str) -> Found:
    """The rows of a file of embeddings, named by their ids, with their labels and which are for testing."""
    found, root = read_embeddings(path), root_of(path)
    keys = Texts(place_key(os.path.join(root, native_separators(one))) for one in found.ids)
    check_apart(keys, found.ids, os.path.basename(path))

    def entry(row: int) -> Entry:
        source = EmbeddingSource(path, row, found.pictures[row])
        return Entry(found.ids[row], keys[row], source, found.hashes[row].decode("ascii"))

    entries, name = LazyItems(len(keys), entry), os.path.basename(path)
    issues = Issues(_splits_unread(found, name))
    if not (found.labels or found.test):
        unread = tuple(Unread(name, *column) for column in found.others)
        return Found(root, entries, issues, unread=unread)
    tests = np.array(found.test or [False] * len(keys))

    def labels_of(rows: NDArray[np.int64]) -> LazyItems[WrittenLabel]:
        def label(position: int) -> WrittenLabel:
            row = int(rows[position])
            text = found.labels[row] if found.labels else ""
            return WrittenLabel(keys[row], text, f"{name} row {row}")

        return LazyItems(len(rows), label)

    labels, test_labels = labels_of(np.flatnonzero(~tests)), labels_of(np.flatnonzero(tests))
    return Found(root, entries, issues, labels, test_labels)


def _splits_unread(found: Embeddings, name: str) -> Iterator[Issue]:
    """A remark on a column of splits in words, which is not read: a file of embeddings has a column ``test``."""
    for column, values in found.others if not found.test else ():
        kinds = {SPLITS.get(value.strip().casefold(), "") for value in values - {""}}
        if column.casefold() in SPLIT_COLUMNS and len(kinds) > 1 and "" not in kinds:
            yield Issue(name, "labels-not-read", Sentence(SPLIT, column=column))


def with_class_names(found: Found, names: ClassNames) -> Found:
    """The same, where labels in a file of embeddings that are class positions are replaced by the names."""
    if not any(isinstance(one.source, EmbeddingSource) for one in found.entries[:1]):
        return found

    def named(labels: Sequence[WrittenLabel]) -> LazyItems[WrittenLabel]:
        def label(position: int) -> WrittenLabel:
            one = labels[position]
            return replace(one, label=name_of_position(one.label, names.display))

        return LazyItems(len(labels), label)

    return replace(found, labels=named(found.labels), test_labels=named(found.test_labels))
