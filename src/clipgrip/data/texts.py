"""Many texts in one piece of memory: each is made when it is asked for, so a million are no million objects."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

PART = 8192
"""Texts that are sorted together; of those alone there is an object each."""


class Texts(Sequence[str]):
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

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return [self[number] for number in range(*place.indices(len(self)))]
        return self._bytes(range(len(self))[place]).decode("utf-8", "surrogatepass")

    def __iter__(self) -> Iterator[str]:
        return (self[number] for number in range(len(self)))

    def order(self) -> NDArray[np.int64]:
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
