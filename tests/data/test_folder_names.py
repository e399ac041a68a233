"""Folders of images that are named like classes: what they say, and what they never say."""

from __future__ import annotations

from pathlib import Path

import pytest
from data_helpers import CLASSES, csv_file, label_of, plant, png, reasons

from clipgrip.bench.source import folder_classes as names_of_grid
from clipgrip.data.classes import ClassNames, canonical
from clipgrip.data.classfolders import ClassFolders
from clipgrip.data.ingest import Ingested, ingest
from clipgrip.data.layout import class_folders
from clipgrip.data.portable import class_key, folder_names, folders_table, named_otherwise


def taken(root: Path, **more: object) -> Ingested:
    return ingest(root, folders=True, **{"classes": CLASSES, **more})  # type: ignore[arg-type]


def details(result: Ingested, reason: str) -> list[str]:
    return [f"{one.path}: {one.detail}" for one in result.issues if one.reason == reason]


def test_folders_say_nothing_unless_they_are_asked(tmp_path: Path) -> None:
    plant(tmp_path, {"cat/1.png": png(1)})
    assert ingest(tmp_path, classes=CLASSES).manifest.labels.tolist() == [-1]
    assert ingest(tmp_path, classes=CLASSES).by_folder == 0


def test_images_are_labeled_by_the_folder_they_lie_in(tmp_path: Path) -> None:
    plant(
        tmp_path, {"cat/1.png": png(1), "dog/2.png": png(2), "new/3.png": png(3), "4.png": png(4)}
    )
    result = taken(tmp_path)
    paths = ("cat/1.png", "dog/2.png", "new/3.png", "4.png")
    assert [label_of(result, path) for path in paths] == ["cat", "dog", None, None]
    assert (result.by_folder, result.issues) == (2, ())


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("GOOD_PART", "good part"),
        ("good-part", "good_part"),
        ("Ｇｏｏｄ　ｐａｒｔ", "good part"),
        ("good \u2013 part", "good part"),
        ("キズ", "ｷｽﾞ"),
        ("か\u3099", "が"),
        ("Straße", "STRASSE"),
    ],
)
def test_case_width_and_separators_make_no_other_folder(folder: str, name: str) -> None:
    assert class_key(folder) == class_key(name)
    assert ClassFolders(ClassNames.from_names([name, "other"])).position(folder) == 0


def test_of_two_classes_that_are_written_almost_alike_the_folder_means_the_one_it_is_named_like() -> (
    None
):
    known = ClassFolders(ClassNames(("ok", "OK"), ("fine", "good")))
    assert [known.position(name) for name in ("ok", "OK", "Ok")] == [0, 1, None]


def test_the_nearest_folder_counts_and_a_second_class_around_it_is_said(tmp_path: Path) -> None:
    plant(
        tmp_path,
        {"lot1/cat/1.png": png(1), "lot2/cat/old/2.png": png(2), "dog/cat/3.png": png(3)},
    )
    result = taken(tmp_path)
    paths = ("lot1/cat/1.png", "lot2/cat/old/2.png", "dog/cat/3.png")
    assert [label_of(result, path) for path in paths] == ["cat"] * 3
    assert details(result, "nested-class-folders") == [
        'dog/cat/3.png: in a folder of "dog" too; the nearest folder, "cat", is taken'
    ]


def test_labels_that_were_given_win_over_folders_and_the_difference_is_said(tmp_path: Path) -> None:
    plant(tmp_path / "in", {"cat/1.png": png(1), "cat/2.png": png(2), "cat/3.png": png(3)})
    labels = csv_file(tmp_path / "l.csv", "cat/1.png,dog", "cat/2.png,cat", "cat/3.png,")
    result = taken(tmp_path / "in", labels=labels)
    assert [label_of(result, f"cat/{n}.png") for n in (1, 2, 3)] == ["dog", "cat", "cat"]
    assert result.by_folder == 1
    assert details(result, "folder-disagrees") == [
        'cat/1.png: "dog" by l.csv line 2, "cat" by folder cat; the labels hold'
    ]


def test_one_picture_in_the_folders_of_two_classes_is_unlabeled(tmp_path: Path) -> None:
    plant(tmp_path, {"cat/1.png": png(1), "dog/1.png": png(1)})
    result = taken(tmp_path)
    assert result.manifest.labels.tolist() == [-1]
    assert set(reasons(result).values()) == {"conflicting-labels"}


def test_test_images_keep_their_own_label_and_never_teach(tmp_path: Path) -> None:
    plant(tmp_path / "in", {"cat/1.png": png(1), "dog/2.png": png(2), "dog/copy.png": png(1)})
    result = taken(tmp_path / "in", test=csv_file(tmp_path / "t.csv", "cat/1.png,otter"))
    rows = {row.path: (row.label, row.split) for row in result.manifest.rows}
    assert rows == {"cat/1.png": (2, "test"), "dog/2.png": (1, "pool")}
    assert result.by_folder == 1
    assert len(details(result, "folder-disagrees")) == 1


