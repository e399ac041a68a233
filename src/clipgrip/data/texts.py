"""Many texts in one piece of memory: each is made when it is asked for, so a million are no million objects."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray


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
        ordered = sorted(range(len(self)), key=self._bytes)  # of UTF-8: as code points are ordered
        return np.fromiter(ordered, np.int64, len(self))
