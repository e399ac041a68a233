"""Which images a person is asked about, and how many: a uniform draw from the pool that can be continued."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from math import ceil

from clipgrip.errors import ConfigError
from clipgrip.sentences import mark
from clipgrip.trust.planning import plan_size
from clipgrip.trust.terms import Terms


def audit_order(hashes: Sequence[str], seed: int) -> list[int]:
    """Rows in the order in which they are drawn, by a hash of seed and content: every prefix is a uniform sample.

    Depends neither on the order of files nor on what the model answers.
    """
    return sorted(range(len(hashes)), key=lambda row: _digest("audit", seed, hashes[row]))


def audit_id(run: str, seed: int, answers: Iterable[tuple[str, int, float]]) -> str:
    """Name of an audit: the run, the draw, and every answer (content hash, class, confidence) put to the test."""
    lines = (f"{sha256} {label} {confidence:.6f}" for sha256, label, confidence in sorted(answers))
    return _digest(run, seed, *lines)[:16]


def audit_size(
    terms: Terms | None = None,
    *,
    precision: float | None = None,
    error: float = 0.0,
    size: int | None = None,
    power: float = 0.8,
) -> int | None:
    """Answers needed, either for the error rate ± ``precision`` or to earn a promise for all answers.

    ``error`` is the assumed error rate. A precision uses the normal approximation at 95%, with the correction for a
    finite pool of ``size``. A promise is earned with probability ``power`` by a plan that is read once; None where no
    audit earns it, as when the error is not below the promised one.

    Raises:
        ConfigError: neither or both of ``terms`` and ``precision``, or a share out of range.
    """
    if (terms is None) == (precision is None):
        raise ConfigError(mark("audit_size needs either terms or a precision, not both."))
    if not 0 <= error < 1 or (precision is not None and not 0 < precision < 1):
        raise ConfigError(
            mark("error and precision are shares between 0 and 1, as in 0.02 for 2%.")
        )
    if precision is not None:
        return _for_precision(precision, max(error, 0.005), size)
    assert terms is not None
    return plan_size(size or 100_000, terms, error=error, power=power)


def _for_precision(precision: float, error: float, size: int | None) -> int:
    needed = 1.959964**2 * error * (1 - error) / precision**2
    if size:
        needed = min(size, needed / (1 + (needed - 1) / size))
    return ceil(needed)


def _digest(*parts: object) -> str:
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()
