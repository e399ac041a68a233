"""The rows of a manifest, stored as columns; a `Row` is made when it is read."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from clipgrip.data.lazy import LazySequence
from clipgrip.data.sources import EmbeddingSource, ImageSource, source_from_json, source_to_json
from clipgrip.data.texts import Texts
from clipgrip.errors import DataError

Split = Literal["pool", "test"]
Ints = NDArray[np.int64]
Hashes = NDArray[np.bytes_]
"""(N,) content hashes, 64 hexadecimal digits each."""
DIGITS = 64
PART = 65_536
"""Hashes that are decoded together."""
EMBEDDED = f"\n{source_to_json(EmbeddingSource('', 0)).partition(',')[0]}".encode()
"""How the source of an embedding begins in a row's text, which is its paths, a line feed and its source."""


@dataclass(frozen=True, slots=True)
class Row:
    """One image content, wherever and however often it lies on the disk.

    ``paths`` are relative to the images folder with ``/``; the first is the one shown. ``label``
    is a class position, -1 for unlabeled.
    """

    sha256: str
    paths: tuple[str, ...]
    label: int
    split: Split
    source: ImageSource = field(compare=False, repr=False)

    @property
    def path(self) -> str:
        """The path that is shown."""
        return self.paths[0]


Cells = tuple[str, str, int, str, str]
"""A row as the database stores it: content hash, paths as JSON, label, split, source as JSON."""


class Rows(LazySequence[Row]):
    """N immutable rows: arrays of hashes, labels and splits, and one text of paths and source for each row.

    Subsets share the texts with the rows they were taken from; ``at`` (N,) holds the index of each row's text.
    Sources that cannot be stored, of images in memory, lie in ``in_memory`` by the same index.
    """

    def __init__(
        self,
        hashes: Hashes,
        labels: Ints,
        tests: NDArray[np.bool_],
        texts: Texts,
        in_memory: Mapping[int, ImageSource],
        at: Ints,
    ) -> None:
        self.hashes, self.labels, self.tests = hashes, labels, tests
        self._texts, self._in_memory, self._at = texts, in_memory, at
        for column in (hashes, labels, tests, at):
            column.flags.writeable = False

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Rows:
        """The rows as columns; as they are if they are columns already."""
        return rows if isinstance(rows, Rows) else cls._built(rows, _of_row)

    @classmethod
    def of_cells(cls, cells: Iterable[Cells]) -> Rows:
        """The rows that a database stores as `cells`."""
        return cls._built(cells, lambda one: (*one, None))

    @classmethod
    def _built(cls, values: Iterable[Any], cells_of: Any) -> Rows:
        hashes, labels, tests = bytearray(), array("q"), bytearray()
        texts, pictures = Texts(), dict[int, ImageSource]()
        for value in values:
            sha256, paths, label, split, source, in_memory = cells_of(value)
            if len(sha256) > DIGITS:  # it would shift the hashes of all rows after it
                raise DataError(
                    '"{sha256}" is no content hash: it has more than {digits} digits',
                    sha256=sha256,
                    digits=DIGITS,
                )
            if in_memory is not None:
                pictures[len(texts)] = in_memory
            hashes += sha256.encode("ascii").ljust(DIGITS, b"\0")
            labels.append(label)
            tests.append(split == "test")
            texts.append(f"{paths}\n{source}")
        return cls(
            np.frombuffer(bytes(hashes), f"S{DIGITS}"),
            np.array(labels, dtype=np.int64),
            np.frombuffer(bytes(tests), np.bool_),
            texts,
            pictures,
            np.arange(len(texts)),
        )

    def __len__(self) -> int:
        return len(self.hashes)

    def _items_at(self, positions: range) -> Rows:
        return self.take(np.arange(positions.start, positions.stop, positions.step))

    def _item_at(self, position: int) -> Row:
        at = int(self._at[position])
        paths, source = self._texts[at].split("\n")
        return Row(
            self.hashes[position].decode("ascii"),
            tuple(json.loads(paths)),
            int(self.labels[position]),
            "test" if self.tests[position] else "pool",
            source_from_json(source) if source else self._in_memory[at],
        )

    def take(self, positions: Ints | NDArray[np.bool_]) -> Rows:
        """The rows at ``positions``, or where a mask is true."""
        hashes, labels, tests = (
            self.hashes[positions],
            self.labels[positions],
            self.tests[positions],
        )
        return Rows(hashes, labels, tests, self._texts, self._in_memory, self._at[positions])

    def and_(self, others: Rows) -> Rows:
        """These rows followed by others; quick where both come from one manifest."""
        if not len(others):
            return self
        if others._texts is not self._texts:
            return Rows.of([*self, *others])
        pairs = zip(self._columns, others._columns, strict=True)
        hashes, labels, tests, at = (np.concatenate(pair) for pair in pairs)
        return Rows(hashes, labels, tests, self._texts, self._in_memory, at)

    @property
    def _columns(self) -> tuple[NDArray[Any], ...]:
        return self.hashes, self.labels, self.tests, self._at

    def in_order(self) -> Rows:
        """The rows sorted by content hash; stable."""
        if bool((self.hashes[:-1] <= self.hashes[1:]).all()):
            return self
        return self.take(np.argsort(self.hashes, kind="stable"))

    def sha256s(self) -> Iterator[str]:
        """The content hashes as strings."""
        for start in range(0, len(self), PART):
            yield from decoded(self.hashes[start : start + PART])

    def shown(self) -> Texts:
        """The path of each row that people see."""
        return Texts(paths[0] for paths in self.paths())

    def among(self, sha256s: Iterable[str]) -> NDArray[np.bool_]:
        """(N,) whether each row's content hash is one of these."""
        return np.isin(self.hashes, hashes_of(sha256s))

    def values(self, known: Mapping[str, int]) -> Ints:
        """(N,) the value in ``known`` of each row's content hash, -1 where it is missing."""
        found = np.full(len(self), -1)
        for position in np.flatnonzero(self.among(known)).tolist():
            found[position] = known[self.hashes[position].decode("ascii")]
        return found

    def paths(self) -> Iterator[tuple[str, ...]]:
        """All paths of each row."""
        return (tuple(json.loads(self._texts[at].split("\n")[0])) for at in self._at.tolist())

    def sources(self) -> Iterator[ImageSource]:
        """The source of each row's bytes."""
        for at in self._at.tolist():
            text = self._texts[at].split("\n")[1]
            yield source_from_json(text) if text else self._in_memory[at]

    def of_embeddings(self) -> NDArray[np.bool_]:
        """(N,) whether each row comes from a file of embeddings."""
        found = (self._texts.has(at, EMBEDDED) for at in self._at.tolist())
        return np.fromiter(found, np.bool_, len(self))

    def cells(self) -> Iterator[Cells]:
        """The rows for a database; the source is empty for an image that exists only in memory."""
        splits = ("test" if one else "pool" for one in self.tests.tolist())
        columns = self.sha256s(), self._at.tolist(), self.labels.tolist(), splits
        for sha256, at, label, split in zip(*columns, strict=True):
            paths, source = self._texts[at].split("\n")
            yield sha256, paths, label, split, source


