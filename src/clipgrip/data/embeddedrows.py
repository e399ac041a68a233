"""The rows of a file of embeddings as entries, and what it says of them as claims."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from clipgrip.data.classes import ClassNames
from clipgrip.data.columns import Listed
from clipgrip.data.embeddings import Embeddings, read_embeddings, root_of
from clipgrip.data.embedlayout import check_apart, numbered
from clipgrip.data.entries import Claim, Entry, Found, Unread, native, place_key
from clipgrip.data.issues import Issue, Issues
from clipgrip.data.sources import EmbeddingSource
from clipgrip.data.splitnames import SPLITS
from clipgrip.data.tablerows import SPLIT_COLUMNS
from clipgrip.data.texts import Texts
from clipgrip.sentences import Sentence, mark

SPLIT = mark(
    '"{column}" is not read; what is to be measured on stands in a column test (true or false)'
)


def from_embeddings(path: str) -> Found:
    """The rows of a file of embeddings, each called by its id, and what the file says of them."""
    found, root = read_embeddings(path), root_of(path)
    keys = Texts(place_key(os.path.join(root, native(one))) for one in found.ids)
    check_apart(keys, found.ids, os.path.basename(path))

    def made(row: int) -> Entry:
        source = EmbeddingSource(path, row, found.pictures[row])
        return Entry(found.ids[row], keys[row], source, found.hashes[row].decode("ascii"))

    entries, name = Listed(len(keys), made), os.path.basename(path)
    issues = Issues(_splits_unread(found, name))
    if not (found.labels or found.test):
        unread = tuple(Unread(name, *column) for column in found.others)
        return Found(root, entries, issues, unread=unread)
    tests = np.array(found.test or [False] * len(keys))

    def claims(rows: NDArray[np.int64]) -> Listed[Claim]:
        def made(place: int) -> Claim:
            row = int(rows[place])
            label = found.labels[row] if found.labels else ""
            return Claim(keys[row], label, f"{name} row {row}")

        return Listed(len(rows), made)

    learned, judged = claims(np.flatnonzero(~tests)), claims(np.flatnonzero(tests))
    return Found(root, entries, issues, learned, judged)


def _splits_unread(found: Embeddings, name: str) -> Iterator[Issue]:
    """A column that keeps rows for a test in words, which is not how a file of embeddings says it."""
    for column, values in found.others if not found.test else ():
        kinds = {SPLITS.get(value.strip().casefold(), "") for value in values - {""}}
        if column.casefold() in SPLIT_COLUMNS and len(kinds) > 1 and "" not in kinds:
            yield Issue(name, "labels-not-read", Sentence(SPLIT, column=column))


def numbered_claims(found: Found, names: ClassNames) -> Found:
    """Of embeddings also labels that are positions of classes."""
    if not any(isinstance(one.source, EmbeddingSource) for one in found.entries[:1]):
        return found

    def named(claims: Sequence[Claim]) -> Listed[Claim]:
        def made(place: int) -> Claim:
            one = claims[place]
            return replace(one, label=numbered(one.label, names.display))

        return Listed(len(claims), made)

    return replace(found, claims=named(found.claims), test_claims=named(found.test_claims))
