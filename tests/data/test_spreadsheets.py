"""What spreadsheets, pandas and published sets make of lists and labels: the right value, or a sentence."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from data_helpers import csv_file, label_of, plant, png, reasons

from clipgrip.data.classes import ClassNames
from clipgrip.data.ingest import ingest
from clipgrip.data.tables import parse_csv
from clipgrip.data.text import decoded
from clipgrip.errors import DataError

CATS = ["cat", "dog"]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return plant(tmp_path / "images", {f"{name}.png": png(n) for n, name in enumerate("abcd")})


NUMBERS = {
    "0.0": "0",
    "1.0": "1",
    "1,0": "1",
    "1.000": "1",
    "7": "007",
    "7.0": "007",
    "01": "1",
    "0": "0",
}
"""A cell, and the class of 0, 1, 007 and x1 that it means."""


@pytest.mark.parametrize(("cell", "name"), NUMBERS.items())
def test_a_number_is_the_class_that_is_the_same_number(cell: str, name: str, images: Path) -> None:
    labels = csv_file(images.parent / "l.csv", f'a.png,"{cell}"')
    result = ingest(images, classes=["0", "1", "007", "x1"], labels=labels)
    assert label_of(result, "a.png") == name


@pytest.mark.parametrize("cell", ["0.5", "1.5", "1e0", "-0", "٧", "8", "x1.0"])
def test_other_numbers_are_no_class(cell: str, images: Path) -> None:
    labels = csv_file(images.parent / "l.csv", f"a.png,{cell}")
    with pytest.raises(DataError, match="unknown label"):
        ingest(images, classes=["0", "1", "007", "x1"], labels=labels)


def test_a_number_that_two_classes_are_means_neither_unless_it_is_written_so(images: Path) -> None:
    names = ClassNames.from_names(["7", "007", "1.0", "01"])
    assert [names.find(text) for text in ("7", "007", "7.0", "1", "1.0")] == [0, 1, None, None, 2]


@pytest.mark.parametrize("table", ["l.csv", "l.tsv"])
def test_a_list_of_images_that_holds_its_heading_alone_says_so(table: str, tmp_path: Path) -> None:
    (tmp_path / table).write_text("path\n")
    with pytest.raises(DataError, match="nothing below its heading"):
        ingest(tmp_path / table, classes=CATS)


def test_labels_in_no_folder_of_a_class_are_refused(tmp_path: Path) -> None:
    plant(tmp_path, {"shots/a.png": png(1), "shots/b.png": png(2), "shots/note.txt": b"x"})
    for given in ({"labels": tmp_path / "shots"}, {"test": tmp_path / "shots"}):
        with pytest.raises(
            DataError, match=r'shots: its images \("a.png"\) lie in the folder itself'
        ):
            ingest(tmp_path / "shots", classes=CATS, **given)


def test_images_beside_the_folders_of_classes_are_counted(tmp_path: Path) -> None:
    plant(tmp_path, {"s/cat/a.png": png(1), "s/b.png": png(2), "s/l.csv": b"x", "i/c.png": png(3)})
    result = ingest(tmp_path / "i", classes=CATS, labels=tmp_path / "s")
    said = [issue.detail for issue in result.issues.among({"labels-left-out"})]
    assert said == ["1 image lies in no folder of a class: without a label"]


@pytest.mark.parametrize(
    ("given", "is_said"),
    [("test", True), ("val", True), ("train", False), ("test.csv", True), ("other.csv", False)],
)
def test_labels_called_test_beside_train_are_taken_with_a_word(
    given: str, is_said: bool, tmp_path: Path
) -> None:
    plant(
        tmp_path,
        {f"{part}/cat/{part}.png": png(n) for n, part in enumerate(("train", "test", "val"))},
    )
    for name in ("train", "test", "other"):
        csv_file(tmp_path / f"{name}.csv", "train/cat/train.png,cat")
    result = ingest(tmp_path / "train", classes=CATS, labels=tmp_path / given)
    said = [issue.detail for issue in result.issues.among({"labels-of-test"})]
    assert (len(said) == 1) is is_said
    if is_said:
        assert f"--test {tmp_path / given}" in said[0]


SPLIT_COLUMNS = {
    "split": ("train", "valid"),
    "data set": ("train", "test"),
    "ml_use": ("TRAINING", "TEST"),
    "is_valid": ("False", "True"),
    "is_test": ("0", "1"),
}
"""The heading as fastai, Vertex AI and Kaggle have it, a cell to learn from, and one that is kept apart."""


@pytest.mark.parametrize(("heading", "cells"), SPLIT_COLUMNS.items())
def test_a_column_of_the_split_is_obeyed(
    heading: str, cells: tuple[str, str], images: Path
) -> None:
    rows = (f"a.png,cat,{cells[0]}", f"b.png,dog,{cells[1]}", f"c.png,dog,{cells[0]}")
    labels = csv_file(images.parent / "l.csv", *rows, header=f"path,label,{heading}")
    result = ingest(images, classes=CATS, labels=labels)
    pool = [row.path for row in result.manifest.rows if row.label >= 0 and row.split == "pool"]
    assert sorted(pool) == ["a.png", "c.png"]
    assert reasons(result)["l.csv"] == "labels-left-out"


@pytest.mark.parametrize("cells", [("True", "True"), ("perhaps", "True"), ("", "True")])
def test_a_column_that_leaves_nothing_to_learn_from_is_no_split(
    cells: tuple[str, str], images: Path
) -> None:
    rows = (f"a.png,cat,{cells[0]}", f"b.png,dog,{cells[1]}")
    labels = csv_file(images.parent / "l.csv", *rows, header="path,label,is_valid")
    result = ingest(images, classes=CATS, labels=labels)
    assert sum(row.label >= 0 for row in result.manifest.rows) == 2


@pytest.mark.skipif(os.sep != "/", reason="no file can be called so here")
def test_a_backslash_is_a_part_of_a_name_where_a_file_is_called_so(tmp_path: Path) -> None:
    plant(tmp_path, {"a\\b.png": png(1), "c/d.png": png(2)})
    table = csv_file(tmp_path / "l.csv", "a\\b.png,cat", "c\\d.png,dog")
    result = ingest(table, classes=CATS)
    assert [label_of(result, path) for path in ("a\\b.png", "c/d.png")] == ["cat", "dog"]
    assert result.issues == ()


MAC = ("Ölfleck\nKratzer", "rayé\nfêlé", "Größe\nRiß", "piñón\nraya", "défaut “A”\nbon", "café")


@pytest.mark.parametrize("text", MAC)
def test_text_of_an_old_mac_is_refused_with_its_encoding(text: str) -> None:
    with pytest.raises(DataError, match="mac-roman"):
        decoded(text.encode("mac_roman"), "l.csv")
    assert decoded(text.encode("mac_roman"), "l.csv", "mac-roman") == text


@pytest.mark.parametrize("name", ["a\nb", "a\tb", "a\r\nb", "a\x0bb", "a\u2028b", "a\x85b"])
def test_a_name_in_several_lines_is_refused(name: str) -> None:
    with pytest.raises(DataError, match='position 1: the name "a'):
        ClassNames.from_names([name, "c"])


@pytest.mark.parametrize("sign", "\x1b\x07\x9b\u202e\u2066\u200f\u200b")
def test_signs_that_steer_a_screen_are_no_part_of_a_name(sign: str) -> None:
    names = ClassNames.from_names([f"ab{sign}c", "d"])
    assert names.display == ("abc", "d")
    assert names.index(f"a{sign}bc") == 0


def test_json_lines_of_labels_among_images_are_named(images: Path) -> None:
    line = json.dumps({"file_name": "a.png", "label": "cat"})
    plant(
        images,
        {"metadata.jsonl": line.encode() + b"\n", "log.jsonl": b'{"time": 1}\n', "x.jsonl": b"{"},
    )
    said = ingest(images, classes=CATS).issues.among({"labels-not-read"})
    assert [issue.path for issue in said] == ["metadata.jsonl"]
    assert "CSV" in said[0].detail


def test_an_error_shows_no_endless_heading() -> None:
    with pytest.raises(DataError) as error:
        parse_csv(",".join(["x" * 500] * 500), "l.csv").need(("path",))
    assert len(str(error.value)) < 2000


def test_parquet_in_the_place_of_text_is_called_so() -> None:
    with pytest.raises(DataError, match="Parquet"):
        decoded(b"PAR1\0\0", "l.csv")