@pytest.mark.parametrize("held", ["test", "Val", "validation", "eval"])
def test_class_folders_below_a_folder_to_measure_on_are_no_labels(
    tmp_path: Path, held: str
) -> None:
    plant(
        tmp_path,
        {"train/cat/1.png": png(1), f"{held}/dog/2.png": png(2), f"cat/{held}/3.png": png(3)},
    )
    result = taken(tmp_path)
    assert label_of(result, "train/cat/1.png") == "cat"
    assert label_of(result, f"{held}/dog/2.png") is None
    assert label_of(result, f"cat/{held}/3.png") is None
    assert len(details(result, "folder-of-test")) == 2
    measured = taken(tmp_path, test=tmp_path / held)
    assert label_of(measured, f"{held}/dog/2.png") == "dog"
    assert [one.split for one in measured.manifest.rows].count("test") == 1
    assert len(details(measured, "folder-of-test")) == 1


def test_a_class_may_be_called_like_a_split(tmp_path: Path) -> None:
    names = ["test", "train", "car"]
    plant(tmp_path / "flat", {"test/1.png": png(1), "train/2.png": png(2), "car/3.png": png(3)})
    flat = taken(tmp_path / "flat", classes=names)
    assert [label_of(flat, path) for path in ("test/1.png", "train/2.png")] == ["test", "train"]
    plant(tmp_path / "split", {"test/train/1.png": png(1), "train/train/2.png": png(2)})
    split = taken(tmp_path / "split", classes=names)
    assert label_of(split, "test/train/1.png") is None
    assert label_of(split, "train/train/2.png") == "train"
    assert not details(split, "nested-class-folders")


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("cats", "cat"),
        ("01_otter", "otter"),
        ("きず", "キズ"),
        ("傷", "キズ"),
        ("Otter 2", "otter"),
    ],
)
def test_a_folder_that_may_be_meant_for_a_class_is_said_and_not_taken(
    tmp_path: Path, folder: str, name: str
) -> None:
    plant(tmp_path, {f"{folder}/1.png": png(1), f"{folder}/sub/2.png": png(2)})
    result = taken(tmp_path, classes=[*CLASSES, "キズ"])
    assert result.by_folder == 0
    said = f'{folder}: named almost like class "{name}"; 2 images in it are not labeled by it'
    assert details(result, "folder-like-class") == [said]


@pytest.mark.parametrize("folder", ["lot1", "2026-11-28", "unsorted", "M 1024"])
def test_other_folders_are_no_news(tmp_path: Path, folder: str) -> None:
    plant(tmp_path, {f"{folder}/1.png": png(1)})
    assert taken(tmp_path, classes=["cat", "M 1023"]).issues == ()


def test_a_table_of_images_is_labeled_by_its_folders_and_a_list_in_memory_is_not(
    tmp_path: Path,
) -> None:
    plant(tmp_path, {"cat/1.png": png(1), "dog/2.png": png(2)})
    table = csv_file(tmp_path / "list.csv", "cat/1.png", "dog/2.png", header="path")
    assert taken(table).by_folder == 2
    items = [str(tmp_path / "cat" / "1.png"), str(tmp_path / "dog" / "2.png")]
    assert ingest(items, classes=CLASSES, folders=True).by_folder == 0


def test_the_folder_of_all_images_is_no_label(tmp_path: Path) -> None:
    plant(tmp_path / "cat", {"1.png": png(1), "dog/2.png": png(2)})
    result = taken(tmp_path / "cat")
    assert [label_of(result, path) for path in ("1.png", "dog/2.png")] == [None, "dog"]


ODD = (
    "test",
    "Val",
    "train 1",
    "CON",
    "nul.txt",
    "part.",
    "part",
    "a/b",
    "a?b",
    "A b",
    "test~",
    "ok",
    "OK",
    " .",
    "猫",
)


def test_what_an_export_makes_of_a_name_is_taken_for_the_class_everywhere(tmp_path: Path) -> None:
    display = tuple(canonical(name) for name in ODD)
    names = ClassNames(display, tuple(f"text {n}" for n in range(len(ODD))))
    made = folder_names(names.display)
    assert len({folder.casefold() for folder in made.values()}) == len(ODD)
    for number, folder in enumerate(made.values()):
        plant(tmp_path / "out", {f"{folder}/{number}.png": png(number)})
    (tmp_path / "out" / "folders.csv").write_bytes(folders_table(names.display))
    expected = {f"{n}.png": name for n, name in enumerate(names.display)}
    for result in (
        taken(tmp_path / "out", classes=names),
        ingest(tmp_path / "out", classes=names, labels=tmp_path / "out"),
    ):
        rows = result.manifest.rows
        assert {row.path.split("/")[1]: names.display[row.label] for row in rows} == expected
        assert not details(result, "folder-of-test")
    assert class_folders(tmp_path / "out") == sorted(names.display)
    assert sorted(names_of_grid(tmp_path / "out")) == sorted(names.display)


def test_a_table_of_folders_stands_only_where_a_folder_is_named_otherwise(tmp_path: Path) -> None:
    assert folders_table(["cat", "猫"]) == b""
    assert named_otherwise(tmp_path) == {}
    (tmp_path / "folders.csv").write_text("somebody's,own\n")
    assert named_otherwise(tmp_path) == {}


def test_folders_given_as_labels_are_folded_as_those_of_the_images_are(tmp_path: Path) -> None:
    plant(tmp_path / "in", {"1.png": png(1)})
    plant(tmp_path / "given", {"OTTER/1.png": png(1)})
    result = ingest(tmp_path / "in", classes=CLASSES, labels=tmp_path / "given")
    assert label_of(result, "1.png") == "otter"
