"""An immutable mapping of which a changed version is made without copying all of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

V = TypeVar("V")
THIN = 512
"""Most entries of the upper layer, which is copied at each change; with more, both layers are merged."""


class Layers(Mapping[str, V], Generic[V]):
    """A large mapping and its changes since. A copy of 100,000 entries at each answer would make people wait."""

    def __init__(self, below: dict[str, V] | None = None, above: dict[str, V | None] | None = None):
        self._below, self._above = below or {}, above or {}

    def changed(self, values: Mapping[str, V | None]) -> Layers[V]:
        """A new mapping with these values; None removes a key."""
        above = {**self._above, **values}
        if len(above) <= THIN:
            return Layers(self._below, above)
        merged: dict[str, V] = {**self._below}
        for key, value in above.items():
            if value is None:
                merged.pop(key, None)
            else:
                merged[key] = value
        return Layers(merged)

    def __getitem__(self, key: str) -> V:
        if key not in self._above:
            return self._below[key]
        value = self._above[key]
        if value is None:
            raise KeyError(key)
        return value

    def __iter__(self) -> Iterator[str]:
        yield from (key for key in self._below if key not in self._above)
        yield from (key for key, value in self._above.items() if value is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)
