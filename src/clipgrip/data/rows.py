"""The rows of a manifest as columns: a row is made when it is asked for, so a million are no million objects."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from clipgrip.data.columns import Columns
from clipgrip.data.sources import EmbeddingSource, ImageSource, source_of, source_text
from clipgrip.data.texts import Texts
from clipgrip.errors import DataError
from clipgrip.sentences import mark

Split = Literal["pool", "test"]
Ints = NDArray[np.int64]
Hashes = NDArray[np.bytes_]
"""(N,) content hashes, 64 hexadecimal digits each."""
DIGITS = 64
PART = 65_536
"""Hashes that are made to text together."""
EMBEDDED = f"\n{source_text(EmbeddingSource('', 0)).partition(',')[0]}".encode()
"""How the source of an embedding begins, behind the paths."""


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
"""Content hash, paths as JSON, label, split, source as JSON: what a database keeps of a row."""


class Rows(Columns[Row]):
    """N rows in their order, each column in one piece. Nothing in it changes."""

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
        """The same rows."""
        return rows if isinstance(rows, Rows) else cls._built(rows, _of_row)

    @classmethod
    def of_cells(cls, cells: Iterable[Cells]) -> Rows:
        """Rows as a database keeps them."""
        return cls._built(cells, lambda one: (*one, None))

    @classmethod
    def _built(cls, values: Iterable[Any], cells_of: Any) -> Rows:
        hashes, labels, tests = bytearray(), array("q"), bytearray()
        texts, pictures = Texts(), dict[int, ImageSource]()
        for value in values:
            sha256, paths, label, split, source, in_memory = cells_of(value)
            if len(sha256) > DIGITS:  # all behind it would be another row's
                raise DataError(
                    mark('"{sha256}" is no content hash: it has more than {digits} digits'),
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

    def _some(self, places: range) -> Rows:
        return self.take(np.arange(places.start, places.stop, places.step))

    def _one(self, place: int) -> Row:
        at = int(self._at[place])
        paths, source = self._texts[at].split("\n")
        return Row(
            self.hashes[place].decode("ascii"),
            tuple(json.loads(paths)),
            int(self.labels[place]),
            "test" if self.tests[place] else "pool",
            source_of(source) if source else self._in_memory[at],
        )

    def take(self, places: Ints | NDArray[np.bool_]) -> Rows:
        """Some of the rows, in the order of their places."""
        hashes, labels, tests = self.hashes[places], self.labels[places], self.tests[places]
        return Rows(hashes, labels, tests, self._texts, self._in_memory, self._at[places])

    def and_(self, others: Rows) -> Rows:
        """These rows and then others of the same manifest."""
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
        """Sorted by their hashes, equal ones as they stand."""
        if bool((self.hashes[:-1] <= self.hashes[1:]).all()):
            return self
        return self.take(np.argsort(self.hashes, kind="stable"))

    def sha256s(self) -> Iterator[str]:
        """The content hashes as text."""
        for start in range(0, len(self), PART):
            yield from decoded(self.hashes[start : start + PART])

    def shown(self) -> Texts:
        """The path of each that is shown."""
        return Texts(paths[0] for paths in self.paths())

    def among(self, sha256s: Iterable[str]) -> NDArray[np.bool_]:
        """(N,) whether the content hash of a row is one of these."""
        return np.isin(self.hashes, hashes_of(sha256s))

    def values(self, known: Mapping[str, int]) -> Ints:
        """(N,) what is known of each by its content hash, -1 where nothing is."""
        found = np.full(len(self), -1)
        for place in np.flatnonzero(self.among(known)).tolist():
            found[place] = known[self.hashes[place].decode("ascii")]
        return found

    def paths(self) -> Iterator[tuple[str, ...]]:
        """All paths of each row."""
        return (tuple(json.loads(self._texts[at].split("\n")[0])) for at in self._at.tolist())

    def sources(self) -> Iterator[ImageSource]:
        """Where each is read from."""
        for at in self._at.tolist():
            text = self._texts[at].split("\n")[1]
            yield source_of(text) if text else self._in_memory[at]

    def of_embeddings(self) -> NDArray[np.bool_]:
        """(N,) whether a row is one of a file of embeddings."""
        found = (self._texts.has(at, EMBEDDED) for at in self._at.tolist())
        return np.fromiter(found, np.bool_, len(self))

    def cells(self) -> Iterator[Cells]:
        """As a database keeps them; the source is empty where an image lies in memory alone."""
        splits = ("test" if one else "pool" for one in self.tests.tolist())
        columns = self.sha256s(), self._at.tolist(), self.labels.tolist(), splits
        for sha256, at, label, split in zip(*columns, strict=True):
            paths, source = self._texts[at].split("\n")
            yield sha256, paths, label, split, source


class Places(Mapping[str, int]):
    """Content hash -> its place, by a search among the sorted hashes."""

    def __init__(self, hashes: Hashes) -> None:
        self._order = np.argsort(hashes, kind="stable")
        self._sorted = hashes[self._order]

    def __getitem__(self, sha256: str) -> int:
        place = int(self.of(np.array([sha256.encode("utf-8")]))[0])
        if place < 0:
            raise KeyError(sha256)
        return place

    def of(self, hashes: Hashes) -> Ints:
        """(n,) the place of each, -1 of one that is not here."""
        if not len(self._sorted):
            return np.full(len(hashes), -1)
        near = np.searchsorted(self._sorted, hashes).clip(max=len(self._sorted) - 1)
        return np.where(self._sorted[near] == hashes, self._order[near], -1)

    def __len__(self) -> int:
        return len(self._sorted)

    def __iter__(self) -> Iterator[str]:
        return iter(decoded(self._sorted))


def decoded(hashes: Hashes) -> list[str]:
    """A column of content hashes as text."""
    return [one.decode("ascii") for one in hashes.tolist()]


def hashes_of(texts: Iterable[str]) -> Hashes:
    """Content hashes as a column, wide enough that none is cut to another one."""
    found = [one.encode("utf-8") for one in texts]
    return np.array(found, dtype=f"S{max([DIGITS, *map(len, found)])}")


def _of_row(row: Row) -> tuple[str, str, int, str, str, ImageSource | None]:
    source = source_text(row.source)
    in_memory = None if source else row.source
    return row.sha256, json.dumps(row.paths), row.label, row.split, source, in_memory


NO_ROWS = Rows.of(())
