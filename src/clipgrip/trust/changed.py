"""What a new version changed on the same images: McNemar's test, exact (McNemar, Psychometrika 1947)."""

from __future__ import annotations

from scipy import stats


def change_p_value(put_right: int, put_wrong: int) -> float:
    """Chance of a difference at least so large, either way, were both versions equally good; 1 where none changed."""
    changed = put_right + put_wrong
    if not changed:
        return 1.0
    return float(min(1.0, 2 * stats.binom.cdf(min(put_right, put_wrong), changed, 0.5)))
