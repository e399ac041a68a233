"""Tar files as WebDataset writes them are images with labels; nothing in them is unpacked."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from data_helpers import CLASSES, label_of, plant, png, reasons, used

from clipgrip.data.ingest import ingest
from clipgrip.data.reading import read_row
from clipgrip.data.sources import TarSource, is_there
from clipgrip.data.tars import key_and_ending, pictures
from clipgrip.errors import DataError


def tar(path: Path, files: Mapping[str, bytes], mode: str = "w") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as made:  # type: ignore[call-overload]
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            made.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("a.jpg", ("a", "jpg")),
        ("x/a.left.JPG", ("x/a", "left.jpg")),
        ("x.y/a.png", ("x.y/a", "png")),
        ("bare", ("bare", "")),
    ],
)
def test_a_key_ends_at_the_first_point_of_the_last_part(name: str, parts: tuple[str, str]) -> None:
    assert key_and_ending(name) == parts


def test_images_have_the_labels_of_their_key(tmp_path: Path) -> None:
    files = {
        "0.png": png(0), "0.cls": b"1",
        "1.cls": b"otter\n", "1.png": png(1),
        "2.png": png(2), "2.json": json.dumps({"label": "cat", "w": 8}).encode(),
        "3.png": png(3), "3.txt": b"a caption",
        "4.left.png": png(4), "4.right.png": png(5), "4.cls": b"0",
    }  # fmt: skip
    result = ingest(tar(tmp_path / "t.tar", files), classes=CLASSES)
    found = {row.path: row.label for row in result.manifest.rows}
    assert found == {
        "t.tar/0.png": 1, "t.tar/1.png": 2, "t.tar/2.png": 0, "t.tar/3.png": -1,
        "t.tar/4.left.png": 0, "t.tar/4.right.png": 0,
    }  # fmt: skip
    assert sorted(read_row(row) for row in result.manifest.rows) == sorted(map(png, range(6)))


def test_a_number_is_the_class_of_that_name_before_it_is_a_position(tmp_path: Path) -> None:
    made = tar(tmp_path / "t.tar", {"0.png": png(0), "0.cls": b"1"})
    assert label_of(ingest(made, classes=["1", "0"]), "t.tar/0.png") == "1"


@pytest.mark.parametrize("label", [b"7", b"horse"])
def test_a_label_that_is_no_class_is_an_error_that_names_the_member(
    tmp_path: Path, label: bytes
) -> None:
    made = tar(tmp_path / "t.tar", {"0.png": png(0), "0.cls": label})
    with pytest.raises(DataError, match=r"t\.tar member 0\.png: unknown label"):
        ingest(made, classes=CLASSES)


@pytest.mark.parametrize("place", ["", "t-{000..001}.tar"])
def test_several_tars_are_one_data_set(tmp_path: Path, place: str) -> None:
    for number in range(2):
        tar(tmp_path / f"t-{number:03d}.tar", {"0.png": png(number), "0.cls": b"%d" % number})
    result = ingest(tmp_path / place, classes=CLASSES)
    assert used(result) == ["t-000.tar/0.png", "t-001.tar/0.png"]
    assert label_of(result, "t-001.tar/0.png") == "dog"


def test_damaged_members_are_listed_with_the_reason(tmp_path: Path) -> None:
    made = tar(tmp_path / "t.tar", {"0.png": png(0), "1.jpg": b"no picture", "2.png": b""})
    result = ingest(made, classes=CLASSES)
    assert reasons(result) == {"t.tar/1.jpg": "not-an-image", "t.tar/2.png": "empty-file"}


def test_a_compressed_tar_is_refused_in_words(tmp_path: Path) -> None:
    made = tar(tmp_path / "t.tar.gz", {"0.png": png(0)}, "w:gz")
    with pytest.raises(DataError, match=r"Unpack it to a plain \.tar"):
        ingest(made, classes=CLASSES)


def test_what_is_no_tar_is_refused_in_words(tmp_path: Path) -> None:
    plant(tmp_path, {"t.tar": b"nothing of the kind" * 100})
    with pytest.raises(DataError, match="cannot be read as a tar file"):
        ingest(tmp_path / "t.tar", classes=CLASSES)


def test_a_pattern_names_the_file_that_is_missing(tmp_path: Path) -> None:
    tar(tmp_path / "t-0.tar", {"0.png": png(0)})
    with pytest.raises(DataError, match=r"t-1\.tar: no such file"):
        ingest(tmp_path / "t-{0..2}.tar", classes=CLASSES)


def test_a_pattern_that_runs_backwards_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="smaller number first"):
        ingest(tmp_path / "t-{5..2}.tar", classes=CLASSES)


def test_tars_and_parquet_files_are_not_mixed(tmp_path: Path) -> None:
    tar(tmp_path / "a.tar", {"0.png": png(0)})
    plant(tmp_path, {"b.parquet": b"PAR1"})
    with pytest.raises(DataError, match="one kind at a time"):
        ingest(tmp_path, classes=CLASSES)


def test_test_images_come_from_a_tar_too(tmp_path: Path) -> None:
    pool = tar(tmp_path / "pool.tar", {"0.png": png(0), "1.png": png(1)})
    test = tar(
        tmp_path / "held.tar", {"9.png": png(9), "9.cls": b"2", "1.png": png(1), "1.cls": b"0"}
    )
    rows = ingest(pool, classes=CLASSES, test=test).manifest.rows
    assert sorted((row.split, row.label) for row in rows) == [
        ("pool", -1),
        ("test", 0),
        ("test", 2),
    ]


def test_test_images_without_a_label_anywhere_are_an_error(tmp_path: Path) -> None:
    pool = tar(tmp_path / "pool.tar", {"0.png": png(0)})
    test = tar(tmp_path / "held.tar", {"9.png": png(9)})
    with pytest.raises(DataError, match=r"a member \.cls or \.json"):
        ingest(pool, classes=CLASSES, test=test)


def test_a_tar_that_shrank_is_noticed(tmp_path: Path) -> None:
    made = tar(tmp_path / "t.tar", {"0.png": png(0)})
    (one,) = pictures(str(made))
    source = TarSource(str(made), one.offset, one.size)
    made.write_bytes(made.read_bytes()[: one.offset + 3])
    with pytest.raises(OSError, match="has no such image any more"):
        source.read()
    made.unlink()
    assert not is_there(source)


def test_of_two_members_of_one_name_the_last_is_used_with_its_own_label(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "t.tar", "w") as made:
        for name, data in (("0.png", png(0)), ("0.cls", b"0"), ("1.png", png(2)),
                           ("0.png", png(1)), ("0.cls", b"1")):  # fmt: skip
            info = tarfile.TarInfo(name)
            info.size = len(data)
            made.addfile(info, io.BytesIO(data))
    result = ingest(tmp_path / "t.tar", classes=CLASSES)
    found = {row.path: (row.label, read_row(row)) for row in result.manifest.rows}
    assert found == {"t.tar/0.png": (1, png(1)), "t.tar/1.png": (-1, png(2))}
    assert reasons(result) == {"t.tar/0.png": "repeated-member"}


def test_no_name_leads_out_of_its_tar(tmp_path: Path) -> None:
    names = ("../x.png", "/abs/y.png", "a/../z.png", "./w.png")
    for one in ("a", "b"):
        files = {name: png(n + 10 * (one == "b")) for n, name in enumerate(names)}
        tar(tmp_path / f"{one}.tar", files)
    shown = [
        f"{one}.tar/{name}" for one in "ab" for name in ("abs/y.png", "w.png", "x.png", "z.png")
    ]
    assert used(ingest(tmp_path, classes=CLASSES)) == shown


@pytest.mark.parametrize("at", [100, 700, 1800])
def test_a_tar_that_is_cut_off_is_said(tmp_path: Path, at: int) -> None:
    made = tar(tmp_path / "t.tar", {"0.png": png(0), "1.png": png(1), "2.png": png(2)})
    made.write_bytes(made.read_bytes()[:at])
    with pytest.raises(DataError, match="cannot be read as a tar file"):
        ingest(made, classes=CLASSES)


def test_names_that_differ_by_their_unicode_form_are_two_images(tmp_path: Path) -> None:
    composed, apart = "caf\u00e9", "cafe\u0301"
    files = {
        f"{composed}.png": png(0),
        f"{composed}.cls": b"0",
        f"{apart}.png": png(1),
        f"{apart}.cls": b"1",
    }
    result = ingest(tar(tmp_path / "t.tar", files), classes=CLASSES)
    assert {row.path: row.label for row in result.manifest.rows} == {
        f"t.tar/{composed}.png": 0, f"t.tar/{apart}.png": 1
    }  # fmt: skip