class HashIndex(Mapping[str, int]):
    """Content hash -> position in a column of hashes, by binary search."""

    def __init__(self, hashes: Hashes) -> None:
        self._order = np.argsort(hashes, kind="stable")
        self._sorted = hashes[self._order]

    def __getitem__(self, sha256: str) -> int:
        position = int(self.of(np.array([sha256.encode("utf-8")]))[0])
        if position < 0:
            raise KeyError(sha256)
        return position

    def of(self, hashes: Hashes) -> Ints:
        """(n,) the position of each hash, -1 where it is missing."""
        if not len(self._sorted):
            return np.full(len(hashes), -1)
        near = np.searchsorted(self._sorted, hashes).clip(max=len(self._sorted) - 1)
        return np.where(self._sorted[near] == hashes, self._order[near], -1)

    def __len__(self) -> int:
        return len(self._sorted)

    def __iter__(self) -> Iterator[str]:
        return iter(decoded(self._sorted))


def decoded(hashes: Hashes) -> list[str]:
    """A column of content hashes as strings."""
    return [one.decode("ascii") for one in hashes.tolist()]


def hashes_of(texts: Iterable[str]) -> Hashes:
    """Content hashes as a column, wide enough for the longest: NumPy would cut it, maybe to a valid hash."""
    found = [one.encode("utf-8") for one in texts]
    return np.array(found, dtype=f"S{max([DIGITS, *map(len, found)])}")


def _of_row(row: Row) -> tuple[str, str, int, str, str, ImageSource | None]:
    source = source_to_json(row.source)
    in_memory = None if source else row.source
    return row.sha256, json.dumps(row.paths), row.label, row.split, source, in_memory


NO_ROWS = Rows.of(())
