"""Labels and test images: who is bound to what, and what is said when it does not fit."""

from __future__ import annotations

from pathlib import Path

import pytest
from data_helpers import CLASSES, csv_file, label_of, plant, png, reasons, used

from clipgrip.data.ingest import Ingested, ingest
from clipgrip.errors import DataError


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return plant(tmp_path / "images", {f"{name}.png": png(n) for n, name in enumerate("abcdef")})


def split_of(result: Ingested, path: str) -> str:
    return next(row.split for row in result.manifest.rows if path in row.paths)


def test_empty_cells_and_minus_one_mean_unlabeled(images: Path) -> None:
    labels = csv_file(images.parent / "l.csv", "a.png,cat", "b.png,", "c.png,-1", "d.png, ")
    result = ingest(images, classes=CLASSES, labels=labels)
    assert sorted(result.manifest.labels.tolist()) == [-1] * 5 + [0]
    assert result.issues == ()


def test_an_unknown_label_names_line_classes_and_the_nearest(images: Path) -> None:
    labels = csv_file(images.parent / "l.csv", "a.png,cat", "b.png,oter")
    with pytest.raises(DataError) as error:
        ingest(images, classes=CLASSES, labels=labels)
    assert str(error.value) == (
        'l.csv line 3: unknown label "oter". Known: cat, dog, otter. Did you mean "otter"? '
        "Correct the label, or add the class."
    )


@pytest.mark.parametrize("head", ["画像,ラベル", "ファイル名,クラス", "パス,ラベル"])
def test_columns_may_be_called_as_in_a_japanese_plant(images: Path, head: str) -> None:
    labels = images.parent / "l.csv"
    labels.write_text(f"{head}\na.png,cat\nb.png,dog\n", "cp932")
    result = ingest(images, classes=CLASSES, labels=labels)
    assert sorted(result.manifest.labels.tolist()) == [-1] * 4 + [0, 1]


def test_an_unknown_class_folder_is_named(images: Path) -> None:
    folder = plant(images.parent / "shots", {"dogs/x.png": png(9)})
    with pytest.raises(DataError, match=r'folder shots/dogs: unknown label "dogs".*"dog"\?'):
        ingest(images, classes=CLASSES, labels=folder)


def test_a_label_of_no_image_is_listed(images: Path) -> None:
    labels = csv_file(images.parent / "l.csv", "a.png,cat", "nope.png,dog")
    result = ingest(images, classes=CLASSES, labels=labels)
    assert reasons(result) == {"nope.png": "label-without-image"}
    assert "l.csv line 3" in result.issues[0].detail


def test_labels_of_which_none_fits_are_an_error_with_both_sides(images: Path) -> None:
    labels = csv_file(images.parent / "l.csv", "x1.png,cat", "x2.png,dog")
    with pytest.raises(DataError) as error:
        ingest(images, classes=CLASSES, labels=labels)
    for words in ("none of the 2 paths", "x1.png, x2.png", "a.png, b.png", str(images)):
        assert words in str(error.value)


def test_a_table_of_images_that_are_all_missing_names_no_other_images(tmp_path: Path) -> None:
    table = csv_file(tmp_path / "t.csv", "gone/x1.png,cat", "gone/x2.png,dog")
    with pytest.raises(DataError, match=r"of the 2 paths is an image that is there.*x1") as error:
        ingest(table, classes=CLASSES)
    assert str(tmp_path) in str(error.value)
    assert "The images are" not in str(error.value)


def test_paths_may_be_absolute_or_relative_to_the_images_or_the_table(images: Path) -> None:
    rows = [f"{images / 'a.png'},cat", "b.png,dog", "images/c.png,otter", "./images/../d.png,cat"]
    result = ingest(images, classes=CLASSES, labels=csv_file(images.parent / "l.csv", *rows[:3]))
    assert [label_of(result, f"{n}.png") for n in "abc"] == ["cat", "dog", "otter"]
    assert result.issues == ()


def test_the_file_name_alone_decides_last_and_is_noted(images: Path) -> None:
    plant(images, {"deep/only.png": png(20), "x/twice.png": png(21), "y/twice.png": png(22)})
    rows = ["C:\\photos\\only.png,cat", "elsewhere/twice.png,dog"]
    result = ingest(images, classes=CLASSES, labels=csv_file(images.parent / "l.csv", *rows))
    assert label_of(result, "deep/only.png") == "cat"
    assert label_of(result, "x/twice.png") is label_of(result, "y/twice.png") is None
    assert reasons(result) == {
        "C:\\photos\\only.png": "matched-by-name",
        "elsewhere/twice.png": "label-without-image",
    }


def test_equal_names_in_two_folders_keep_their_own_labels(tmp_path: Path) -> None:
    plant(tmp_path / "i", {"x/1.png": png(1), "y/1.png": png(2)})
    labels = csv_file(tmp_path / "l.csv", "x/1.png,cat", "y/1.png,dog")
    result = ingest(tmp_path / "i", classes=CLASSES, labels=labels)
    assert [label_of(result, name) for name in ("x/1.png", "y/1.png")] == ["cat", "dog"]


def test_a_label_holds_for_every_copy_of_the_content(images: Path) -> None:
    plant(images, {"copy/a.png": png(0)})
    result = ingest(
        images, classes=CLASSES, labels=csv_file(images.parent / "l.csv", "copy/a.png,dog")
    )
    assert label_of(result, "a.png") == "dog"


