"""The class that a cell of a table names: by its text, or as the number that a spreadsheet made of it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

_WHOLE = re.compile(r"0*(\d+)(?:[.,]0+)?", re.ASCII)


class NameIndex:
    """Positions of names, which are in the form in which names are compared (`classes.canonical`)."""

    def __init__(self, names: Iterable[str]) -> None:
        self.positions: dict[str, int] = {}
        self._numbers: dict[str, list[int]] = defaultdict(list)
        for position, name in enumerate(names):
            self.positions[name] = position
            if found := _WHOLE.fullmatch(name):
                self._numbers[found[1]].append(position)

    def meant(self, label: str) -> int | None:
        """Position of this name, else of the only one that is the same whole number.

        Spreadsheets make 7 of ``007``, and they and pandas ``7.0`` of 7 where a cell of the column is empty.
        """
        if (position := self.positions.get(label)) is not None:
            return position
        found = _WHOLE.fullmatch(label)
        alike = self._numbers.get(found[1], []) if found else []
        return alike[0] if len(alike) == 1 else None
