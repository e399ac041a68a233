"""A bundle is whole or refused in a sentence: damaged, foreign, newer, or with more in it than its manifest says."""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipgrip_line.bundle import FORMAT, MANIFEST, Bundle, array_bytes, json_bytes, packed
from clipgrip_line.errors import LineError

MEMBERS = {"model.json": json_bytes({"classes": ["良品", "キズ"]}), "arrays/a.npy": array_bytes(np.eye(3))}  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "m.clipgrip"
    made.write_bytes(packed(MEMBERS))
    return made


def rewritten(path: Path, **changed: bytes | None) -> None:
    """The same archive with other members; None takes one away."""
    with zipfile.ZipFile(path) as old:
        members = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as new:
        for name, data in {**members, **changed}.items():
            if data is not None:
                new.writestr(name, data)


def test_what_was_written_is_read(path: Path) -> None:
    bundle = Bundle(path)
    assert bundle.json("model.json") == {"classes": ["良品", "キズ"]}
    np.testing.assert_array_equal(bundle.array("arrays/a.npy"), np.eye(3))
    assert bundle.read_all() == MEMBERS
    assert len(bundle.version) == 12


def test_equal_members_give_equal_bytes_in_whatever_order_they_come() -> None:
    assert packed(dict(reversed(MEMBERS.items()))) == packed(MEMBERS)
    assert packed({**MEMBERS, "a.txt": b"x"}) != packed(MEMBERS)


def test_any_flipped_byte_of_a_member_is_named(path: Path) -> None:
    whole = path.read_bytes()
    for name, data in MEMBERS.items():
        at = whole.index(data)
        for place in (at, at + len(data) // 2, at + len(data) - 1):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            with pytest.raises(LineError, match=f"its part {name} is not what was written"):
                Bundle(path).read_all()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_file_is_refused_or_gives_what_was_written(data: st.DataObject) -> None:
    import tempfile

    whole = packed(MEMBERS)
    at = data.draw(st.integers(0, len(whole) - 1))
    some = data.draw(st.binary(min_size=0, max_size=4))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.clipgrip"
        path.write_bytes(whole[:at] + some + whole[at + data.draw(st.integers(1, 9)) :])
        with contextlib.suppress(LineError):
            assert Bundle(path).read_all() == MEMBERS


@pytest.mark.parametrize("cut", [0, 1, 100, -1, -40])
def test_a_file_that_is_cut_off_is_refused(path: Path, cut: int) -> None:
    path.write_bytes(path.read_bytes()[:cut])
    words = "is cut off: its end is missing. Copy it again" if cut not in (0, 1) else "no bundle"
    with pytest.raises(LineError, match=words):
        Bundle(path)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04", b"\x89PNG\r\n\x1a\n"])
def test_another_kind_of_file_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(LineError, match="is no bundle of clipgrip"):
        Bundle(path)


def test_another_archive_is_refused(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(LineError, match="is no bundle of clipgrip"):
        Bundle(path)


def test_a_missing_file_and_a_folder_are_said(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "none"):
        with pytest.raises(LineError, match="cannot be read"):
            Bundle(place)


def test_a_newer_format_asks_for_a_newer_program(path: Path) -> None:
    manifest = json.loads(packed_manifest(path))
    rewritten(path, **{MANIFEST: json_bytes({**manifest, "format": FORMAT + 1})})
    with pytest.raises(LineError, match=f"format {FORMAT + 1}.*pip install --upgrade"):
        Bundle(path)


def packed_manifest(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read(MANIFEST)


def test_nothing_may_be_added_taken_away_or_hidden(path: Path) -> None:
    whole = path.read_bytes()
    for changed in ({"more.txt": b"x"}, {"model.json": None}, {"model.json": b"{}"}):
        path.write_bytes(whole)
        rewritten(path, **changed)
        with pytest.raises(LineError, match="damaged"):
            Bundle(path)


@pytest.mark.parametrize("name", ["../x.json", "/x.json", "model.py", "a/b/c.json", "x.pkl", "C:x.json"])  # fmt: skip
def test_names_that_lead_elsewhere_and_kinds_that_are_none_are_refused(
    path: Path, name: str
) -> None:
    path.write_bytes(packed({**MEMBERS, name: b"{}"}))
    with pytest.raises(LineError, match="damaged"):
        Bundle(path)


def test_a_compressed_member_is_refused_so_that_nothing_grows_when_it_is_read(path: Path) -> None:
    manifest = packed_manifest(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MANIFEST, manifest)
        for name, data in MEMBERS.items():
            archive.writestr(name, data)
    with pytest.raises(LineError, match="damaged"):
        Bundle(path)


def test_an_array_of_objects_is_never_unpickled(path: Path) -> None:
    made = io.BytesIO()
    np.lib.format.write_array(made, np.array([{}], dtype=object), allow_pickle=True)
    path.write_bytes(packed({"arrays/a.npy": made.getvalue()}))
    with pytest.raises(LineError, match=r"arrays/a\.npy cannot be read"):
        Bundle(path).array("arrays/a.npy")


def test_a_part_that_is_missing_or_no_object_is_said(path: Path) -> None:
    path.write_bytes(packed({"model.json": b"[]"}))
    with pytest.raises(LineError, match=r"lacks its part golden\.json"):
        Bundle(path).json("golden.json")
    with pytest.raises(LineError, match=r"its part model\.json cannot be read"):
        Bundle(path).json("model.json")
