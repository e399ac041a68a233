"""What a table or a tar says of its images is taken, or is said not to be: never half of it without a word."""

from __future__ import annotations

from pathlib import Path

import pytest
from data_helpers import CLASSES, csv_file, label_of, plant, png, reasons
from test_tars import tar

from clipgrip.data.ingest import ingest
from clipgrip.data.reading import read_row
from clipgrip.errors import DataError

LIST = ("a.png", "b.png", "c.png")


def photos(folder: Path) -> Path:
    return plant(folder, {name: png(n) for n, name in enumerate(LIST)})


@pytest.mark.parametrize(
    ("header", "rows", "said"),
    [
        ("path,animal", ("a.png,cat", "b.png,dog"), '"animal" may hold labels'),
        ("path,分類", ("a.png,ねこ", "b.png,"), '"分類" may hold labels'),
        ("path,label_idx", ("a.png,0", "b.png,1"), '"label_idx" may hold labels'),
        ("path,cat,dog", ("a.png,1,0", "b.png,0,1"), "called like classes"),
    ],
)
def test_labels_under_another_name_are_said_not_to_be_read(
    tmp_path: Path, header: str, rows: tuple[str, ...], said: str
) -> None:
    photos(tmp_path)
    result = ingest(csv_file(tmp_path / "t.csv", *rows, header=header), classes=CLASSES)
    assert label_of(result, "a.png") is None
    assert reasons(result) == {"t.csv": "labels-not-read"}
    assert said in result.issues[0].detail


def test_columns_that_are_no_labels_are_no_news(tmp_path: Path) -> None:
    photos(tmp_path)
    rows = ("a.png,7,line 3", "b.png,8,line 4")
    table = csv_file(tmp_path / "t.csv", *rows, header="path,lot,place")
    assert not len(ingest(table, classes=CLASSES).issues)


def test_a_sheet_of_labels_that_nobody_filled_is_said(tmp_path: Path) -> None:
    photos(tmp_path)
    for rows in (("a.png,", "b.png, "), ()):
        sheet = csv_file(tmp_path / "l.csv", *rows, header="path,label")
        (issue,) = ingest(tmp_path, classes=CLASSES, labels=sheet).issues
        assert (issue.path, issue.reason) == ("l.csv", "labels-empty")
        assert '"label" is filled' in issue.detail
    some = csv_file(tmp_path / "l.csv", "a.png,cat", "b.png,", header="path,label")
    assert not len(ingest(tmp_path, classes=CLASSES, labels=some).issues)


def test_a_column_that_stands_twice_with_other_cells_is_refused(tmp_path: Path) -> None:
    photos(tmp_path)
    twice = csv_file(tmp_path / "l.csv", "a.png,cat,dog", header="path,label,label")
    with pytest.raises(DataError, match=r'l\.csv: the column "label" stands twice'):
        ingest(tmp_path, classes=CLASSES, labels=twice)
    same = csv_file(tmp_path / "l.csv", "a.png,cat,cat", header="path,label,label")
    assert label_of(ingest(tmp_path, classes=CLASSES, labels=same), "a.png") == "cat"


def test_a_second_column_of_labels_is_said(tmp_path: Path) -> None:
    photos(tmp_path)
    table = csv_file(tmp_path / "l.csv", "a.png,cat,dog", "b.png,cat,", header="path,label,class")
    result = ingest(tmp_path, classes=CLASSES, labels=table)
    assert label_of(result, "a.png") == "cat"
    (issue,) = result.issues
    assert issue.reason == "labels-not-read"
    assert "in 1 row" in issue.detail


@pytest.mark.parametrize("as_images", [True, False])
def test_a_column_split_keeps_its_test_apart_and_its_validation_unlearned(
    tmp_path: Path, as_images: bool
) -> None:
    photos(tmp_path)
    rows = ("a.png,cat,train", "b.png,dog,Test", "c.png,dog,val")
    table = csv_file(tmp_path / "t.csv", *rows, header="path,label,split")
    images, labels = (table, None) if as_images else (tmp_path, table)
    result = ingest(images, classes=CLASSES, labels=labels)
    found = {row.path: (row.split, row.label) for row in result.manifest.rows}
    assert found == {"a.png": ("pool", 0), "b.png": ("test", 1), "c.png": ("pool", -1)}
    assert reasons(result) == {"t.csv": "labels-left-out"}
    judged = ingest(tmp_path, classes=CLASSES, test=table).manifest.rows
    assert [row.path for row in judged if row.split == "test"] == ["b.png"]


