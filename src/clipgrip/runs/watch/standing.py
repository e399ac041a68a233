"""Who decides an answer of a model: what of its promises stands. One place tells it to all that name a decider."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from clipgrip.errors import RunError
from clipgrip.runs.audit_store import StoredPromise, made_promises
from clipgrip.runs.store import NAME as RUN
from clipgrip.runs.watch.store import is_watched, open_watch
from clipgrip.runs.watch.upholding import Upheld, scopes_of, upheld
from clipgrip.trust.scope import Numbers, Truths, Whole
from clipgrip_line.promises import ROUNDED, Promise, Scope
from clipgrip_line.trust.scope import WatchedScope


@dataclass(frozen=True)
class Standing:
    """What an audit that was read for a promise leaves to the model; where none ever was, there is no `Standing`."""

    scopes: tuple[WatchedScope, ...] = ()
    """Those that stand: the model decides the answers that one of them holds, people all others."""
    fallen: tuple[Upheld, ...] = ()
    """Those that were withdrawn at work; groups have a bet each, and one that is lost says nothing of the others."""
    promises: tuple[StoredPromise, ...] = field(default=(), repr=False)
    """The newest of each audit of this model, whatever it proves, in the order in which they were read."""

    def holds(self, labels: Sequence[int] | Whole, confidence: Sequence[float] | Numbers) -> Truths:
        """(n,) which answers the model decides, by its own confidence."""
        answers, sure = np.asarray(labels), np.asarray(confidence, dtype=np.float64).round(ROUNDED)
        inside = np.zeros(len(answers), dtype=bool)
        for one in self.scopes:
            inside |= np.isin(answers, sorted(one.classes)) & (sure >= one.threshold)
        return inside

    def fallen_of(self, audit: str) -> tuple[str, ...]:
        """Names of the groups of an audit whose promise was withdrawn."""
        return tuple(one.scope.name for one in self.fallen if one.scope.audit == audit)

    @property
    def open_fall(self) -> bool:
        """Whether something was withdrawn, and no audit has promised anew since."""
        return any(not one.renewed for one in self.fallen)

    @property
    def fell_at(self) -> str:
        """When a promise was withdrawn last (ISO time); empty where none was."""
        return max(((one.withdrawn or {})["at"] for one in self.fallen), default="")


def standing(run: Path, *, before: bool = False) -> Standing | None:
    """What stands for the model in a run's folder; None where no audit was ever read, and the model decides all.

    Args:
        before: whether one was for an earlier round of the review: its promises are not those of this model.
    """
    made, names, absent = made_promises(run) if (run / RUN).is_file() else ((), (), ())
    if not made and not before:
        return None
    scopes, fallen = scopes_of(made, names, absent), list[Upheld]()
    if scopes and is_watched(run):
        with open_watch(run) as store:
            fallen = [one for one in upheld(store, scopes) if one.withdrawn is not None]
    gone = [one.scope for one in fallen]
    newest = {one.audit: one for one in made}
    return Standing(
        tuple(one for one in scopes if one not in gone), tuple(fallen), tuple(newest.values())
    )


def check_stands(run: Path, audit: str) -> None:
    """RunError where a promise of this audit was withdrawn at work: the same answers do not bring it back."""
    found = standing(run)
    if found is not None and found.fallen_of(audit):
        raise RunError(
            "the promise of this audit ({audit}) was withdrawn at work: daily answers showed more errors than "
            "promised. Mend the cause, then promise anew from a new audit (clipgrip audit draw --seed, another "
            "number), better of a new run with images of today.",
            audit=audit,
        )


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
