"""A table in memory: text cells, and the place that each row came from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import ne

from clipgrip.data.columns import Columns
from clipgrip.data.texts import Texts
from clipgrip.errors import DataError
from clipgrip.sentences import Sentence, mark

SHOWN, WIDEST = 20, 60
"""Columns, and characters of a name, that an error shows."""
MAX_COLUMNS = 1000
"""The most columns of a table."""
TWICE = mark('{name}: the column "{column}" stands twice, with other cells. Keep one of them.')


class Cells(Columns[tuple[str, ...]]):
    """The rows of a table, all cells in one piece of memory: a row is made when it is asked for."""

    def __init__(self, width: int) -> None:
        self._width, self._texts = width, Texts()

    def append(self, row: Iterable[str]) -> None:
        """One row more, of as many cells as all."""
        for cell in row:
            self._texts.append(cell)

    def cell(self, row: int, column: int) -> str:
        """One cell, without the rest of its row."""
        return self._texts[row * self._width + column]

    def column(self, column: int) -> Iterator[str]:
        """One cell of each row."""
        return (self.cell(row, column) for row in range(len(self)))

    def __len__(self) -> int:
        return len(self._texts) // self._width if self._width else 0

    def _one(self, place: int) -> tuple[str, ...]:
        return tuple(self._texts[place * self._width : (place + 1) * self._width])


@dataclass(frozen=True)
class Table:
    """Text cells with the place each row came from."""

    name: str
    columns: tuple[str, ...]
    rows: Cells
    numbers: Sequence[int]
    unit: str = mark("line")
    unread: tuple[tuple[str, str], ...] = ()
    """Columns of types that are no text, with their types."""

    def where(self, row: int) -> str:
        """``labels.csv line 4``: the place of a row, for messages."""
        unit = Sentence(self.unit)
        return Sentence(
            "{name} {unit} {number}", name=self.name, unit=unit, number=self.numbers[row]
        )

    def find(self, names: Sequence[str]) -> int | None:
        """Position of the first column called by one of ``names``, in any case.

        Raises:
            DataError: there is one, but of a type that is no text; or two of its name that differ.
        """
        folded = [column.strip().casefold() for column in self.columns]
        found = next((folded.index(name) for name in names if name in folded), None)
        if found is not None:
            self._check_once(folded, found)
        for column, kind in self.unread:
            if found is None and column.strip().casefold() in names:
                raise DataError(
                    '{name}: the column "{column}" is of the type {kind}, which is not read as text. Write '
                    "it as text or whole numbers.",
                    name=self.name,
                    column=column,
                    kind=kind,
                )
        return found

    def _check_once(self, folded: Sequence[str], found: int) -> None:
        for other in range(found + 1, len(folded)):
            if folded[other] != folded[found]:
                continue
            if any(map(ne, self.rows.column(found), self.rows.column(other))):
                raise DataError(TWICE, name=self.name, column=self.columns[found])

    def need(self, names: Sequence[str]) -> int:
        """As `find`, for a column that has to be there.

        Raises:
            DataError: no column has one of these names, or one of another type.
        """
        position = self.find(names)
        if position is None:
            found = ", ".join(_short(column) for column in self.columns[:SHOWN]) or "none"
            raise DataError(
                '{name}: no column "{names}" (also allowed: {others}). Found: {found}. Name the columns '
                "in the first line.",
                name=self.name,
                names=names[0],
                others=", ".join(names[1:]),
                found=found,
            )
        return position


def _short(column: str) -> str:
    return column if len(column) <= WIDEST else f"{column[: WIDEST - 1]}…"
