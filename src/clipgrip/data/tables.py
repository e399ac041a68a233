"""Reads tables from CSV, as spreadsheets write it, and from Parquet; writes CSV."""

from __future__ import annotations

import csv
import io
import os
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence

from clipgrip.data.parquet import read_parquet_table
from clipgrip.data.table import MAX_COLUMNS, Cells, Table, place_of
from clipgrip.data.text import MAX_BYTES, read_text
from clipgrip.errors import DataError
from clipgrip.files import AnyPath, write_bytes_atomic
from clipgrip.sentences import mark

PARQUET_SUFFIXES = (".parquet", ".pq")
TEXT_SUFFIXES = (".csv", ".tsv")
TABLE_SUFFIXES = (*TEXT_SUFFIXES, *PARQUET_SUFFIXES)

Cell = str | int | float | None

DELIMITERS = ",;\t|"
COMMENT = mark(
    "{name} line {number}: a comment stands above the heading. Take it out, so that the first line names the columns."
)

_SEPARATOR_LINE = re.compile(r'\s*"?sep=(.)"?[ \t]*\r?(?:\n|$)', re.IGNORECASE)
_FORMULA = re.compile(r"'*[=+\-@＝＋－＠﹦﹢﹣﹫\t\r\n]")
"""The start of a cell that a spreadsheet may run as a formula; full-width signs of Japanese keyboards count too."""
_FIRST = frozenset("'=+-@＝＋－＠﹦﹢﹣﹫\t\r\n")
"""The first characters of such cells, for a quick check."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_LINE = re.compile(r"[^\r\n]+(?:\r\n|\r|\n)?|\r\n|\r|\n")


def read_table(path: AnyPath, encoding: str | None = None) -> Table:
    """Read a CSV, TSV or Parquet file as text cells.

    CSV: comma, semicolon, tab or bar, Excel's ``sep=`` line before them; its text as `text.decoded` reads it.

    Raises:
        DataError: the file cannot be read, decoded or split into columns.
        MissingPackage: a Parquet file, and pyarrow is not installed.
    """
    if os.fspath(path).lower().endswith(PARQUET_SUFFIXES):
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
        _check_width(cells, name, number, is_first=not columns)
        if not columns:
            columns = tuple(cell.strip() for cell in cells)
            if len(columns) == 1 and columns[0].startswith("#"):
                raise DataError(COMMENT, name=name, number=number)
            rows = Cells(len(columns))
            continue
        rows.append(_fit_width(cells, len(columns), name, number))
        numbers.append(number)
    return Table(name, columns, rows, numbers)


def _split(
    text: str, name: str, delimiter: str, start: int
) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Each row that is not empty, with the number of its first line; the text begins at line ``start``."""
    lines = (found[0] for found in _LINE.finditer(text))
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    before = start - 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield start, tuple(_unescape_formula(cell) for cell in cells)
            start = before + reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            "{name} line {start}: not valid CSV ({error}).", name=name, start=start, error=error
        ) from error


def dialect(text: str) -> tuple[str, str, int]:
    """The text without Excel's ``sep=`` line, the delimiter, and the number of its first line."""
    if found := _SEPARATOR_LINE.match(text):
        return text[found.end() :], found[1], found[0].count("\n") + 1
    first = next((line[0] for line in _LINE.finditer(text) if line[0].strip()), "")
    bare = re.sub(r'"[^"]*"', "", first)
    return text, max(DELIMITERS, key=bare.count), 1


def _check_width(cells: tuple[str, ...], name: str, number: int, *, is_first: bool) -> None:
    if len(cells) > MAX_COLUMNS and (is_first or any(cells[MAX_COLUMNS:])):
        raise DataError(
            "{where}: {count} columns; at most {max_columns} are read. Keep the columns that are "
            "needed, such as path and label.",
            where=place_of(name, number),
            count=len(cells),
            max_columns=MAX_COLUMNS,
        )


def _fit_width(cells: tuple[str, ...], width: int, name: str, number: int) -> tuple[str, ...]:
    if any(cell.strip() for cell in cells[width:]):
        raise DataError(
            "{where}: {n_cells} cells, but the first line names {width} columns. Put quotes around a "
            "cell that holds the delimiter.",
            where=place_of(name, number),
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
    writer.writerow([_escape_formula(cell) for cell in header])
    writer.writerows([_escape_formula(cell) for cell in row] for row in rows)
    text.flush()
    return out.getvalue()


def _escape_formula(cell: Cell) -> Cell:
    if not isinstance(cell, str) or cell[:1] not in _FIRST or not cell.strip():
        return cell
    if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell):
        return "'" + cell
    return cell


def _unescape_formula(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
