"""A bounded cache for row groups of Parquet files."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

Key = tuple[object, ...]

MAX_BYTES = 1 << 30
"""Size of the cache. Rows are read in the order of their hashes, which jumps between row groups."""


class GroupCache:
    """The values used last, by key; threads that ask for one at the same time load it once."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._values: OrderedDict[Key, Any] = OrderedDict()

    def get(self, key: Key, load: Callable[[], Any]) -> Any:
        """The value for ``key``, by ``load`` where it is not cached; values have ``nbytes``."""
        with self._lock:
            if key not in self._values:
                self._values[key] = load()
                self._trim()
            self._values.move_to_end(key)
            return self._values[key]

    def _trim(self) -> None:
        total = sum(int(value.nbytes) for value in self._values.values())
        while total > self._max_bytes and len(self._values) > 1:
            _, oldest = self._values.popitem(last=False)
            total -= int(oldest.nbytes)
