"""Adding, renaming, merging, splitting and taking away classes, and what new words would change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from clipgrip.data.classes import canonical, prompt_text
from clipgrip.errors import DataError
from clipgrip.review.class_table import ClassTable
from clipgrip.review.session import ReviewSession
from clipgrip.review.snapshot import ReviewSnapshot
from clipgrip.review.store import StoredClass
from clipgrip.sentences import mark

MOST_SHOWN = 24


def add(session: ReviewSession, name: str, prompt: str, person: str) -> None:
    """A new class; ``prompt`` is the text for the model, empty: made from the name.

    DataError: the name or the text is taken, or empty.
    """
    with session.lock:
        fresh = _fresh(session.snapshot, [(name, prompt)])
        _keep(session, fresh, "add", person, {"names": [name]})


def edit(session: ReviewSession, id_: int, name: str, prompt: str, person: str) -> None:
    """Another name, other words for the model, or both; answers stay with the class.

    DataError: as `add`, or there is no such class.
    """
    with session.lock:
        one = _active(session.snapshot, id_)
        changed = replace(one, name=canonical(name), prompt=canonical(prompt) or prompt_text(name))
        facts = {"from": [one.name, one.prompt], "to": [changed.name, changed.prompt]}
        _keep(session, [changed], "edit", person, {"class": id_, **facts})


def merge(session: ReviewSession, id_: int, into: int, person: str) -> None:
    """From now on answers with the first class count as answers with the second.

    DataError: there is no such class, both are the same, or fewer than two would be left.
    """
    with session.lock:
        one, other = _active(session.snapshot, id_), _active(session.snapshot, into)
        if id_ == into:
            raise DataError(mark("a class cannot be merged with itself. Choose another one."))
        changed = replace(one, state="merged", merged_into=into)
        _keep(session, [changed], "merge", person, {"class": one.name, "into": other.name})


def split(session: ReviewSession, id_: int, names: Sequence[str], person: str) -> None:
    """New classes in the place of one; its answers no longer count, so those images are asked again.

    DataError: there is no such class, fewer than two names, or a name that is taken.
    """
    with session.lock:
        one = _active(session.snapshot, id_)
        parts = [canonical(name) for name in names if canonical(name)]
        if len(parts) < 2:
            raise DataError(
                'to split "{name}", give at least two names, one a line.', name=one.name
            )
        gone = replace(one, state="gone")
        fresh = _fresh(session.snapshot, [(name, "") for name in parts], without=id_)
        _keep(session, [gone, *fresh], "split", person, {"class": one.name, "into": parts})


def remove(session: ReviewSession, id_: int, person: str) -> None:
    """Take a class away; its answers no longer count, so those images are asked again.

    DataError: there is no such class, or fewer than two would be left.
    """
    with session.lock:
        one = _active(session.snapshot, id_)
        _keep(session, [replace(one, state="gone")], "remove", person, {"class": one.name})


@dataclass(frozen=True)
class Moves:
    """What other words would change: how many answers move, from where to where, and some of the images."""

    moved: int
    of: int
    pairs: tuple[tuple[str, str, int], ...]
    """(class before, class after, images), the most first."""
    images: tuple[tuple[str, str, str], ...]
    """(content hash, class before, class after), the surest new answers first."""


def preview(snapshot: ReviewSnapshot, id_: int, name: str, prompt: str) -> Moves:
    """How the answers would move if the class had another text.

    Raises:
        DataError: as `edit`.
        PromptError: the text is too long for the model.
    """
    one, view = _active(snapshot, id_), snapshot.view
    changed = replace(
        one, name=canonical(name) or one.name, prompt=canonical(prompt) or prompt_text(name)
    )
    classes = ClassTable(tuple(changed if c.id == id_ else c for c in view.classes.stored))
    probs = snapshot.round.classifier.probs(classes)
    confidence, columns = (part.numpy() for part in probs.max(1))
    before, after = view.label, classes.ids[columns]
    moved = np.flatnonzero(before != after).tolist()
    moved.sort(key=lambda row: (-confidence[row], row))
    steps = [(view.classes.names[int(before[n])], classes.names[int(after[n])]) for n in moved]
    pairs = sorted(((a, b, n) for (a, b), n in Counter(steps).items()), key=lambda p: (-p[2], p))
    images = [(view.rows[row].sha256, *step) for row, step in zip(moved, steps, strict=True)]
    return Moves(len(moved), len(view.rows), tuple(pairs), tuple(images[:MOST_SHOWN]))


def _fresh(
    snapshot: ReviewSnapshot, named: Sequence[tuple[str, str]], without: int | None = None
) -> list[StoredClass]:
    taken = {canonical(c.name) for c in snapshot.classes.active if c.id != without}
    fresh = []
    for number, (name, prompt) in enumerate(named, len(snapshot.classes.stored) + 1):
        if canonical(name) in taken:
            raise DataError(
                'there is a class "{name}" already. Choose another name.', name=canonical(name)
            )
        taken.add(canonical(name))
        fresh.append(StoredClass(number, canonical(name), canonical(prompt) or prompt_text(name)))
    return fresh


def _keep(
    session: ReviewSession,
    changed: Sequence[StoredClass],
    action: str,
    person: str,
    facts: dict[str, object],
) -> None:
    every = {c.id: c for c in (*session.snapshot.classes.stored, *changed)}
    _ = ClassTable(
        tuple(every.values())
    ).class_names  # says in plain words what does not go together
    session.change_classes(changed, action, person, facts)


def _active(snapshot: ReviewSnapshot, id_: int) -> StoredClass:
    for one in snapshot.classes.active:
        if one.id == id_:
            return one
    raise DataError(mark("that class is no longer there. Reload the page."))
