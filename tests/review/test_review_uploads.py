"""Files that come in pieces."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from review_helpers import Browser

from clipgrip.errors import DataError, RunError
from clipgrip.review.session import ReviewSession
from clipgrip.review.web import uploads
from clipgrip.review.web.uploads import Uploads


def counted(whole: bytes) -> dict[str, Any]:
    return {"answers": len(whole)}


def test_pieces_become_one_file(tmp_path: Path) -> None:
    coming = Uploads(tmp_path)
    assert coming.add("a" * 8, 0, 10, b"0123", counted) == {"received": 4}
    assert coming.add("b" * 8, 0, 3, b"xyz", counted) == {"answers": 3}  # others come meanwhile
    assert coming.add("a" * 8, 4, 10, b"4567", counted) == {"received": 8}
    assert coming.add("a" * 8, 4, 10, b"4567", counted) == {"received": 8}  # its answer was lost
    assert coming.add("a" * 8, 8, 10, b"89", lambda w: {"whole": w}) == {"whole": b"0123456789"}
    assert coming.add("a" * 8, 8, 10, b"89", counted) == {"whole": b"0123456789"}
    assert coming.add("c" * 8, 0, 0, b"", counted) == {"answers": 0}
    coming.close()
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_become_a_file_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    coming = Uploads(tmp_path)
    with pytest.raises(DataError, match="beginning"):
        coming.add("a" * 8, 4, 10, b"4567", counted)
    coming.add("a" * 8, 0, 10, b"01", counted)
    with pytest.raises(DataError, match="did not arrive"):
        coming.add("a" * 8, 4, 10, b"4567", counted)
    with pytest.raises(DataError, match="more than 2 GB"):
        coming.add("b" * 8, 0, uploads.MOST_BYTES + 1, b"x", counted)
    with pytest.raises(RunError, match="could not be kept"):
        Uploads(tmp_path / "missing").add("b" * 8, 0, 2, b"x", counted)
    for name in "bcdef":  # the one that was silent longest gives way
        coming.add(name * 8, 0, 10, b"x", counted)
    with pytest.raises(DataError, match="beginning"):
        coming.add("a" * 8, 2, 10, b"4567", counted)
    coming.close()


def test_a_zip_comes_in_pieces_and_is_read_once(session: ReviewSession) -> None:
    browser = Browser(session)
    row = session.snapshot.view.rows[0]
    name = session.snapshot.classes.names[1]
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(f"{name}/{row.paths[0]}", row.source.read())
    data, size = made.getvalue(), 1000
    for start in range(0, len(data), size):
        path = f"/api/import/folders?upload=some-file&at={start}&of={len(data)}"
        for _ in range(2):
            told = browser.post(path, data[start : start + size])
            assert told.status_code == 200, told.text
    assert told.json()["answers"] == 1
    assert len(session.snapshot.answers) == 1
    told = browser.post("/api/import/nothing?upload=other-file&at=0&of=1", b"x")
    assert (told.status_code, "no import" in told.json()["error"]) == (400, True)
    assert browser.post("/api/import/csv?upload=%2e%2e%2f&at=0&of=1", b"x").status_code == 400


def test_a_piece_beyond_the_length_that_was_said_is_not_called_too_large(tmp_path: Path) -> None:
    coming = Uploads(tmp_path)
    with pytest.raises(DataError, match="longer than was said"):
        coming.add("a" * 8, 5, 10, b"012345", counted)
    with pytest.raises(DataError, match="more than 2 GB"):
        coming.add("a" * 8, 0, 3 << 30, b"0", counted)
