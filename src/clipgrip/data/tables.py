"""Tables in and out: CSV as people's spreadsheets write it, and Parquet."""

from __future__ import annotations

import csv
import io
import os
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import ne
from typing import overload

from clipgrip.data.columns import Columns
from clipgrip.data.text import MAX_BYTES, read_text
from clipgrip.data.texts import Texts
from clipgrip.errors import DataError
from clipgrip.files import AnyPath, write_bytes_atomic
from clipgrip.sentences import Sentence, mark

PARQUET_SUFFIXES = (".parquet", ".pq")
TEXT_SUFFIXES = (".csv", ".tsv")
TABLE_SUFFIXES = (*TEXT_SUFFIXES, *PARQUET_SUFFIXES)

Cell = str | int | float | None

SHOWN, WIDEST = 20, 60
"""Columns, and characters of a name, that an error shows."""
MAX_COLUMNS = 1000
"""The most columns of a table."""
DELIMITERS = ",;\t|"
TWICE = mark('{name}: the column "{column}" stands twice, with other cells. Keep one of them.')
COMMENT = mark(
    "{name} line {number}: a comment stands above the heading. Take it out, so that the first line names the columns."
)

_SEPARATOR_LINE = re.compile(r'\s*"?sep=(.)"?[ \t]*\r?(?:\n|$)', re.IGNORECASE)
_FORMULA = re.compile(r"'*[=+\-@＝＋－＠﹦﹢﹣﹫\t\r\n]")
"""Begins what a spreadsheet may run: also in the full width of Japanese keyboards, and behind a line feed."""
_FIRST = frozenset("'=+-@＝＋－＠﹦﹢﹣﹫\t\r\n")
"""What such a cell begins with."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


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

    @overload
    def __getitem__(self, place: int) -> tuple[str, ...]: ...
    @overload
    def __getitem__(self, place: slice) -> list[tuple[str, ...]]: ...
    def __getitem__(self, place: int | slice) -> tuple[str, ...] | list[tuple[str, ...]]:
        found = range(len(self))[place]
        if isinstance(found, range):
            return [self[row] for row in found]
        return tuple(self._texts[found * self._width : (found + 1) * self._width])


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


def read_table(path: AnyPath, encoding: str | None = None) -> Table:
    """Read a CSV, TSV or Parquet file as text cells.

    CSV: comma, semicolon, tab or bar, Excel's ``sep=`` line before them; its text as `text.decoded` reads it.

    Raises:
        DataError: the file cannot be read, decoded or split into columns.
        MissingPackage: a Parquet file, and pyarrow is not installed.
    """
    if os.fspath(path).lower().endswith(PARQUET_SUFFIXES):
        from clipgrip.data.parquet import read_parquet_table

        return read_parquet_table(path)
    name = os.path.basename(os.fspath(path))
    return parse_csv(read_text(path, encoding), name)


def parse_csv(text: str, name: str) -> Table:
    """Split CSV text; the first line that is not empty names the columns, after Excel's ``sep=`` line if there is one.

    Raises:
        DataError: a quote is left open, a row has more cells than there are columns, or there are too many columns.
    """
    csv.field_size_limit(max(csv.field_size_limit(), MAX_BYTES))
    text, delimiter, start = dialect(text)
    columns: tuple[str, ...] = ()
    rows, numbers = Cells(0), array("q")
    for number, cells in _split(text, name, delimiter, start):
        _check_width(cells, f"{name} line {number}", is_first=not columns)
        if not columns:
            columns = tuple(cell.strip() for cell in cells)
            if len(columns) == 1 and columns[0].startswith("#"):
                raise DataError(COMMENT, name=name, number=number)
            rows = Cells(len(columns))
            continue
        rows.append(_fitted(cells, len(columns), f"{name} line {number}"))
        numbers.append(number)
    return Table(name, columns, rows, numbers)


def _split(
    text: str, name: str, delimiter: str, start: int
) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Each row that is not empty, with the number of its first line; the text's is ``start``."""
    lines = (found[0] for found in _LINE.finditer(text))
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    before = start - 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield start, tuple(_unguarded(cell) for cell in cells)
            start = before + reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            "{name} line {start}: not valid CSV ({error}).", name=name, start=start, error=error
        ) from error


def dialect(text: str) -> tuple[str, str, int]:
    """The text without Excel's ``sep=`` line, its delimiter, and the number of its first line."""
    if found := _SEPARATOR_LINE.match(text):
        return text[found.end() :], found[1], found[0].count("\n") + 1
    first = next((line for line in io.StringIO(text) if line.strip()), "")
    bare = re.sub(r'"[^"]*"', "", first)
    return text, max(DELIMITERS, key=bare.count), 1


def _check_width(cells: tuple[str, ...], where: str, *, is_first: bool) -> None:
    if len(cells) > MAX_COLUMNS and (is_first or any(cells[MAX_COLUMNS:])):
        raise DataError(
            "{where}: {count} columns; at most {max_columns} are read. Keep the columns that are "
            "needed, such as path and label.",
            where=where,
            count=len(cells),
            max_columns=MAX_COLUMNS,
        )


def _fitted(cells: tuple[str, ...], width: int, where: str) -> tuple[str, ...]:
    if any(cell.strip() for cell in cells[width:]):
        raise DataError(
            "{where}: {n_cells} cells, but the first line names {width} columns. Put quotes around a "
            "cell that holds the delimiter.",
            where=where,
            n_cells=len(cells),
            width=width,
        )
    return cells if len(cells) == width else (cells + ("",) * width)[:width]


def write_csv(path: AnyPath, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Write a CSV that Excel opens in any language: UTF-8 with byte order mark, CRLF.

    A text cell that a spreadsheet would run as a formula gets an apostrophe in front, which
    `read_table` takes away again; numbers stay numbers. The file appears whole or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    write_bytes_atomic(path, csv_bytes(header, rows))


def csv_bytes(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """What `write_csv` writes."""
    out = io.BytesIO()
    text = io.TextIOWrapper(out, "utf-8-sig", "backslashreplace", newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([_guarded(cell) for cell in header])
    writer.writerows([_guarded(cell) for cell in row] for row in rows)
    text.flush()
    return out.getvalue()


def _guarded(cell: Cell) -> Cell:
    if not isinstance(cell, str) or cell[:1] not in _FIRST or not cell.strip():
        return cell
    if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell):
        return "'" + cell
    return cell


def _unguarded(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
