"""Small pictures are kept for one reader of pictures, and what is damaged is made anew."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from clipgrip.backbone.cache import ROOT_VARIABLE
from clipgrip.review.session import ReviewSession
from clipgrip.review.web import thumbs
from clipgrip.review.web.thumbs import FOLDER, place_of, thumbnail, warm


@pytest.fixture
def cache(tmp_path: Path, session: ReviewSession, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_flipped_bit_or_a_cut_file_is_made_anew(session: ReviewSession, cache: Path) -> None:
    row = session.snapshot.view.rows[0]
    known, place = thumbnail(row), place_of(row.sha256)
    whole = place.read_bytes()
    assert known[:2] == b"\xff\xd8"
    for damaged in (bytes([*whole[:99], whole[99] ^ 4, *whole[100:]]), whole[:-1], whole[:50], b""):
        place.write_bytes(damaged)
        assert thumbnail(row) == known
        assert place.read_bytes() == whole


def test_a_kept_one_is_used(
    session: ReviewSession, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = session.snapshot.view.rows[0]
    known = thumbnail(row)
    monkeypatch.setattr(thumbs, "picture", lambda *_: b"never")
    assert thumbnail(row) == known


def test_those_of_an_older_reader_are_never_shown_and_taken_away(
    session: ReviewSession, cache: Path
) -> None:
    row = session.snapshot.view.rows[0]
    old = cache / "thumbs-v1" / row.sha256[:2] / f"{row.sha256}.jpg"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"black\xff\xd9")
    assert thumbnail(row) != b"black\xff\xd9"
    warm([row], threading.Event())
    assert [path.name for path in cache.glob("thumbs*")] == [FOLDER]


def test_a_full_disk_leaves_no_half_picture(
    session: ReviewSession, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    assert thumbnail(session.snapshot.view.rows[0])[:2] == b"\xff\xd8"
    assert [path for path in cache.rglob("*") if path.is_file()] == []
