"""Which of many things a text means: only a hash of each is kept, and what it finds is compared."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Forms = Callable[[str], Sequence[str]]
"""How a key may be written."""


def as_it_is(key: str) -> tuple[str]:
    """The only form of a key that has to be met exactly."""
    return (key,)


class Keyed:
    """The numbers of keys by a form that they have. Sixteen bytes a form, where a dictionary takes two hundred."""

    def __init__(self, keys: Sequence[str], forms: Forms = as_it_is) -> None:
        self._keys, self._forms = keys, forms
        hashes, numbers = array("q"), array("q")
        for number, key in enumerate(keys):
            for form in forms(key):
                hashes.append(hash(form))
                numbers.append(number)
        order = np.argsort(np.array(hashes, np.int64), kind="stable")
        self._hashes = np.array(hashes, np.int64)[order]
        self._numbers = np.array(numbers, np.int64)[order]

    def numbers(self, form: str) -> list[int]:
        """Of the keys that have this form, in their order; as often as they have it."""
        wanted = hash(form)
        first = int(self._hashes.searchsorted(wanted))
        if first == len(self._hashes) or self._hashes[first] != wanted:
            return []
        found = self._numbers[first : self._hashes.searchsorted(wanted, "right")].tolist()
        met = {number: self._forms(self._keys[number]).count(form) for number in found}
        return [number for number, count in met.items() for _ in range(count)]

    def number(self, form: str) -> int | None:
        """Of the last key that has this form; None where none has it."""
        return max(self.numbers(form), default=None)

    def __contains__(self, form: object) -> bool:
        return isinstance(form, str) and bool(self.numbers(form))


def first_places(keys: Sequence[str]) -> Ints:
    """(N,) for each key the place at which it stands first."""
    hashes = np.fromiter(map(hash, keys), np.int64, len(keys))
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    begins = np.concatenate([[True], ordered[1:] != ordered[:-1]])[: len(keys)]
    found = np.empty_like(order)
    found[order] = order[np.flatnonzero(begins)][np.cumsum(begins) - 1]
    others: dict[str, int] = {}
    for place in np.flatnonzero(found != np.arange(len(keys))).tolist():
        if (key := keys[place]) != keys[int(found[place])]:  # two texts of one hash
            found[place] = others.setdefault(key, place)
    return found


def once(keys: Sequence[str]) -> Ints:
    """(n,) the places at which a key stands first."""
    return np.flatnonzero(first_places(keys) == np.arange(len(keys)))
