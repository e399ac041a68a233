"""A mapping that never changes, and that becomes another one without being copied whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

V = TypeVar("V")
THIN = 512
"""Entries of the upper layer that are copied for each change; with more, both layers become one."""


class Layers(Mapping[str, V], Generic[V]):
    """A large mapping and what was changed in it since. With 100,000 entries a copy takes longer than an answer may."""

    def __init__(self, below: dict[str, V] | None = None, above: dict[str, V | None] | None = None):
        self._below, self._above = below or {}, above or {}

    def changed(self, values: Mapping[str, V | None]) -> Layers[V]:
        """With other values of some keys; None takes a key away."""
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
