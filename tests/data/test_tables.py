"""CSV as spreadsheets write it comes in; CSV that spreadsheets open goes out."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipgrip.data.tables import parse_csv, read_table, write_csv
from clipgrip.data.text import read_text
from clipgrip.errors import DataError

TROUBLESOME = "①㈱髙㎜～.jpg"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932", "utf-16"])
def test_a_japanese_table_is_read_in_each_encoding_that_excel_writes(
    tmp_path: Path, encoding: str
) -> None:
    (tmp_path / "l.csv").write_bytes(f"path,label\r\n{TROUBLESOME},キズ\r\n".encode(encoding))
    table = read_table(tmp_path / "l.csv")
    assert table.columns == ("path", "label")
    assert table.rows == ((TROUBLESOME, "キズ"),)


def test_text_in_another_encoding_is_refused_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_bytes(b"path,label\ncaf\xe9,a\n")
    with pytest.raises(DataError, match=r"l\.csv: .*neither UTF-8 nor .*cp932.*CSV UTF-8"):
        read_table(tmp_path / "l.csv")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_found(delimiter: str) -> None:
    table = parse_csv(delimiter.join(["path", "label"]) + "\na" + delimiter + "b\n", "t.csv")
    assert table.rows == (("a", "b"),)


def test_a_delimiter_inside_quotes_does_not_count() -> None:
    table = parse_csv('"a,b,c";label\n"x,y";z\n', "t.csv")
    assert table.rows == (("x,y", "z"),)


def test_line_numbers_survive_empty_lines_and_line_breaks_in_cells() -> None:
    table = parse_csv('path,label\n\n"a\nb",x\n,\nc,y\n', "t.csv")
    assert [table.where(row) for row in range(2)] == ["t.csv line 3", "t.csv line 6"]


def test_short_rows_are_filled_and_long_rows_are_refused() -> None:
    assert parse_csv("path,label\na\n", "t.csv").rows == (("a", ""),)
    assert parse_csv("path,label\na,b,,\n", "t.csv").rows == (("a", "b"),)
    with pytest.raises(DataError, match=r"t\.csv line 3: 3 cells.*2 columns.*quotes"):
        parse_csv("path,label\na,b\nc,d,e\n", "t.csv")


def test_an_open_quote_is_refused_with_its_line() -> None:
    with pytest.raises(DataError, match=r"t\.csv line 2: not valid CSV"):
        parse_csv('path,label\n"a,b\nc,d\n', "t.csv")


def test_a_missing_column_names_what_is_there() -> None:
    table = parse_csv("Name;Kind\na;b\n", "t.csv")
    with pytest.raises(DataError, match=r'no column "path" \(also allowed: file\).*Name, Kind'):
        table.need(("path", "file"))
    assert table.find(("kind",)) == 1


def test_an_empty_file_is_an_empty_table() -> None:
    assert parse_csv("\n\n", "t.csv").rows == ()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv: cannot be read"):
        read_text(tmp_path / "none.csv")


def test_a_written_table_has_a_byte_order_mark_and_crlf(tmp_path: Path) -> None:
    write_csv(tmp_path / "o.csv", ("path", "n"), [("キズ", 3), (None, -0.5)])
    assert (tmp_path / "o.csv").read_bytes() == "\ufeffpath,n\r\nキズ,3\r\n,-0.5\r\n".encode()


@pytest.mark.parametrize("cell", ["=1+1", "+SUM(A1)", "-x", "@cmd", "\tx", "\rx", "'=1", "-1-1"])
def test_a_formula_is_neutralised_and_read_back_as_it_was(tmp_path: Path, cell: str) -> None:
    write_csv(tmp_path / "o.csv", ("a",), [(cell,)])
    raw = (tmp_path / "o.csv").read_bytes().decode("utf-8-sig").split("\r\n", 1)[1]
    assert raw.lstrip('"').startswith("'")
    assert read_table(tmp_path / "o.csv").rows == ((cell,),)


@pytest.mark.parametrize("cell", ["-1", "+2.5", "-1e-3", "-.5", -1, 2.5])
def test_numbers_stay_numbers(tmp_path: Path, cell: str | float) -> None:
    write_csv(tmp_path / "o.csv", ("a",), [(cell,)])
    assert (tmp_path / "o.csv").read_text("utf-8-sig").splitlines()[1] == str(cell)


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1)


@given(st.lists(st.tuples(CELLS, CELLS), max_size=5))
def test_what_is_written_is_read_back(rows: list[tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_csv(Path(folder, "o.csv"), ("a", "b"), rows)
        table = read_table(Path(folder, "o.csv"))
    visible = tuple(row for row in rows if any(cell.strip() for cell in row))
    assert table.rows == visible


@given(st.binary(max_size=60))
def test_any_bytes_are_a_table_or_a_data_error(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "t.csv").write_bytes(b'a,"b"\n' + data)
        try:
            table = read_table(Path(folder, "t.csv"))
        except DataError:
            return
    assert all(len(row) == len(table.columns) for row in table.rows)


def test_a_huge_cell_is_read_and_thousands_of_columns_are_refused() -> None:
    assert parse_csv(f"path,thumb\na.png,{'A' * 300_000}\n", "t.csv").rows[0][0] == "a.png"
    wide = "x" + ",x" * 60_000 + "\n" + "a\n" * 30_000
    with pytest.raises(DataError, match=r"t\.csv line 1: 60001 columns; at most 1000"):
        parse_csv(wide, "t.csv")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", ["", "end"])
def test_the_first_line_says_the_delimiter_whatever_ends_lines(end: str, last: str) -> None:
    lines = ["", "path;label", "a,b,c,d,e.png;x", "", "d.png;y"]
    table = parse_csv(end.join(lines) + (end if last else ""), "t.csv")
    assert table.columns == ("path", "label")
    assert [tuple(row) for row in table.rows] == [("a,b,c,d,e.png", "x"), ("d.png", "y")]
    assert list(table.numbers) == [3, 5]


def test_a_separator_line_is_no_row_and_keeps_the_line_numbers() -> None:
    table = parse_csv('sep=;\npath;label\n"a;b";x\n', "t.csv")
    assert (table.columns, table.where(0)) == (("path", "label"), "t.csv line 3")
    assert parse_csv("path|label\na|b\n", "t.csv").rows == (("a", "b"),)
