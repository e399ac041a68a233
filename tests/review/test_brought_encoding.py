"""``clipgrip review --import`` reads a table in the encoding that is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from projects import command

from clipgrip.errors import DataError
from clipgrip.review import classes as edits
from clipgrip.review.session import ReviewSession
from clipgrip.review.store import open_review


def test_a_table_in_another_encoding_is_brought_in(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_review(folder, create=True) as store:
        session = ReviewSession(folder, store)
        path = session.snapshot.view.rows[0].path
        edits.add(session, "rayé", "scratched", "Ito")
    table = tmp_path / "l.csv"
    table.write_bytes(f"path,label\n{path},rayé\n".encode("cp1252"))
    assert command(capsys, "review", folder, "--import", table).code == 2
    told = command(capsys, "review", folder, "--import", table, "--encoding", "cp1252")
    assert (told.code, "1 from" in told.out) == (0, True)


def test_each_reason_names_the_table_once(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "l.csv"
    for text in (
        '[{"path": "a"}]',
        "path,label\n",
        "label\nx\n",
        '"path\nlabel',
        "path,label,path\n",
    ):
        table.write_text(text, encoding="utf-8")
        told = command(capsys, "review", folder, "--import", table)
        assert all(line.count(str(table)) == 1 for line in (told.out + told.err).splitlines()), text


def test_what_is_wrong_with_the_run_is_not_said_of_the_table(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    def gone(*_: object) -> None:
        raise DataError("No images.")

    monkeypatch.setattr("clipgrip.review.session.ReviewSession.__init__", gone)
    (tmp_path / "l.csv").write_text("path,label\n", encoding="utf-8")
    told = command(capsys, "review", folder, "--import", tmp_path / "l.csv")
    assert (told.code, "l.csv" in told.err) == (2, False)
