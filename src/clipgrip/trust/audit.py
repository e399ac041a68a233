"""Which images a person is asked about, and how many: a uniform draw from the pool that can be continued."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from math import ceil

from clipgrip.errors import ConfigError
from clipgrip.sentences import mark


def audit_order(hashes: Sequence[str], seed: int) -> list[int]:
    """Rows in the order in which they are drawn, by a hash of seed and content: every prefix is a uniform sample.

    Depends neither on the order of files nor on what the model answers.
    """
    return sorted(range(len(hashes)), key=lambda row: _digest("audit", seed, hashes[row]))


def audit_id(run: str, seed: int, answers: Iterable[tuple[str, int, float]]) -> str:
    """Name of an audit: the run, the draw, and every answer (content hash, class, confidence) put to the test."""
    lines = (f"{sha256} {label} {confidence:.6f}" for sha256, label, confidence in sorted(answers))
    return _digest(run, seed, *lines)[:16]


def audit_size(precision: float, *, error: float = 0.0, size: int | None = None) -> int:
    """Answers needed for the error rate ± ``precision``, if it is ``error``.

    By the normal approximation at 95%, with the correction for a finite pool of ``size``. What earns a promise is
    `planning.plan_size`. ConfigError: a share out of range.
    """
    if not 0 <= error < 1 or not 0 < precision < 1:
        raise ConfigError(
            mark("error and precision are shares between 0 and 1, as in 0.02 for 2%.")
        )
    error = max(error, 0.005)
    needed = 1.959964**2 * error * (1 - error) / precision**2
    if size:
        needed = min(size, needed / (1 + (needed - 1) / size))
    return ceil(needed)


def _digest(*parts: object) -> str:
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()
