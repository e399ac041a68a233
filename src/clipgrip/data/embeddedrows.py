"""The rows of a file of embeddings as entries, and what it says of them as claims."""

from __future__ import annotations

import os
from dataclasses import replace

from clipgrip.data.classes import ClassNames
from clipgrip.data.discover import Claim, Entry, Found, native, place_key
from clipgrip.data.embeddings import read_embeddings, root_of
from clipgrip.data.embedlayout import check_apart
from clipgrip.data.embedvalues import numbered
from clipgrip.data.entries import Listed
from clipgrip.data.sources import EmbeddingSource
from clipgrip.data.texts import Texts


def from_embeddings(path: str) -> Found:
    """The rows of a file of embeddings, each called by its id, and what the file says of them."""
    found, root = read_embeddings(path), root_of(path)
    keys = Texts(place_key(os.path.join(root, native(one))) for one in found.ids)
    check_apart(keys, found.ids, os.path.basename(path))

    def made(row: int) -> Entry:
        source = EmbeddingSource(path, row, found.pictures[row])
        return Entry(found.ids[row], keys[row], source, found.hashes[row].decode("ascii"))

    entries = Listed(len(keys), made)
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
    return Found(root, entries, claims=learned, test_claims=judged)


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
