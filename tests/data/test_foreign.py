"""Exports of other tools in the place of labels are named, with what to give instead; no labels are lost unsaid."""

from __future__ import annotations

from pathlib import Path

import pytest
from pictures import random_image

from clipgrip.data.ingest import ingest
from clipgrip.data.text import decoded
from clipgrip.errors import DataError

FILES = {
    "cvat.xml": (
        '<annotations><image name="0.png"><tag label="dent"/></image></annotations>',
        "CVAT",
    ),
    "voc.xml": ("<annotation><object><name>dent</name></object></annotation>", "Pascal VOC"),
    "via.json": ('{"0.png1": {"filename": "0.png", "file_attributes": {}}}', "VGG Image"),
    "labelme.json": ('{"flags": {}, "shapes": [], "imagePath": "0.png"}', "LabelMe"),
    "supervisely.json": ('{"tags": [{"name": "dent"}], "objects": []}', "Supervisely"),
    "coco.json": ('{"images": [], "annotations": [], "categories": []}', "COCO"),
    "studio.json": ('[{"data": {"image": "0.png"}, "annotations": []}]', "Label Studio"),
    "fiftyone.json": ('{"classes": ["dent"], "labels": {"0": 0}}', "FiftyOne"),
    "datumaro.json": ('{"categories": {}, "items": []}', "Datumaro"),
    "lines.jsonl": ('{"path": "0.png"}\n{"path": "1.png"}\n', "JSON lines"),
    "yolo.txt": ("0 0.5 0.5 0.1 0.1\n", "YOLO"),
    "book.xlsx": ("PK\x03\x04", "an Excel file"),
    "all.zip": ("PK\x03\x04", "a ZIP"),
}


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for n in range(3):
        random_image(n, 24, 24).save(folder / f"{n}.png")
    return folder


@pytest.mark.parametrize("name", list(FILES))
def test_a_tool_is_named_with_what_to_give_instead(name: str, images: Path, tmp_path: Path) -> None:
    text, tool = FILES[name]
    (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(DataError) as caught:
        ingest(images, classes=["dent", "ok"], labels=tmp_path / name)
    assert f"looks like {tool}" in str(caught.value)
    assert "path,label" in str(caught.value)


@pytest.mark.parametrize("name", ["voc.xml", "labelme.json", "yolo.txt"])
def test_a_folder_of_a_tools_files_is_no_folder_of_classes(
    name: str, images: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "labels"
    folder.mkdir()
    text, tool = FILES[name]
    for n in range(3):
        (folder / f"{n}{Path(name).suffix}").write_text(text, "utf-8")
    with pytest.raises(DataError, match=f"looks like {tool}"):
        ingest(images, classes=["dent", "ok"], labels=folder)


@pytest.mark.parametrize("text", ["", "  \n\n"])
def test_an_empty_file_of_labels_is_refused(text: str, images: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text(text, "utf-8")
    with pytest.raises(DataError, match="the file is empty"):
        ingest(images, classes=["dent", "ok"], labels=tmp_path / "labels.csv")


def test_encodings_that_decode_as_something_else_are_named() -> None:
    names = "傷\n打痕\n良品\n"
    with pytest.raises(DataError, match="iso-2022-jp"):
        decoded(names.encode("iso2022_jp"), "classes.txt")
    assert decoded(names.encode("iso2022_jp"), "classes.txt", "iso-2022-jp") == names
    for rare in ("丂\n".encode("iso2022_jp_1"), "ｷｽﾞ\n".encode("iso2022_jp_ext")):
        with pytest.raises(DataError, match="iso-2022-jp"):
            decoded(rare, "classes.txt")
    for encoding in ("utf-16-le", "utf-16-be", "utf-32"):
        with pytest.raises(DataError, match="UTF-16 without its mark"):
            decoded(names.encode(encoding), "classes.txt")
    for encoding in ("euc-jp", "gb18030", "big5", "cp1251"):
        with pytest.raises(DataError, match="--encoding"):
            decoded(
                {"cp1251": "царапина\n"}.get(encoding, names[:2]).encode(encoding), "classes.txt"
            )
    assert decoded("ｷｽﾞ\nﾍｺﾐ\n".encode("cp932"), "classes.txt") == "ｷｽﾞ\nﾍｺﾐ\n"
    assert decoded(b"\xef\xbb\xbf\xef\xbb\xbfdent\n", "classes.txt") == "dent\n"
