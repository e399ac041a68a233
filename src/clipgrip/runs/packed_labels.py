"""The pseudolabels of a round as columns, and packed into one value of the database.

Packed they take 44 bytes each, a third of what a row takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load, save

from clipgrip.data.lazy import LazySequence
from clipgrip.data.rows import DIGITS, Hashes, Ints, decoded, hashes_of

PACKED = 50_000
"""How many pseudolabels of a round are packed; fewer get a row each."""
Triple = tuple[str, int, float]
"""Content hash, class, confidence."""


@dataclass(frozen=True, eq=False)
class NamedLabels(LazySequence[Triple]):
    """Pseudolabels as a sequence of `Triple`, stored as columns."""

    hashes: Hashes
    labels: Ints
    confidence: NDArray[np.float64]

    @classmethod
    def of(cls, triples: Iterable[Triple]) -> NamedLabels:
        """The triples as columns; as they are if they are columns already."""
        if isinstance(triples, NamedLabels):
            return triples
        hashes, labels, confidence = [*zip(*triples, strict=True)] or ((), (), ())
        return cls(hashes_of(hashes), np.array(labels, np.int64), np.array(confidence, np.float64))

    def __len__(self) -> int:
        return len(self.hashes)

    def _item_at(self, position: int) -> Triple:
        sha256: bytes = self.hashes[position]
        return sha256.decode("ascii"), int(self.labels[position]), float(self.confidence[position])

    def _items_at(self, positions: range) -> NamedLabels:
        at = np.array(positions)
        return NamedLabels(self.hashes[at], self.labels[at], self.confidence[at])

    def __iter__(self) -> Iterator[Triple]:
        columns = decoded(self.hashes), self.labels.tolist(), self.confidence.tolist()
        return zip(*columns, strict=True)


def packed(pseudolabels: NamedLabels) -> bytes:
    """The pseudolabels as bytes, sorted by content hash; equal ones give equal bytes."""
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
    """The inverse of `packed`."""
    found = load(content)
    text = found["sha256"].numpy().tobytes().hex().encode("ascii")
    hashes = np.frombuffer(text, f"S{DIGITS}")
    return NamedLabels(hashes, found["label"].long().numpy(), found["confidence"].numpy())
