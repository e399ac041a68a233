"""The manifest: which images there are, told apart by content, in an order nobody can change."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from clipgrip.data.classes import ClassNames, canonical, prompt_text
from clipgrip.data.sources import BytesSource, FileSource, ImageSource, ParquetSource
from clipgrip.errors import DataError

__all__ = [
    "BytesSource",
    "ClassNames",
    "FileSource",
    "ImageSource",
    "Manifest",
    "ParquetSource",
    "Row",
    "Split",
    "canonical",
    "prompt_text",
]

Split = Literal["pool", "test"]


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class Manifest:
    """All images of a project, sorted by content hash. Changes give a new manifest.

    Raises:
        DataError: a content hash stands twice, or a label is not a class position or -1.
    """

    rows: tuple[Row, ...]
    classes: ClassNames

    def __post_init__(self) -> None:
        rows = tuple(sorted(self.rows, key=lambda row: row.sha256))
        object.__setattr__(self, "rows", rows)
        for row, following in pairwise(rows):
            if row.sha256 == following.sha256:
                raise DataError(f"{row.path} and {following.path} have the same content")
        for row in rows:
            if not -1 <= row.label < len(self.classes):
                raise DataError(
                    f"{row.path}: label {row.label} is not between -1 and {len(self.classes) - 1}"
                )

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over hashes, labels, splits and class names; paths and file order are left out."""
        names = [[canonical(name) for name in self.classes.display], list(self.classes.prompts)]
        rows = [[row.sha256, row.label, row.split] for row in self.rows]
        text = json.dumps([names, rows], ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode("ascii")).hexdigest()

    @property
    def labels(self) -> NDArray[np.int64]:
        """Class position of each row, (N,); -1 is unlabeled."""
        return np.array([row.label for row in self.rows], dtype=np.int64)

    @property
    def pool(self) -> NDArray[np.int64]:
        """Positions of the rows to learn from, labeled or not."""
        return self._where("pool")

    @property
    def test(self) -> NDArray[np.int64]:
        """Positions of the rows that are only ever used to measure."""
        return self._where("test")

    def without(self, hashes: Iterable[str]) -> Manifest:
        """A manifest that lacks the rows with these content hashes."""
        gone = set(hashes)
        return replace(self, rows=tuple(row for row in self.rows if row.sha256 not in gone))

    def _where(self, split: Split) -> NDArray[np.int64]:
        found = [number for number, row in enumerate(self.rows) if row.split == split]
        return np.array(found, dtype=np.int64)
