"""Many texts in one piece of memory: each is made when it is asked for, so a million are no million objects."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray


class Texts(Sequence[str]):
    """Texts by their place. Only `append` changes them; names of files that are no UTF-8 stay what they are."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._content = bytearray()
        self._ends = array("q", (0,))
        for text in texts:
            self.append(text)

    def append(self, text: str) -> None:
        """One more at the end."""
        self._content += text.encode("utf-8", "surrogatepass")
        self._ends.append(len(self._content))

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return [self[number] for number in range(*place.indices(len(self)))]
        number = range(len(self))[place]
        part = self._content[self._ends[number] : self._ends[number + 1]]
        return part.decode("utf-8", "surrogatepass")

    def __iter__(self) -> Iterator[str]:
        return (self[number] for number in range(len(self)))

    def order(self) -> NDArray[np.int64]:
        """(N,) places in the order of the texts, equal ones as they stand."""
        content, ends = self._content, self._ends  # bytes of UTF-8 are in the order of code points
        places = range(len(self))
        ordered = sorted(places, key=lambda place: bytes(content[ends[place] : ends[place + 1]]))
        return np.fromiter(ordered, np.int64, len(self))
