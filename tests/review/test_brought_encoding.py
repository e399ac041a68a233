"""``clipgrip review --import`` reads a table in the encoding that is given."""

from __future__ import annotations

from pathlib import Path

import pytest
from projects import command

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
