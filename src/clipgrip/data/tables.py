"""Tables in and out: CSV as people's spreadsheets write it, and Parquet."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from clipgrip.errors import DataError
from clipgrip.files import AnyPath, openable, write_bytes_atomic

PARQUET_SUFFIXES = (".parquet", ".pq")
TABLE_SUFFIXES = (".csv", ".tsv", *PARQUET_SUFFIXES)

Cell = str | int | float | None

_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_FORMULA = re.compile(r"'*[=+\-@＝＋－＠﹦﹢﹣﹫\t\r\n]")
"""Begins what a spreadsheet may run: also in the full width of Japanese keyboards, and behind a line feed."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True)
class Table:
    """Text cells with the place each row came from."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...]
    unit: str = "line"

    def where(self, row: int) -> str:
        """``labels.csv line 4``: the place of a row, for messages."""
        return f"{self.name} {self.unit} {self.numbers[row]}"

    def find(self, names: Sequence[str]) -> int | None:
        """Position of the first column called by one of ``names``, in any case."""
        folded = [column.strip().casefold() for column in self.columns]
        return next((folded.index(name) for name in names if name in folded), None)

    def need(self, names: Sequence[str]) -> int:
        """As `find`, for a column that has to be there.

        Raises:
            DataError: no column has one of these names.
        """
        position = self.find(names)
        if position is None:
            found = ", ".join(self.columns) or "none"
            raise DataError(
                f'{self.name}: no column "{names[0]}" (also allowed: {", ".join(names[1:])}). '
                f"Found: {found}. Name the columns in the first line."
            )
        return position


def read_table(path: AnyPath) -> Table:
    """Read a CSV, TSV or Parquet file as text cells.

    CSV: comma, semicolon or tab; byte order mark, else UTF-8, else Windows Japanese (cp932).

    Raises:
        DataError: the file cannot be read, decoded or split into columns.
        MissingPackage: a Parquet file, and pyarrow is not installed.
    """
    if os.fspath(path).lower().endswith(PARQUET_SUFFIXES):
        from clipgrip.data.parquet import read_parquet_table

        return read_parquet_table(path)
    name = os.path.basename(os.fspath(path))
    return parse_csv(read_text(path), name)


def read_text(path: AnyPath) -> str:
    """The text of a file: by its byte order mark, else as UTF-8, else as cp932.

    Raises:
        DataError: the file is missing, unreadable, or in another encoding.
    """
    try:
        with open(openable(path), "rb") as file:
            return decoded(file.read(), os.path.basename(os.fspath(path)))
    except OSError as error:
        raise DataError(
            f"{os.fspath(path)}: cannot be read ({error.strerror}). Check the name."
        ) from error


def decoded(data: bytes, name: str) -> str:
    """Text by its byte order mark, else as UTF-8, else as cp932.

    Raises:
        DataError: another encoding.
    """
    for encoding in [code for bom, code in _BOMS if data.startswith(bom)] or ["utf-8", "cp932"]:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise DataError(
        f"{name}: the text is neither UTF-8 nor Windows Japanese (cp932). "
        'In Excel, save it as "CSV UTF-8".'
    )


def parse_csv(text: str, name: str) -> Table:
    """Split CSV text; the first line that is not empty names the columns.

    Raises:
        DataError: a quote is left open, or a row has more cells than there are columns.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    rows: list[tuple[str, ...]] = []
    numbers: list[int] = []
    start = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append(tuple(_unguarded(cell) for cell in cells))
                numbers.append(start)
            start = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{name} line {start}: not valid CSV ({error}).") from error
    if not rows:
        return Table(name, (), (), ())
    columns = tuple(cell.strip() for cell in rows[0])
    body = tuple(
        _fitted(row, len(columns), f"{name} line {number}")
        for row, number in zip(rows[1:], numbers[1:], strict=True)
    )
    return Table(name, columns, body, tuple(numbers[1:]))


def _delimiter(text: str) -> str:
    first = next((line for line in text.splitlines() if line.strip()), "")
    bare = re.sub(r'"[^"]*"', "", first)
    return max(",;\t", key=bare.count)


def _fitted(cells: tuple[str, ...], width: int, where: str) -> tuple[str, ...]:
    if any(cell.strip() for cell in cells[width:]):
        raise DataError(
            f"{where}: {len(cells)} cells, but the first line names {width} columns. "
            "Put quotes around a cell that holds the delimiter."
        )
    return (cells + ("",) * width)[:width]


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
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([_guarded(cell) for cell in header])
    writer.writerows([_guarded(cell) for cell in row] for row in rows)
    return out.getvalue().encode("utf-8-sig", "backslashreplace")


def _guarded(cell: Cell) -> Cell:
    if not isinstance(cell, str) or not cell.strip():
        return cell
    if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell):
        return "'" + cell
    return cell


def _unguarded(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
