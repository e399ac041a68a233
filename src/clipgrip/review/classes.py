"""Adding, renaming, merging, splitting and taking away classes, and what new words would change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from clipgrip.data.classes import ClassNames, canonical, prompt_text
from clipgrip.errors import DataError
from clipgrip.review.desk import Desk
from clipgrip.review.store import StoredClass

MOST_SHOWN = 24


def add(desk: Desk, name: str, prompt: str, person: str) -> None:
    """A new class; ``prompt`` is the text for the model, empty: made from the name.

    Raises:
        DataError: the name or the text is taken, or empty.
    """
    with desk.lock:
        fresh = _fresh(desk, [(name, prompt)])
        _keep(desk, fresh, "add", person, {"names": [name]})


def edit(desk: Desk, id_: int, name: str, prompt: str, person: str) -> None:
    """Another name, other words for the model, or both; answers stay with the class.

    Raises:
        DataError: as `add`, or there is no such class.
    """
    with desk.lock:
        one = _active(desk, id_)
        changed = replace(one, name=canonical(name), prompt=canonical(prompt) or prompt_text(name))
        facts = {"from": [one.name, one.prompt], "to": [changed.name, changed.prompt]}
        _keep(desk, [changed], "edit", person, {"class": id_, **facts})


def merge(desk: Desk, id_: int, into: int, person: str) -> None:
    """From now on answers with the first class count as answers with the second.

    Raises:
        DataError: there is no such class, both are the same, or fewer than two would be left.
    """
    with desk.lock:
        one, other = _active(desk, id_), _active(desk, into)
        if id_ == into:
            raise DataError("a class cannot be merged with itself. Choose another one.")
        changed = replace(one, state="merged", merged_into=into)
        _keep(desk, [changed], "merge", person, {"class": one.name, "into": other.name})


def split(desk: Desk, id_: int, names: Sequence[str], person: str) -> None:
    """New classes in the place of one; its answers no longer count, so those images are asked again.

    Raises:
        DataError: there is no such class, fewer than two names, or a name that is taken.
    """
    with desk.lock:
        one = _active(desk, id_)
        parts = [canonical(name) for name in names if canonical(name)]
        if len(parts) < 2:
            raise DataError(f'to split "{one.name}", give at least two names, one a line.')
        gone = replace(one, state="gone")
        fresh = _fresh(desk, [(name, "") for name in parts], without=id_)
        _keep(desk, [gone, *fresh], "split", person, {"class": one.name, "into": parts})


def remove(desk: Desk, id_: int, person: str) -> None:
    """Take a class away; its answers no longer count, so those images are asked again.

    Raises:
        DataError: there is no such class, or fewer than two would be left.
    """
    with desk.lock:
        one = _active(desk, id_)
        _keep(desk, [replace(one, state="gone")], "remove", person, {"class": one.name})


@dataclass(frozen=True)
class Moves:
    """What other words would change: how many answers move, from where to where, and some of the images."""

    moved: int
    of: int
    pairs: tuple[tuple[str, str, int], ...]
    """(class before, class after, images), the most first."""
    images: tuple[tuple[str, str, str], ...]
    """(content hash, class before, class after), the surest new answers first."""


def preview(desk: Desk, id_: int, name: str, prompt: str) -> Moves:
    """How the answers would move if the class had another text.

    Raises:
        DataError: as `edit`.
        PromptError: the text is too long for the model.
    """
    with desk.lock:
        one = _active(desk, id_)
        changed = replace(
            one, name=canonical(name) or one.name, prompt=canonical(prompt) or prompt_text(name)
        )
        view, answerer = desk.view, desk.answerer
    classes = tuple(changed if c.id == id_ else c for c in view.classes)
    probs = answerer.probs(_names(classes))
    confidence, columns = (part.numpy() for part in probs.max(1))
    names, before = [c.name for c in classes], view.label
    ids = [c.id for c in classes]
    moved = [row for row, column in enumerate(columns) if ids[column] != before[row]]
    moved.sort(key=lambda row: (-confidence[row], row))
    of = {c.id: c.name for c in view.classes}
    steps = [(of[int(before[row])], names[columns[row]]) for row in moved]
    pairs = sorted(((a, b, n) for (a, b), n in Counter(steps).items()), key=lambda p: (-p[2], p))
    images = [(view.rows[row].sha256, *step) for row, step in zip(moved, steps, strict=True)]
    return Moves(len(moved), len(view.rows), tuple(pairs), tuple(images[:MOST_SHOWN]))


def _fresh(
    desk: Desk, named: Sequence[tuple[str, str]], without: int | None = None
) -> list[StoredClass]:
    taken = {canonical(c.name) for c in desk.view.classes if c.id != without}
    fresh = []
    for number, (name, prompt) in enumerate(named, len(desk.classes) + 1):
        if canonical(name) in taken:
            raise DataError(f'there is a class "{canonical(name)}" already. Choose another name.')
        taken.add(canonical(name))
        fresh.append(StoredClass(number, canonical(name), canonical(prompt) or prompt_text(name)))
    return fresh


def _keep(
    desk: Desk, changed: Sequence[StoredClass], action: str, person: str, facts: dict[str, object]
) -> None:
    new = {c.id: c for c in (*desk.classes, *changed)}
    active = [c for c in new.values() if c.state == "active"]
    _names(active)  # says in plain words what does not go together
    desk.change_classes(changed, action, person, facts)


def _names(classes: Sequence[StoredClass]) -> ClassNames:
    return ClassNames(tuple(c.name for c in classes), tuple(c.prompt for c in classes))


def _active(desk: Desk, id_: int) -> StoredClass:
    for one in desk.view.classes:
        if one.id == id_:
            return one
    raise DataError("that class is no longer there. Reload the page.")
