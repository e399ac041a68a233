"""Millions of texts in one buffer, and an index of them, without an object for each text."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from clipgrip.data.lazy import LazySequence

Ints = NDArray[np.int64]
Forms = Callable[[str], Sequence[str]]
"""The forms under which a key can be looked up."""
PART = 8192
"""About how many texts are sorted together; only these are objects at the same time."""


class Texts(LazySequence[str]):
    """A list of texts in one buffer. Only `append` and `extend` change it; file names that are no UTF-8 survive."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._content = bytearray()
        self._ends = array("q", (0,))
        for text in texts:
            self.append(text)

    def append(self, text: str) -> None:
        self._content += text.encode("utf-8", "surrogatepass")
        self._ends.append(len(self._content))

    def extend(self, others: Texts) -> None:
        begin = len(self._content)
        self._content += others._content
        self._ends.extend(begin + end for end in others._ends[1:])

    def take(self, positions: Iterable[int]) -> Texts:
        """The texts at ``positions``, in that order."""
        result = Texts()
        for position in positions:
            result._content += self._bytes(position)
            result._ends.append(len(result._content))
        return result

    def _bytes(self, position: int) -> bytearray:
        return self._content[self._ends[position] : self._ends[position + 1]]

    def has(self, position: int, part: bytes) -> bool:
        """Whether the text at ``position`` contains ``part`` (UTF-8), without decoding it."""
        return self._content.find(part, self._ends[position], self._ends[position + 1]) >= 0

    def __len__(self) -> int:
        return len(self._ends) - 1

    def _item_at(self, position: int) -> str:
        return self._bytes(position).decode("utf-8", "surrogatepass")

    def order(self) -> Ints:
        """(N,) the positions sorted by their texts; stable.

        A sample sort: every text goes into one of the parts between sampled cuts, then each part is sorted by itself,
        so that at most about `PART` texts are objects at once. UTF-8 bytes sort like their code points.
        """
        cuts = sorted(bytes(self._bytes(position)) for position in range(0, len(self), PART // 8))[
            8::8
        ]
        parts = (bisect_right(cuts, self._bytes(position)) for position in range(len(self)))
        part = np.fromiter(parts, np.int32, len(self))
        ordered = np.argsort(part, kind="stable")
        ends = np.searchsorted(part, np.arange(len(cuts) + 1), "right", ordered).tolist()
        for start, end in zip([0, *ends], ends, strict=False):
            ordered[start:end] = sorted(ordered[start:end].tolist(), key=self._bytes)
        return ordered


def exact_form(key: str) -> tuple[str]:
    """The forms of a key that has no other one."""
    return (key,)


class TextIndex:
    """Finds the positions of keys by one of their forms.

    Only a 64-bit hash of each form is stored; candidates are compared with the keys, so collisions do no harm.
    """

    def __init__(self, keys: Sequence[str], forms: Forms = exact_form) -> None:
        self._keys, self._forms = keys, forms
        hashes, numbers = array("q"), array("q")
        for number, key in enumerate(keys):
            for form in forms(key):
                hashes.append(hash(form))
                numbers.append(number)
        order = np.argsort(np.array(hashes, np.int64), kind="stable")
        self._hashes = np.array(hashes, np.int64)[order]
        self._numbers = np.array(numbers, np.int64)[order]

    def positions(self, form: str) -> list[int]:
        """The positions of all keys with this form, ascending; one that has it twice stands twice."""
        wanted = hash(form)
        first = int(self._hashes.searchsorted(wanted))
        if first == len(self._hashes) or self._hashes[first] != wanted:
            return []
        found = self._numbers[first : self._hashes.searchsorted(wanted, "right")].tolist()
        met = {number: self._forms(self._keys[number]).count(form) for number in found}
        return [number for number, count in met.items() for _ in range(count)]

    def last_position(self, form: str) -> int | None:
        """The position of the last key with this form; None without one."""
        return max(self.positions(form), default=None)

    def __contains__(self, form: object) -> bool:
        return isinstance(form, str) and bool(self.positions(form))


def first_positions(keys: Sequence[str]) -> Ints:
    """(N,) for each key, the position at which an equal key stands first."""
    hashes = np.fromiter(map(hash, keys), np.int64, len(keys))
    order = np.argsort(hashes, kind="stable")
    ordered = hashes[order]
    begins = np.concatenate([[True], ordered[1:] != ordered[:-1]])[: len(keys)]
    found = np.empty_like(order)
    found[order] = order[np.flatnonzero(begins)][np.cumsum(begins) - 1]
    others: dict[str, int] = {}
    for position in np.flatnonzero(found != np.arange(len(keys))).tolist():
        if (key := keys[position]) != keys[int(found[position])]:  # a collision
            found[position] = others.setdefault(key, position)
    return found


def unique_positions(keys: Sequence[str]) -> Ints:
    """(n,) the position of each distinct key, where it stands first."""
    return np.flatnonzero(first_positions(keys) == np.arange(len(keys)))