@pytest.mark.parametrize("cells", [("day", "night"), ("test", "test"), ("train", "train")])
def test_a_column_split_of_other_words_or_of_one_split_means_nothing(
    tmp_path: Path, cells: tuple[str, str]
) -> None:
    photos(tmp_path)
    rows = [f"{name},cat,{cell}" for name, cell in zip(LIST, cells, strict=False)]
    table = csv_file(tmp_path / "t.csv", *rows, header="path,label,split")
    result = ingest(table, classes=CLASSES)
    assert [row.label for row in result.manifest.rows] == [0, 0]


def test_what_a_model_answered_is_nobodys_label(tmp_path: Path) -> None:
    photos(tmp_path)
    header = "path,label,confidence,decided_by"
    table = csv_file(tmp_path / "p.csv", "a.png,cat,0.9,model", "b.png,dog,,person", header=header)
    for result in (ingest(table, classes=CLASSES), ingest(tmp_path, classes=CLASSES, labels=table)):
        assert (label_of(result, "a.png"), label_of(result, "b.png")) == (None, "dog")
        assert reasons(result) == {"p.csv": "labels-left-out"}
    only = csv_file(tmp_path / "p.csv", "a.png,cat,0.9,model", header=header)
    assert label_of(ingest(only, classes=CLASSES), "a.png") is None
    for place in ("labels", "test"):
        with pytest.raises(DataError, match=r"p\.csv: all its labels are answers of a model"):
            ingest(tmp_path, classes=CLASSES, **{place: only})  # type: ignore[arg-type]


def test_an_image_that_is_named_by_its_place_is_not_meant_by_another_place(tmp_path: Path) -> None:
    photos(tmp_path / "in")
    rows = ("lot2/a.png,dog", "a.png,cat", "lot2/b.png,dog")
    labels = csv_file(tmp_path / "l.csv", *rows)
    result = ingest(tmp_path / "in", classes=CLASSES, labels=labels)
    assert (label_of(result, "a.png"), label_of(result, "b.png")) == ("cat", "dog")
    assert reasons(result) == {
        "lot2/a.png": "label-without-image",
        "lot2/b.png": "matched-by-name",
    }


def test_a_file_url_is_a_place(tmp_path: Path) -> None:
    plant(tmp_path, {"x/a.png": png(0), "y/a.png": png(1)})
    rows = (f"file://{tmp_path}/x/a.png,cat", f"file://{tmp_path}/y/a.png,dog")
    table = csv_file(tmp_path / "t.csv", *rows)
    for result in (ingest(table, classes=CLASSES), ingest(tmp_path, classes=CLASSES, labels=table)):
        assert (label_of(result, "x/a.png"), label_of(result, "y/a.png")) == ("cat", "dog")
        assert not len(result.issues)


def test_points_within_names_keep_the_labels_of_a_tar_apart(tmp_path: Path) -> None:
    files = {
        "part_1.5mm.png": png(0), "part_1.5mm.cls": b"cat",
        "part_1.6mm.png": png(1), "part_1.6mm.cls": b"dog",
        "part_1.7mm.png": png(2),
        "img.png": png(3), "img.png.cls": b"otter",
    }  # fmt: skip
    result = ingest(tar(tmp_path / "t.tar", files), classes=CLASSES)
    names = ("part_1.5mm", "part_1.6mm", "part_1.7mm", "img")
    assert [label_of(result, f"t.tar/{name}.png") for name in names] == [
        "cat",
        "dog",
        None,
        "otter",
    ]


def test_labels_are_found_wherever_they_stand_in_a_tar(tmp_path: Path) -> None:
    pictures = {f"{n}.png": png(n) for n in range(3)}
    labels = {f"{n}.label": CLASSES[n].encode() for n in range(3)}
    result = ingest(tar(tmp_path / "t.tar", pictures | labels), classes=CLASSES)
    assert [label_of(result, f"t.tar/{n}.png") for n in range(3)] == CLASSES


def test_labels_in_other_members_of_a_tar_are_said_not_to_be_read(tmp_path: Path) -> None:
    files = {f"{n}.png": png(n) for n in range(2)}
    texts = {f"{n}.txt": CLASSES[n].encode() for n in range(2)}
    values = {f"{n}.json": b'{"kind": "%s"}' % CLASSES[n].encode() for n in range(2)}
    for others, said in ((texts, '".txt"'), (values, '"kind (.json)"')):
        result = ingest(tar(tmp_path / "t.tar", files | others), classes=CLASSES)
        assert reasons(result) == {"t.tar": "labels-not-read"}
        assert said in result.issues[0].detail


@pytest.mark.parametrize("value", [b'["dog"]', b"1.0", b'"dog"', b"1"])
def test_a_label_in_json_may_be_a_number_or_stand_alone_in_a_list(
    tmp_path: Path, value: bytes
) -> None:
    made = tar(tmp_path / "t.tar", {"0.png": png(0), "0.json": b'{"label": %s}' % value})
    assert label_of(ingest(made, classes=CLASSES), "t.tar/0.png") == "dog"


