"""The promise in a bundle: the scopes that stand when it is packed, as in `predict`."""

from __future__ import annotations

from clipgrip.runs.watch.standing import Standing
from clipgrip_line.promises import Promise, Scope


def bundled_promise(found: Standing | None) -> Promise | None:
    """What stands for a model, as the line reads it; None where no audit was ever read for a promise.

    Where one was and nothing stands, people decide all.
    """
    if found is None:
        return None
    if not found.scopes:
        return Promise(0.0, 0.0, ())
    sure = {one.audit: float(one.facts["confidence"]) for one in found.promises}
    newest = max(found.scopes, key=lambda one: one.at)
    return Promise(
        max(one.max_error for one in found.scopes),
        min(sure[one.audit] for one in found.scopes),
        tuple(Scope(one.name, one.classes, one.threshold, one.max_error) for one in found.scopes),
        newest.by,
        newest.at,
    )