def test_contradicting_labels_make_the_image_unlabeled_and_are_listed(images: Path) -> None:
    plant(images, {"copy.png": png(0)})
    rows = ["a.png,cat", "copy.png,dog", "b.png,cat", "b.png,dog", "c.png,cat", "c.png,cat"]
    result = ingest(images, classes=CLASSES, labels=csv_file(images.parent / "l.csv", *rows))
    assert label_of(result, "a.png") is label_of(result, "b.png") is None
    assert label_of(result, "c.png") == "cat"
    assert reasons(result) == dict.fromkeys(("a.png", "copy.png", "b.png"), "conflicting-labels")
    assert '"cat" by l.csv line 2, "dog" by l.csv line 3' in result.issues[0].detail


def test_a_class_folder_outside_brings_labeled_images(images: Path) -> None:
    shots = {"cat/n.png": png(30), "dog/deep/a.png": png(0), "dog/.DS_Store": b"x"}
    plant(images.parent / "shots", shots)
    result = ingest(images, classes=CLASSES, labels=images.parent / "shots")
    assert label_of(result, "../shots/cat/n.png") == "cat"
    assert label_of(result, "a.png") == "dog"
    assert len(result.manifest) == 7
    assert reasons(result)["../shots/dog/.DS_Store"] == "hidden"


def test_a_class_folder_without_images_is_an_error(images: Path) -> None:
    (images.parent / "none").mkdir()
    with pytest.raises(DataError, match="none: no image in it"):
        ingest(images, classes=CLASSES, labels=images.parent / "none")


def test_labels_must_be_a_table_or_a_folder(images: Path) -> None:
    with pytest.raises(DataError, match="the labels must be a CSV"):
        ingest(images, classes=CLASSES, labels=images / "a.png")
    bad = csv_file(images.parent / "l.csv", "a.png,1", header="path,score")
    with pytest.raises(DataError, match=r'no column "label".*Found: path, score'):
        ingest(images, classes=CLASSES, labels=bad)


def test_test_images_leave_the_pool_by_place_and_by_content(images: Path) -> None:
    plant(images, {"copy/a.png": png(0)})
    test = csv_file(images.parent / "t.csv", "a.png,cat", "images/b.png,dog")
    result = ingest(images, classes=CLASSES, test=test)
    assert split_of(result, "a.png") == split_of(result, "b.png") == "test"
    assert label_of(result, "a.png") == "cat"
    assert len(result.manifest.pool) == 4
    assert reasons(result) == {"copy/a.png": "duplicate-of-test"}


def test_the_test_image_is_shown_even_if_a_copy_sorts_first(images: Path) -> None:
    plant(images, {"z/copy.png": png(0)})
    result = ingest(images, classes=CLASSES, test=csv_file(images / "t.csv", "z/copy.png,cat"))
    assert "z/copy.png" in used(result)
    assert reasons(result) == {"a.png": "duplicate-of-test"}


@pytest.mark.parametrize("inside", [True, False])
def test_a_test_folder_may_lie_inside_or_outside(images: Path, inside: bool) -> None:
    base = images if inside else images.parent
    folder = plant(base / "test", {"cat/t.png": png(40), "dog/a.png": png(0)})
    result = ingest(images, classes=CLASSES, test=folder)
    prefix = "" if inside else "../"
    assert split_of(result, f"{prefix}test/cat/t.png") == "test"
    assert label_of(result, f"{prefix}test/dog/a.png") == "dog"
    assert reasons(result) == {"a.png": "duplicate-of-test"}
    assert len(result.manifest.pool) == 5


def test_a_test_table_may_list_images_that_lie_outside(images: Path) -> None:
    plant(images.parent / "more", {"t.png": png(50)})
    test = csv_file(images.parent / "t.csv", "more/t.png,otter")
    result = ingest(images, classes=CLASSES, test=test)
    assert split_of(result, "../more/t.png") == "test"
    assert len(result.manifest) == 7


def test_a_test_image_without_label_is_listed_and_used_nowhere(images: Path) -> None:
    test = csv_file(images.parent / "t.csv", "a.png,cat", "b.png,")
    result = ingest(images, classes=CLASSES, test=test)
    assert reasons(result) == {"b.png": "test-without-label"}
    assert "b.png" not in used(result)


def test_contradicting_test_labels_leave_the_image_out(images: Path) -> None:
    plant(images, {"copy.png": png(0)})
    test = csv_file(images.parent / "t.csv", "a.png,cat", "a.png,dog", "b.png,dog")
    result = ingest(images, classes=CLASSES, test=test)
    assert reasons(result) == {"a.png": "conflicting-labels", "copy.png": "duplicate-of-test"}
    assert {"a.png", "copy.png"}.isdisjoint(used(result))


def test_the_test_label_holds_against_the_labels_file(images: Path) -> None:
    labels = csv_file(images.parent / "l.csv", "a.png,cat", "b.png,dog")
    test = csv_file(images.parent / "t.csv", "a.png,dog", "b.png,dog")
    result = ingest(images, classes=CLASSES, labels=labels, test=test)
    assert label_of(result, "a.png") == "dog"
    assert reasons(result) == {"a.png": "conflicting-labels"}
    assert "the test label holds" in result.issues[0].detail


def test_class_folders_may_enclose_the_test_folder(tmp_path: Path) -> None:
    files = {"cat/a.png": png(1), "dog/b.png": png(2), "test/cat/c.png": png(3)}
    plant(tmp_path, files)
    result = ingest(tmp_path, classes=CLASSES, labels=tmp_path, test=tmp_path / "test")
    assert split_of(result, "test/cat/c.png") == "test"
    assert len(result.manifest.pool) == 2
    assert (result.manifest.labels >= 0).all()


def test_an_empty_label_table_labels_nothing(images: Path) -> None:
    result = ingest(images, classes=CLASSES, labels=csv_file(images.parent / "l.csv"))
    assert set(result.manifest.labels.tolist()) == {-1}