def test_folders_within_a_tar_are_folders(tmp_path: Path) -> None:
    made = tar(tmp_path / "t.tar", {"cat/0.png": png(0), "dog/1.png": png(1), "dog/1.cls": b"cat"})
    result = ingest(made, classes=CLASSES, folders=True)
    names = [label_of(result, f"t.tar/{name}.png") for name in ("cat/0", "dog/1")]
    assert names == ["cat", "cat"]
    assert reasons(result) == {"t.tar/dog/1.png": "folder-disagrees"}


def test_a_cell_that_is_no_path_is_shown_shortened(tmp_path: Path) -> None:
    photos(tmp_path / "in")
    labels = csv_file(tmp_path / "l.csv", f"{'iVBOR' * 900},cat")
    with pytest.raises(DataError) as told:
        ingest(tmp_path / "in", classes=CLASSES, labels=labels)
    assert len(str(told.value)) < 600


def test_of_several_columns_of_pictures_one_has_to_be_named(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    for names, wanted in ((("mask", "front"), None), (("mask", "image"), [png(1)])):
        columns = {name: [png(n)] for n, name in enumerate(names)}
        parquet.write_table(pyarrow.table(columns), tmp_path / "t.parquet")
        if wanted is None:
            with pytest.raises(DataError, match=r"several columns hold pictures \(mask, front\)"):
                ingest(tmp_path / "t.parquet", classes=CLASSES)
        else:
            rows = ingest(tmp_path / "t.parquet", classes=CLASSES).manifest.rows
            assert [read_row(row) for row in rows] == wanted


def test_a_models_answers_that_were_left_to_a_person_are_taken_and_said(tmp_path: Path) -> None:
    photos(tmp_path)
    header = "path,label,confidence,decided_by,calibrated"
    rows = ("a.png,cat,0.6,person,no", "b.png,dog,,person,", "c.png,dog,0.9,model,no")
    table = csv_file(tmp_path / "p.csv", *rows, header=header)
    result = ingest(tmp_path, classes=CLASSES, labels=table)
    assert [label_of(result, name) for name in LIST] == ["cat", "dog", None]
    assert [i.detail[:7] for i in result.issues if i.reason == "labels-unseen"] == ["1 label"]
    line = csv_file(
        tmp_path / "l.csv", "a.png,cat,person,person", header="path,class,verdict,decided_by"
    )
    found = reasons(ingest(tmp_path, classes=CLASSES, labels=line))
    assert found["l.csv"] == "labels-unseen"


def test_a_number_that_is_no_class_is_said_to_be_no_position(tmp_path: Path) -> None:
    photos(tmp_path)
    table = csv_file(tmp_path / "l.csv", "a.png,0")
    with pytest.raises(DataError, match=r'label "0".* name of a class, not its position'):
        ingest(tmp_path, classes=CLASSES, labels=table)
    with pytest.raises(DataError, match="Correct the label"):
        ingest(tmp_path, classes=["1", "2"], labels=table)


def test_a_comment_above_the_heading_is_named(tmp_path: Path) -> None:
    photos(tmp_path)
    table = csv_file(tmp_path / "l.csv", "path,label", "a.png,cat", header="# of March")
    with pytest.raises(DataError, match=r"l\.csv line 1: a comment stands above the heading"):
        ingest(tmp_path, classes=CLASSES, labels=table)


def test_a_table_of_labels_among_the_images_is_said_not_to_be_read(tmp_path: Path) -> None:
    photos(tmp_path)
    table = csv_file(tmp_path / "metadata.csv", "a.png,cat", header="file_name,label")
    csv_file(tmp_path / "classes.csv", "cat,", "dog,", header="name,prompt")
    csv_file(tmp_path / "predictions.csv", "a.png,cat,0.9", header="path,label,confidence")
    result = ingest(tmp_path, classes=CLASSES)
    said = [issue for issue in result.issues if issue.reason == "labels-not-read"]
    assert [issue.path for issue in said] == ["metadata.csv"]
    assert "--labels" in said[0].detail
    with_it = ingest(tmp_path, classes=CLASSES, labels=table)
    assert label_of(with_it, "a.png") == "cat"
    assert "labels-not-read" not in reasons(with_it).values()


@pytest.mark.parametrize("name", ["images.txt", "images.jsonl", "images.zip", "images.xlsx"])
def test_a_list_that_is_not_read_is_said_to_be_none(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("a.png\n")
    with pytest.raises(DataError, match=r"is no image, and no list of images that is read"):
        ingest(tmp_path / name, classes=CLASSES)


def test_a_picture_is_read_whatever_its_ending(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(png(1))
    assert len(ingest(tmp_path / "a.txt", classes=CLASSES).manifest.rows) == 1
