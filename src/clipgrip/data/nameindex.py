"""Finds a class by the text of a table cell, also where a spreadsheet has rewritten a number."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

_WHOLE = re.compile(r"0*(\d+)(?:[.,]0+)?", re.ASCII)


class NameIndex:
    """Positions of names; names and labels are in the form of `classes.canonical`."""

    def __init__(self, names: Iterable[str]) -> None:
        self.positions: dict[str, int] = {}
        self._numbers: dict[str, list[int]] = defaultdict(list)
        for position, name in enumerate(names):
            self.positions[name] = position
            if found := _WHOLE.fullmatch(name):
                self._numbers[found[1]].append(position)

    def find(self, label: str) -> int | None:
        """Position of this name, else of the only name that is the same whole number; None without one.

        Spreadsheets turn ``007`` into 7; like pandas they turn 7 into ``7.0`` if the column has an empty cell.
        """
        if (position := self.positions.get(label)) is not None:
            return position
        found = _WHOLE.fullmatch(label)
        alike = self._numbers.get(found[1], []) if found else []
        return alike[0] if len(alike) == 1 else None
