"""Whether a new version is better or worse on the same images: McNemar's exact test (McNemar, Psychometrika 1947)."""

from __future__ import annotations

from scipy import stats


def change_p_value(put_right: int, put_wrong: int) -> float:
    """Two-sided p-value of "both versions are equally good"; 1 if no image changed between right and wrong."""
    changed = put_right + put_wrong
    if not changed:
        return 1.0
    return float(min(1.0, 2 * stats.binom.cdf(min(put_right, put_wrong), changed, 0.5)))
