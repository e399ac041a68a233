"""Where a new value stands among all before it: conformal p-values, from counts that never grow.

While values come in a random order, the share of earlier ones that are smaller, ties broken by chance, is uniform on
(0, 1) and independent of those before (Vovk, Gammerman & Shafer, Algorithmic Learning in a Random World, 2nd ed.,
section 8.2). Values are rounded to float16, a function fixed before all data, so that an exact rank needs only how
often each of its 65,536 values was seen, however many images that were.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Codes = NDArray[np.int64]
Counts = NDArray[np.int64]

BLOCK = 256
"""Codes are counted in 256 blocks of 256, so that a rank sums two short rows."""


def codes_of(values: Values) -> Codes:
    """Whole numbers (0 to 65,535) in the order of ``values`` as float16; what is no number counts as 0.0."""
    finite = np.clip(np.nan_to_num(values, nan=0.0), -65504.0, 65504.0)
    bits = (finite.astype(np.float16) + np.float16(0)).view(np.uint16).astype(np.int64)
    return np.where(bits >> 15 == 1, 0xFFFF - bits, bits | 0x8000)


def no_counts(scores: int) -> Counts:
    """(M, 256, 256) of nothing seen."""
    return np.zeros((scores, BLOCK, BLOCK), dtype=np.int64)


def counted(codes: Codes) -> Counts:
    """(M, 256, 256) from codes (n, M)."""
    found = np.stack([np.bincount(column, minlength=BLOCK * BLOCK) for column in codes.T])
    return found.reshape(-1, BLOCK, BLOCK)


class Ranks:
    """Counts (M, B, B) of several scores that grow image by image; a copy of what it is given.

    Scores may have seen different numbers of images. Codes lie below B², which is 65,536 for those of `codes_of`.
    """

    def __init__(self, counts: Counts) -> None:
        self.counts = counts.copy()
        self._blocks, self._each = self.counts.sum(2), np.arange(len(counts))
        self._n, self._places = self._blocks.sum(1), np.arange(counts.shape[2])

    def add(self, codes: Codes, chance: Values) -> Values:
        """(M,) p-values of one image with these codes (M,), which then counts as seen; ``chance`` breaks ties."""
        high, low = np.divmod(codes, len(self._places))
        row = self.counts[self._each, high]
        below = (self._blocks * (self._places < high[:, None])).sum(1)
        below = below + (row * (self._places < low[:, None])).sum(1)
        equal = row[self._each, low] + 1
        self.counts[self._each, high, low] += 1
        self._blocks[self._each, high] += 1
        self._n += 1
        return np.asarray((below + chance * equal) / self._n, dtype=float)
