"""The promise in a bundle: the scopes that stand when it is packed, as in `predict`."""

from __future__ import annotations

from pathlib import Path

from clipgrip.runs.audit_store import made_promises, was_promised
from clipgrip.runs.store import NAME
from clipgrip.runs.watch.upholding import fallen_scopes, scopes_of
from clipgrip_line.promises import Promise, Scope


def standing_promise(folder: Path, *, promised_before: bool) -> Promise | None:
    """The scopes that stand for the model in a folder; None where nothing was ever promised.

    Where something was promised, also in an earlier round of the review (``promised_before``), but no scope stands, the
    result has no scopes: people decide every image.
    """
    if not (folder / NAME).is_file():
        return None
    if not (promised_before or was_promised(folder)):
        return None
    fallen = fallen_scopes(folder)
    made, names = made_promises(folder)
    standing = [one for one in scopes_of(made, names) if one not in fallen]
    sure = {one.audit: float(one.facts["confidence"]) for one in made}
    scopes = tuple(Scope(one.name, one.classes, one.threshold, one.max_error) for one in standing)
    if not standing:
        return Promise(0.0, 0.0, ())
    newest = max(standing, key=lambda one: one.at)
    return Promise(
        max(one.rate for one in scopes),
        min(sure[one.audit] for one in standing),
        scopes,
        newest.by,
        newest.at,
    )
