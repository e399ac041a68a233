"""A table of text cells that knows where each row came from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import ne

from clipgrip.data.lazy import LazySequence
from clipgrip.data.texts import Texts
from clipgrip.errors import DataError
from clipgrip.sentences import Sentence, mark

SHOWN, WIDEST = 20, 60
"""How many columns an error lists, and how many characters of each name."""
MAX_COLUMNS = 1000
LINE = mark("line")
"""The unit in which the places of rows are told; rows of Parquet files have another one."""
TWICE = mark('{name}: the column "{column}" stands twice, with other cells. Keep one of them.')


class Cells(LazySequence[tuple[str, ...]]):
    """The rows of a table as tuples of ``width`` cells; all cells lie in one buffer."""

    def __init__(self, width: int) -> None:
        self._width, self._texts = width, Texts()

    def append(self, row: Iterable[str]) -> None:
        """Add a row of ``width`` cells."""
        for cell in row:
            self._texts.append(cell)

    def cell(self, row: int, column: int) -> str:
        return self._texts[row * self._width + column]

    def column(self, column: int) -> Iterator[str]:
        return (self.cell(row, column) for row in range(len(self)))

    def __len__(self) -> int:
        return len(self._texts) // self._width if self._width else 0

    def _item_at(self, position: int) -> tuple[str, ...]:
        return tuple(self._texts[position * self._width : (position + 1) * self._width])


def place_of(name: str, number: int, unit: str = LINE) -> Sentence:
    """``labels.csv line 4``: where a row stands, for messages."""
    return Sentence("{name} {unit} {number}", name=name, unit=Sentence(unit), number=number)


@dataclass(frozen=True)
class Table:
    """Named columns of text; ``numbers`` holds the line or row of the file that each row came from."""

    name: str
    columns: tuple[str, ...]
    rows: Cells
    numbers: Sequence[int]
    unit: str = LINE
    unread: tuple[tuple[str, str], ...] = ()
    """Names and types of columns that cannot be read as text."""

    def where(self, row: int) -> str:
        """Where a row stands, as `place_of` says it."""
        return place_of(self.name, self.numbers[row], self.unit)

    def find(self, names: Sequence[str]) -> int | None:
        """Position of the column with the first of ``names`` that there is, in upper or lower case; None without one.

        Raises:
            DataError: its type cannot be read as text, or two columns have the name and differ.
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
        """As `find`, for a column that is required.

        Raises:
            DataError: as `find`, or no column has one of these names.
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
