"""From folders and lists to a manifest."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from data_helpers import (
    CLASSES,
    csv_file,
    encoded,
    label_of,
    listed,
    picture,
    plant,
    png,
    reasons,
    used,
)

from clipgrip.data.images import decode
from clipgrip.data.ingest import ingest
from clipgrip.data.issues import issues_bytes
from clipgrip.data.sources import FileSource
from clipgrip.data.tables import read_table
from clipgrip.errors import DataError


def test_a_folder_is_read_to_the_bottom(tmp_path: Path) -> None:
    plant(tmp_path, {"a.png": png(1), "x/y/z/b.png": png(2), "train/c.png": png(3)})
    result = ingest(tmp_path, classes=CLASSES)
    assert used(result) == ["a.png", "train/c.png", "x/y/z/b.png"]
    assert result.issues == ()
    assert result.root == str(tmp_path)
    assert result.manifest.labels.tolist() == [-1, -1, -1]
    assert result.manifest.test.size == 0


def test_a_row_knows_its_content_and_gives_its_bytes(tmp_path: Path) -> None:
    plant(tmp_path, {"a.png": png(1)})
    (row,) = ingest(tmp_path, classes=CLASSES).manifest.rows
    assert row.sha256 == hashlib.sha256(png(1)).hexdigest()
    assert row.source.read() == png(1)
    assert row.source == FileSource(str(tmp_path / "a.png"))


def test_folder_names_are_never_labels_unless_asked(tmp_path: Path) -> None:
    plant(tmp_path, {"cat/a.png": png(1), "dog/b.png": png(2)})
    assert ingest(tmp_path, classes=CLASSES).manifest.labels.tolist() == [-1, -1]
    asked = ingest(tmp_path, classes=CLASSES, labels=tmp_path)
    assert [label_of(asked, name) for name in ("cat/a.png", "dog/b.png")] == ["cat", "dog"]


def test_whatever_is_no_image_is_listed_with_its_reason(tmp_path: Path) -> None:
    huge = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\xff\xff\0\0\xff\xff\x08\0\0\0\0"
    bad = {
        "notes.txt": (b"hello", "not-an-image"),
        "cut.jpg": (b"\xff\xd8\xff", "corrupt"),
        "empty.png": (b"", "empty-file"),
        "bomb.png": (huge + b"\xde\xad\xbe\xef", "too-large"),
        ".hidden.png": (png(2), "hidden"),
        "Thumbs.db": (b"x", "hidden"),
        ".ipynb_checkpoints/a-checkpoint.png": (png(3), "hidden"),
        "x/__MACOSX/y/._a.png": (b"x", "hidden"),
        "x/.DS_Store": (b"x", "hidden"),
    }
    plant(tmp_path, {"good.png": png(1)} | {name: data for name, (data, _) in bad.items()})
    result = ingest(tmp_path, classes=CLASSES)
    expected = {name: reason for name, (_, reason) in bad.items()}
    found = reasons(result)
    assert found.pop("bomb.png") in ("too-large", "corrupt")
    expected.pop("bomb.png")
    assert found == expected
    assert used(result) == ["good.png"]


def test_copies_make_one_row_that_knows_all_places(tmp_path: Path) -> None:
    plant(tmp_path, {"b/same.png": png(1), "a/same.png": png(1), "c/same.png": png(2)})
    result = ingest(tmp_path, classes=CLASSES)
    assert {row.paths for row in result.manifest.rows} == {
        ("a/same.png", "b/same.png"),
        ("c/same.png",),
    }
    assert reasons(result) == {"b/same.png": "duplicate"}
    assert "the same content as a/same.png" in result.issues[0].detail


def test_one_file_can_be_given(tmp_path: Path) -> None:
    plant(tmp_path, {"a.png": png(1), "b.png": png(2)})
    assert used(ingest(tmp_path / "a.png", classes=CLASSES)) == ["a.png"]


def test_a_table_can_list_the_images_and_their_labels(tmp_path: Path) -> None:
    plant(tmp_path / "photos", {"a.png": png(1), "b.png": png(2), "c.png": png(3)})
    rows = ["photos/a.png,dog", "photos\\b.png,", f"{tmp_path / 'gone.png'},cat"]
    table = csv_file(tmp_path / "list.csv", *rows, header="File,Label")
    result = ingest(table, classes=CLASSES)
    assert used(result) == ["photos/a.png", "photos/b.png"]
    assert label_of(result, "photos/a.png") == "dog"
    assert label_of(result, "photos/b.png") is None
    assert {"missing-file", "label-without-image"} == {issue.reason for issue in result.issues}
    assert "list.csv line 4" in result.issues[0].detail


def test_a_table_without_paths_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r'list\.csv: no column "path"'):
        ingest(csv_file(tmp_path / "list.csv", "a", header="name"), classes=CLASSES)


def test_a_sequence_of_paths_folders_pictures_and_arrays_is_read(tmp_path: Path) -> None:
    plant(tmp_path, {"a.png": png(1), "sub/b.png": png(2)})
    array = np.full((5, 4), 9, np.uint8)
    items = [tmp_path / "a.png", str(tmp_path / "sub"), picture(3), array, tmp_path / "none.png"]
    result = ingest(items, classes=CLASSES)
    assert used(result) == ["a.png", "image-000002", "image-000003", "sub/b.png"]
    assert reasons(result) == {"none.png": "missing-file"}
    (row,) = [row for row in result.manifest.rows if row.path == "image-000003"]
    assert decode(row.source.read()).getpixel((0, 0)) == (9, 9, 9)


def test_a_sequence_may_have_labels_beside_it(tmp_path: Path) -> None:
    plant(tmp_path, {"a.png": png(1)})
    items = [tmp_path / "a.png", picture(2), picture(3), picture(4)]
    result = ingest(items, classes=CLASSES, labels=["dog", 2, -1, None])
    names = ["a.png", "image-000001", "image-000002", "image-000003"]
    assert [label_of(result, name) for name in names] == ["dog", "otter", None, None]
    with pytest.raises(DataError, match="1 label needs a sequence of as many images"):
        ingest(items, classes=CLASSES, labels=["dog"])
    with pytest.raises(DataError, match="label 3 is not between -1 and 2"):
        ingest(items, classes=CLASSES, labels=[3, 0, 0, 0])


def test_the_order_of_a_sequence_changes_nothing(tmp_path: Path) -> None:
    plant(tmp_path, {f"{n}.png": png(n // 2) for n in range(8)})
    paths = sorted(tmp_path.iterdir())
    one, other = (ingest(order, classes=CLASSES) for order in (paths, paths[::-1]))
    assert one == other
    assert one.manifest.fingerprint == other.manifest.fingerprint


def test_a_missing_place_says_what_to_give(tmp_path: Path) -> None:
    for place in ({"images": tmp_path / "no"}, {"images": tmp_path, "labels": tmp_path / "no"}):
        with pytest.raises(DataError, match=r"no: no such file or folder\. Give"):
            ingest(**place, classes=CLASSES)


def test_nothing_usable_is_an_error_with_an_example(tmp_path: Path) -> None:
    plant(tmp_path, {"a.txt": b"x", "b.txt": b"y", "c.png": b""})
    with pytest.raises(DataError) as error:
        ingest(tmp_path, classes=CLASSES)
    assert "no usable image among 3 files (2 not-an-image, 1 empty-file)" in str(error.value)
    assert "a.txt: not one of the formats" in str(error.value)
    with pytest.raises(DataError, match="the list of images is empty"):
        ingest([], classes=CLASSES)


def test_progress_counts_every_file(tmp_path: Path) -> None:
    plant(tmp_path, {f"{n}.png": png(n) for n in range(5)})
    seen: list[tuple[int, int]] = []
    ingest(tmp_path, classes=CLASSES, on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(n, 5) for n in range(1, 6)]


def test_an_interrupted_progress_ends_the_threads(tmp_path: Path) -> None:
    plant(tmp_path, {f"{n}.png": png(n) for n in range(50)})

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest(tmp_path, classes=CLASSES, on_progress=stop)


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_links_are_followed_once_and_loops_end(tmp_path: Path) -> None:
    outside = plant(tmp_path / "outside", {"o.png": png(1)})
    images = plant(tmp_path / "images", {"z/a.png": png(2)})
    (images / "z" / "loop").symlink_to(images)
    (images / "a-link").symlink_to(images / "z")
    (images / "out").symlink_to(outside)
    (images / "parent").symlink_to(tmp_path)
    (images / "broken.png").symlink_to(tmp_path / "nowhere.png")
    result = ingest(images, classes=CLASSES)
    assert used(result) == ["out/o.png", "z/a.png"]
    assert reasons(result)["broken.png"] == "unreadable"
    assert reasons(result)["z/loop"] == "repeated-folder"
    assert reasons(result)["a-link"] == "repeated-folder"


@pytest.mark.skipif(os.name == "nt", reason="no such files on Windows")
def test_pipes_are_not_waited_for(tmp_path: Path) -> None:
    plant(tmp_path, {"a.png": png(1)})
    os.mkfifo(tmp_path / "pipe.png")
    assert reasons(ingest(tmp_path, classes=CLASSES)) == {"pipe.png": "not-an-image"}


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the administrator reads all")
def test_a_forbidden_file_is_listed(tmp_path: Path) -> None:
    plant(tmp_path, {"a.png": png(1), "b.png": png(2)})
    (tmp_path / "b.png").chmod(0)
    assert reasons(ingest(tmp_path, classes=CLASSES)) == {"b.png": "unreadable"}


def test_a_file_that_fails_while_it_is_read_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(tmp_path, {"a.png": png(1), "b.png": png(2)})
    real = os.stat

    def failing(path: str, *args: object, **options: object) -> os.stat_result:
        if str(path).endswith("b.png"):
            raise PermissionError(13, "Permission denied", path)
        return real(path, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "stat", failing)
    result = ingest(tmp_path, classes=CLASSES)
    assert reasons(result) == {"b.png": "unreadable"}
    assert "Permission denied" in result.issues[0].detail


def test_a_file_that_is_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clipgrip.data.hashing.MAX_BYTES", 1000)
    plant(tmp_path, {"a.png": png(1), "b.png": png(2) + bytes(2000)})
    assert reasons(ingest(tmp_path, classes=CLASSES)) == {"b.png": "too-large"}


@pytest.mark.skipif(os.name != "posix" or os.uname().sysname == "Darwin", reason="names are bytes")
def test_names_that_are_no_text_are_opened_by_their_bytes(tmp_path: Path) -> None:
    for number, name in enumerate((b"\xff\xfe.png", "キズ.png".encode("cp932"))):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(png(number))
    result = ingest(tmp_path, classes=CLASSES)
    assert len(result.manifest) == 2
    assert all(decode(row.source.read()) for row in result.manifest.rows)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_labels_find_names_in_either_unicode_form(tmp_path: Path, form: str) -> None:
    other = {"NFC": "NFD", "NFD": "NFC"}[form]
    name = "ガギグ é.png"
    plant(tmp_path / "i", {unicodedata.normalize(form, name): png(1)})
    labels = csv_file(tmp_path / "l.csv", f"{unicodedata.normalize(other, name)},cat")
    result = ingest(tmp_path / "i", classes=CLASSES, labels=labels)
    assert result.manifest.labels.tolist() == [0]
    assert result.issues == ()


def test_a_japanese_label_file_from_windows_is_understood(tmp_path: Path) -> None:
    names = ["①.png", "㈱.png", "髙.png", "㎜.png", "～.png"]
    plant(tmp_path / "i", {name: png(n) for n, name in enumerate(names)})
    text = "path,label\r\n" + "".join(f"{name},キズ\r\n" for name in names)
    (tmp_path / "l.csv").write_bytes(text.encode("cp932"))
    result = ingest(tmp_path / "i", classes=["キズ", "打痕"], labels=tmp_path / "l.csv")
    assert result.manifest.labels.tolist() == [0] * 5


def test_tables_that_lie_among_the_images_are_not_issues(tmp_path: Path) -> None:
    plant(tmp_path, {"a.png": png(1), "b.png": png(2), "classes.txt": b"cat\ndog\n"})
    labels = csv_file(tmp_path / "labels.csv", "a.png,cat")
    test = csv_file(tmp_path / "test.csv", "b.png,dog")
    result = ingest(tmp_path, classes=tmp_path / "classes.txt", labels=labels, test=test)
    assert listed(result) == []


def test_the_same_picture_in_another_file_format_is_another_image(tmp_path: Path) -> None:
    plant(tmp_path, {"a.png": png(1), "a.bmp": encoded(picture(1), "BMP")})
    assert len(ingest(tmp_path, classes=CLASSES).manifest) == 2


def test_issues_are_written_as_a_table(tmp_path: Path) -> None:
    plant(tmp_path / "i", {"a.png": png(1), "=b.png": b"", "c.txt": b"x"})
    issues = ingest(tmp_path / "i", classes=CLASSES).issues
    (tmp_path / "issues.csv").write_bytes(issues_bytes(issues))
    table = read_table(tmp_path / "issues.csv")
    assert table.columns == ("path", "reason", "detail")
    assert [row[:2] for row in table.rows] == [("=b.png", "empty-file"), ("c.txt", "not-an-image")]


@pytest.mark.parametrize("where", ["list.csv", "list.parquet"])
def test_a_row_without_a_path_costs_that_row_alone(tmp_path: Path, where: str) -> None:
    plant(tmp_path, {"a.png": png(1), "b.png": png(2)})
    if where == "list.csv":
        (tmp_path / where).write_text("path,label\na.png,cat\n,dog\nb.png,\n")
    else:
        pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        rows = {"path": ["a.png", None, "b.png"], "label": ["cat", "dog", None]}
        pq.write_table(pa.table(rows), tmp_path / where)
    result = ingest(tmp_path / where, classes=CLASSES)
    assert used(result) == ["a.png", "b.png"]
    (issue,) = result.issues
    assert issue.reason == "missing-file"
    assert str(issue.path).startswith(where)
    assert "no path" in issue.detail
