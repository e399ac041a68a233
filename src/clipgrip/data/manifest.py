"""The manifest: which images there are, told apart by content, in an order nobody can change."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from clipgrip.data.classes import ClassNames, canonical
from clipgrip.data.rows import Rows
from clipgrip.errors import DataError


@dataclass(frozen=True)
class Manifest:
    """All images of a project, sorted by content hash. Changes give a new manifest.

    Raises:
        DataError: a content hash stands twice, or a label is not a class position or -1.
    """

    rows: Rows
    """Given as any rows."""
    classes: ClassNames

    def __post_init__(self) -> None:
        rows = Rows.of(self.rows).in_order()
        object.__setattr__(self, "rows", rows)
        for position in np.flatnonzero(rows.hashes[:-1] == rows.hashes[1:])[:1].tolist():
            one, other = rows[position].path, rows[position + 1].path
            raise DataError("{one} and {other} have the same content", one=one, other=other)
        for position in np.flatnonzero((rows.labels < -1) | (rows.labels >= len(self.classes)))[:1]:
            row, last = rows[int(position)], len(self.classes) - 1
            raise DataError(
                "{path}: label {number} is not between -1 and {last}",
                path=row.path,
                number=row.label,
                last=last,
            )

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over hashes, labels, splits and class names; paths and file order are left out."""
        names = [[canonical(name) for name in self.classes.display], list(self.classes.prompts)]
        text = json.dumps([names, []], ensure_ascii=True, separators=(",", ":"))
        found = hashlib.sha256(text[: -len("]]")].encode("ascii"))  # the rows follow one by one
        between = ""
        for sha256, _, label, split, _ in self.rows.cells():
            found.update(f'{between}["{sha256}",{label},"{split}"]'.encode("ascii"))
            between = ","
        found.update(b"]]")
        return found.hexdigest()

    @property
    def labels(self) -> NDArray[np.int64]:
        """Class position of each row, (N,); -1 is unlabeled."""
        return self.rows.labels

    @property
    def pool(self) -> NDArray[np.int64]:
        """Positions of the rows to learn from, labeled or not."""
        return np.flatnonzero(~self.rows.tests)

    @property
    def test(self) -> NDArray[np.int64]:
        """Positions of the rows that are only ever used to measure."""
        return np.flatnonzero(self.rows.tests)

    def without(self, hashes: Iterable[str]) -> Manifest:
        """A manifest that lacks the rows with these content hashes."""
        gone = self.rows.among(hashes)
        return replace(self, rows=self.rows.take(~gone)) if gone.any() else self
