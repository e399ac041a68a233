"""What a stored promise says of a new image: whether it is within a scope, and whether an answer is wrong there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clipgrip.runs.audits import StoredPromise
from clipgrip_line.trust.scope import ALL as ALL
from clipgrip_line.trust.scope import WatchedScope as WatchedScope


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
