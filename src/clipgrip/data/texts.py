"""Many texts in one piece of memory, and which of many a text means: a million are no million objects."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from clipgrip.data.columns import Columns

Ints = NDArray[np.int64]
Forms = Callable[[str], Sequence[str]]
"""How a key may be written."""
PART = 8192
"""Texts that are sorted together; of those alone there is an object each."""


class Texts(Columns[str]):
    """Texts by their place. Only `append` and `extend` change them; names that are no UTF-8 stay what they are."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._content = bytearray()
        self._ends = array("q", (0,))
        for text in texts:
            self.append(text)

    def append(self, text: str) -> None:
        """One more at the end."""
        self._content += text.encode("utf-8", "surrogatepass")
        self._ends.append(len(self._content))

    def extend(self, others: Texts) -> None:
        """All of the others at the end."""
        begin = len(self._content)
        self._content += others._content
        self._ends.extend(begin + end for end in others._ends[1:])

    def take(self, places: Iterable[int]) -> Texts:
        """Some of them, in the order of the places."""
        made = Texts()
        for place in places:
            made._content += self._bytes(place)
            made._ends.append(len(made._content))
        return made

    def _bytes(self, place: int) -> bytearray:
        return self._content[self._ends[place] : self._ends[place + 1]]

    def has(self, place: int, part: bytes) -> bool:
        """Whether a text holds a part, of UTF-8."""
        return self._content.find(part, self._ends[place], self._ends[place + 1]) >= 0

    def __len__(self) -> int:
        return len(self._ends) - 1

    def _one(self, place: int) -> str:
        return self._bytes(place).decode("utf-8", "surrogatepass")

    def order(self) -> Ints:
        """(N,) places in the order of the texts, equal ones as they stand."""
        # bytes of UTF-8 are in the order of their code points
        cuts = sorted(bytes(self._bytes(place)) for place in range(0, len(self), PART // 8))[8::8]
        parts = (bisect_right(cuts, self._bytes(place)) for place in range(len(self)))
        part = np.fromiter(parts, np.int32, len(self))
        ordered = np.argsort(part, kind="stable")
        ends = np.searchsorted(part, np.arange(len(cuts) + 1), "right", ordered).tolist()
        for start, end in zip([0, *ends], ends, strict=False):
            ordered[start:end] = sorted(ordered[start:end].tolist(), key=self._bytes)
        return ordered


def as_it_is(key: str) -> tuple[str]:
    """The only form of a key that has to be met exactly."""
    return (key,)


class Keyed:
    """The numbers of keys by a form that they have: a hash of each is kept, and what it finds is compared."""

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
