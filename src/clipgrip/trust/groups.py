"""Whether answers are worse for one group of images (a line, camera or shift) than for the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy.stats import fisher_exact

from clipgrip.metrics import wilson_interval


@dataclass(frozen=True)
class GroupShare:
    """``count`` of ``total`` images of a group have the property, with an interval that holds for all groups at once.

    ``p_value`` is against all other groups, Holm-adjusted for the number of groups compared.
    """

    name: str
    count: int
    total: int
    low: float
    high: float
    p_value: float

    @property
    def share(self) -> float:
        """``count / total``."""
        return self.count / self.total

    @property
    def differs(self) -> bool:
        """Whether the difference to the others is beyond chance at 5% over all comparisons."""
        return self.p_value < 0.05


def compare_groups(
    groups: Sequence[str], has: Sequence[bool], comparisons: int = 1
) -> tuple[GroupShare, ...]:
    """Each group's share of images with a property (right, doubtful), the highest first.

    Fisher's exact test of each group against the rest, Holm's step-down correction (1979); Wilson intervals with
    Bonferroni's level. Images without a group ("") are left out. ``comparisons``: columns compared besides, as factor.
    """
    totals: dict[str, tuple[int, int]] = {}
    for name, value in zip(groups, has, strict=True):
        if name:
            with_it, all_of_it = totals.get(name, (0, 0))
            totals[name] = (with_it + bool(value), all_of_it + 1)
    if not totals:
        return ()
    count, total = (sum(cell[i] for cell in totals.values()) for i in (0, 1))
    tests = len(totals) * comparisons
    raw = {name: _against_rest(*cell, count, total) for name, cell in totals.items()}
    adjusted = holm(raw, tests)
    found = [
        GroupShare(name, *cell, *wilson_interval(*cell, 1 - 0.05 / tests), adjusted[name])
        for name, cell in totals.items()
    ]
    return tuple(sorted(found, key=lambda group: (-group.share, group.name)))


def holm(p_values: Mapping[str, float], tests: int | None = None) -> dict[str, float]:
    """p-values adjusted by Holm's step-down method; ``tests`` at least as many as there are values."""
    left = tests or len(p_values)
    adjusted, highest = {}, 0.0
    for name in sorted(p_values, key=lambda key: p_values[key]):
        highest = max(highest, min(1.0, left * p_values[name]))
        adjusted[name] = highest
        left = max(1, left - 1)
    return adjusted


def _against_rest(count: int, size: int, all_count: int, all_size: int) -> float:
    rest_count, rest = all_count - count, all_size - size
    if rest == 0:
        return 1.0
    table = [[count, size - count], [rest_count, rest - rest_count]]
    return float(fisher_exact(table).pvalue)
