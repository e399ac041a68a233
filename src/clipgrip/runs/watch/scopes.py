"""What a stored promise says of a new image: whether it is within a scope, and whether an answer is wrong there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clipgrip.runs.audits import StoredPromise

ALL = "all"
"""The group of every answer: wrong where it is not the truth. Of others, wrong where the truth is not of the group."""


@dataclass(frozen=True)
class WatchedScope:
    """Answers of some classes at or over a confidence, of which at most a share ``max_error`` is wrong."""

    audit: str
    name: str
    classes: frozenset[int]
    threshold: float
    max_error: float
    by: str
    at: str
    share: float
    """Share of the budget of this promise: its groups divide it evenly."""

    def holds(self, label: int, confidence: float) -> bool:
        """Whether an answer lies within it."""
        return label in self.classes and confidence >= self.threshold

    def is_wrong(self, label: int, truth: int) -> bool:
        """Whether an answer within it counts as wrong."""
        return truth != label if self.name == ALL else truth not in self.classes


def scopes_of(promises: Sequence[StoredPromise], names: Sequence[str]) -> list[WatchedScope]:
    """The scopes of each audit's newest promise, audits in the order of their first one.

    A scope whose classes are not known (misses and overkill of version 0.2 and before) is left out.
    """
    newest = {one.audit: one for one in promises}
    return [
        scope
        for one in newest.values()
        for facts in one.facts["scopes"]
        if (scope := _scope(one, facts, names)) is not None
    ]


def _scope(
    promise: StoredPromise, facts: Mapping[str, Any], names: Sequence[str]
) -> WatchedScope | None:
    group = facts["group"]
    called = facts.get("classes", names if group == ALL else [group])
    known = frozenset(names.index(name) for name in called if name in names)
    if facts["threshold"] is None or not known:
        return None
    return WatchedScope(
        promise.audit,
        group,
        known,
        float(facts["threshold"]),
        float(promise.facts["max_error"]),
        promise.said_by,
        promise.said_at,
        1 / len(promise.facts["scopes"]),
    )
