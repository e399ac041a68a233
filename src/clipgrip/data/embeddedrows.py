"""The rows of a file of embeddings as entries, and what it says of them as claims."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import overload

from clipgrip.data.classes import ClassNames
from clipgrip.data.discover import Claim, Entry, Found, native, place_key
from clipgrip.data.embeddings import Embeddings, read_embeddings
from clipgrip.data.embedlayout import check_apart
from clipgrip.data.embedvalues import numbered
from clipgrip.data.sources import EmbeddingSource
from clipgrip.data.texts import Texts


@dataclass(frozen=True, eq=False)
class EmbeddedEntries(Sequence[Entry]):
    """An entry for each row of a file of embeddings, called by its id; made when it is asked for."""

    found: Embeddings
    root: str

    def __len__(self) -> int:
        return len(self.found.ids)

    @overload
    def __getitem__(self, place: int) -> Entry: ...
    @overload
    def __getitem__(self, place: slice) -> list[Entry]: ...
    def __getitem__(self, place: int | slice) -> Entry | list[Entry]:
        if isinstance(place, slice):
            return [self[row] for row in range(*place.indices(len(self)))]
        found, row = self.found, range(len(self))[place]
        source = EmbeddingSource(found.path, row, found.pictures[row])
        sha256 = found.hashes[row].decode("ascii")
        return Entry(found.ids[row], self.key(found.ids[row]), source, sha256)

    def key(self, image: str) -> str:
        """Of an id."""
        return place_key(os.path.join(self.root, native(image)))


def from_embeddings(path: str) -> Found:
    """The rows of a file of embeddings, and what it says of them."""
    found, root = read_embeddings(path), os.path.dirname(path)
    entries = EmbeddedEntries(found, root)
    keys = Texts(map(entries.key, found.ids))
    check_apart(keys, found.ids, os.path.basename(path))
    name, tests = os.path.basename(path), found.test or (False,) * len(entries)
    claims = [
        Claim(key, label, f"{name} row {row}")
        for row, (key, label) in enumerate(zip(keys, found.labels, strict=False))
    ]
    if found.test and not found.labels:
        claims = [Claim(key, "", f"{name} row {row}") for row, key in enumerate(keys)]
    learned, judged = (
        tuple(one for one, test in zip(claims, tests, strict=False) if test is kind)
        for kind in (False, True)
    )
    return Found(root, entries, (), learned, judged)


def numbered_claims(found: Found, names: ClassNames) -> Found:
    """Of embeddings also labels that are positions of classes."""
    if not any(isinstance(one.source, EmbeddingSource) for one in found.entries[:1]):
        return found
    numbers = (
        tuple(
            replace(one, label=label)
            for one, label in zip(
                claims, numbered((one.label for one in claims), names.display), strict=True
            )
        )
        for claims in (found.claims, found.test_claims)
    )
    return replace(found, claims=next(numbers), test_claims=next(numbers))
