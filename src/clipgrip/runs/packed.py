"""A round's pseudolabels as columns, and many as one value of the database: 44 bytes each, a third of a row there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load, save

from clipgrip.data.columns import Columns
from clipgrip.data.rows import DIGITS, Hashes, Ints, decoded, hashes_of

PACKED = 50_000
"""Pseudolabels of a round from which they are packed."""
Triple = tuple[str, int, float]
"""Content hash, class, confidence."""


@dataclass(frozen=True, eq=False)
class NamedLabels(Columns[Triple]):
    """Pseudolabels by the images' content hashes; each is made when it is asked for."""

    hashes: Hashes
    labels: Ints
    confidence: NDArray[np.float64]

    @classmethod
    def of(cls, triples: Iterable[Triple]) -> NamedLabels:
        """The same pseudolabels."""
        if isinstance(triples, NamedLabels):
            return triples
        hashes, labels, confidence = [*zip(*triples, strict=True)] or ((), (), ())
        return cls(hashes_of(hashes), np.array(labels, np.int64), np.array(confidence, np.float64))

    def __len__(self) -> int:
        return len(self.hashes)

    def _one(self, place: int) -> Triple:
        sha256: bytes = self.hashes[place]
        return sha256.decode("ascii"), int(self.labels[place]), float(self.confidence[place])

    def _some(self, places: range) -> NamedLabels:
        at = np.array(places)
        return NamedLabels(self.hashes[at], self.labels[at], self.confidence[at])

    def __iter__(self) -> Iterator[Triple]:
        columns = decoded(self.hashes), self.labels.tolist(), self.confidence.tolist()
        return zip(*columns, strict=True)


def packed(pseudolabels: NamedLabels) -> bytes:
    """In the order of their hashes."""
    order = np.lexsort((pseudolabels.confidence, pseudolabels.labels, pseudolabels.hashes))
    content = bytearray(bytes.fromhex(pseudolabels.hashes[order].tobytes().decode("ascii")))
    return save(
        {
            "sha256": torch.frombuffer(content, dtype=torch.uint8).view(-1, 32),
            "label": torch.from_numpy(pseudolabels.labels[order].astype(np.int32)),
            "confidence": torch.from_numpy(pseudolabels.confidence[order]),
        }
    )


def unpacked(content: bytes) -> NamedLabels:
    """What was packed."""
    found = load(content)
    text = found["sha256"].numpy().tobytes().hex().encode("ascii")
    hashes = np.frombuffer(text, f"S{DIGITS}")
    return NamedLabels(hashes, found["label"].long().numpy(), found["confidence"].numpy())
