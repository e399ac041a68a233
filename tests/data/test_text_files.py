"""Text is read in the encoding it is in, or refused: never as what no language writes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from data_helpers import CLASSES, csv_file, label_of, plant, png, reasons

from clipgrip.data.classes import ClassNames
from clipgrip.data.ingest import ingest
from clipgrip.data.text import check_encoding, decoded, read_text
from clipgrip.errors import ConfigError, DataError

FOREIGN = {
    "gbk": ["划痕", "凹陷", "良品", "正常", "狗", "裂纹"],
    "big5": ["刮痕", "凹陷", "良品", "裂縫"],
    "euc_jp": ["キズ", "打痕", "へこみ"],
    "euc_kr": ["스크래치", "정상", "불량", "고양이"],
    "cp874": ["ดี", "เสีย", "รอยขีดข่วน"],
    "cp1250": ["pęknięcie", "wada źródła", "škrábanec", "Škoda", "řez"],
    "cp1251": ["царапина", "вмятина", "Кот", "брак"],
    "cp866": ["хорошо", "брак"],
    "cp1255": ["תקין"],
    "cp1257": ["skrāpējums"],
    "cp1252": [
        "rayure_légère",
        "dégât",
        "Ölfleck",
        "Rückseite",
        "Gehäuse",
        "Maß",
        "daño",
        "não",
        "rayé",
        "défaut",
        "pâte",
    ],
    "cp1253": ["γρατσουνιά", "καλό"],
    "cp850": ["école", "Rückseite", "pâte"],
}
JAPANESE = (
    *(
        "キズ",
        "打痕",
        "不良",
        "ｷｽﾞ",
        "ﾊﾞﾘ",
        "疵",
        "A面キズ",
        "NG品",
        "led不良",
        "x線",
        "①傷",
        "髙㎜",
        "外観ｷｽﾞ",
    ),
    *(
        "画像a.png",
        "ｷｬｯﾌﾟ\nﾊﾞｯﾄﾞ",
        "ｺﾝﾃﾞﾝｻ",
        "ﾌｨﾙﾑｷｽﾞ",
        "ﾍｺﾐ\nｷｽﾞ",
        "Ｏリング",
        "瑕疵",
        "ﾜﾚ\nキズ",
        "IC欠品",
        "mm傷",
        "皺\n黴\n良品",
        "齋藤\n澤田",
        "罅割れ",
    ),
)


@pytest.mark.parametrize(
    ("encoding", "word"), [(code, word) for code, words in FOREIGN.items() for word in words]
)
@pytest.mark.parametrize("form", ["{}\nok\n", "name,prompt\n{},a part\n", "path,label\na.png,{}\n"])
def test_text_of_other_languages_is_refused_and_read_when_its_encoding_is_said(
    encoding: str, word: str, form: str
) -> None:
    data = form.format(word).encode(encoding)
    with pytest.raises(DataError, match=r"f\.csv: .*neither UTF-8 nor.*cp932.*--encoding"):
        decoded(data, "f.csv")
    assert decoded(data, "f.csv", encoding) == form.format(word)


@pytest.mark.parametrize("word", JAPANESE)
def test_japanese_of_windows_is_read(word: str) -> None:
    for form in ("{}\nok\n", "name,prompt\n{},part\n"):
        assert decoded(form.format(word).encode("cp932"), "f.csv") == form.format(word)


def test_what_a_person_says_counts_unless_the_file_has_a_mark() -> None:
    assert decoded("é".encode("cp1252"), "f", "cp1252") == "é"
    assert decoded("é".encode("utf-8-sig"), "f", "cp1252") == "é"
    with pytest.raises(DataError, match="f: the text is not utf-8"):
        decoded(b"\xff", "f", "utf-8")
    for wrong in ("klingon", "rot13", "a\0b"):
        with pytest.raises(ConfigError, match=r"unknown.*gbk"):
            check_encoding(wrong)


def test_the_end_mark_of_dos_is_no_class_and_nul_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_bytes(b"good\r\nb\x01ad\r\n\x1a")
    assert ClassNames.read(tmp_path / "c.txt").display == ("good", "bad")
    with pytest.raises(DataError, match="NUL"):
        decoded("a\nb\n".encode("utf-16-le"), "f")


def test_the_encoding_taken_stands_among_the_issues(tmp_path: Path) -> None:
    plant(tmp_path / "in", {"a.png": png(1)})
    (tmp_path / "c.txt").write_bytes("キズ\n打痕\n".encode("cp932"))
    (tmp_path / "labels.csv").write_bytes("path,label\na.png,打痕\n".encode("cp932"))
    result = ingest(tmp_path / "in", classes=tmp_path / "c.txt", labels=tmp_path / "labels.csv")
    assert reasons(result) == {"c.txt": "text-encoding", "labels.csv": "text-encoding"}
    assert "cp932" in result.issues[0].detail
    (tmp_path / "c.txt").write_bytes("划痕\n凹陷\n".encode("gbk"))
    assert ingest(
        tmp_path / "in", classes=tmp_path / "c.txt", encoding="gbk"
    ).manifest.classes.display == ("划痕", "凹陷")


@pytest.mark.parametrize(
    "first", ["display", "label", "name", "class", "Label", "classes", "クラス", "label, printed"]
)
def test_a_list_keeps_its_first_name_whatever_it_is_called(tmp_path: Path, first: str) -> None:
    (tmp_path / "c.txt").write_text(f"{first}\nkeyboard\ncable\n")
    assert ClassNames.read(tmp_path / "c.txt").display == (first, "keyboard", "cable")
    plant(tmp_path / "in", {"a.png": png(1)})
    said = reasons(ingest(tmp_path / "in", classes=tmp_path / "c.txt"))
    assert said == ({} if "," in first else {"c.txt": "class-list"})


@pytest.mark.parametrize(
    "first", ["name", "class", "Categories", "クラス名", "label,printed", "id,name"]
)
def test_a_csv_that_may_or_may_not_have_a_heading_is_asked_about(
    tmp_path: Path, first: str
) -> None:
    (tmp_path / "c.csv").write_text(f"{first}\nkeyboard\ncable\n")
    with pytest.raises(DataError, match=r"c\.csv line 1: .*name,prompt"):
        ClassNames.read(tmp_path / "c.csv")


@pytest.mark.parametrize("text", ["sep=;\nname;prompt\nx;y\nz;w\n", "name|prompt\nx|y\nz|w\n"])
def test_separator_lines_and_bars_are_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.CSV").write_text(text)
    assert ClassNames.read(tmp_path / "c.CSV").prompts == ("y", "w")


@pytest.mark.parametrize(
    ("written", "found"),
    [("P0.PNG", "p0.png"), ("p0", "p0.png"), ("SUB/P1", "sub/p1.png"), ("./p0.PNG", "p0.png")],
)
def test_names_that_differ_in_case_or_lack_the_ending_are_found_and_said(
    tmp_path: Path, written: str, found: str
) -> None:
    plant(tmp_path / "in", {"p0.png": png(0), "sub/p1.png": png(1)})
    labels = csv_file(tmp_path / "l.csv", f"{written},dog", header="id,label")
    result = ingest(tmp_path / "in", classes=CLASSES, labels=labels)
    assert label_of(result, found) == "dog"
    assert "matched-by-name" in reasons(result).values()
    assert "which differs in" in result.issues[-1].detail
    listed = csv_file(tmp_path / "in" / "list.csv", f"{written},cat", header="id,label")
    assert label_of(ingest(listed, classes=CLASSES), found) == "cat"


def test_another_ending_is_another_file(tmp_path: Path) -> None:
    plant(tmp_path / "in", {"p0.png": png(0)})
    labels = csv_file(tmp_path / "l.csv", "p0.jpg,dog")
    with pytest.raises(DataError, match="none of the 1 path is an image"):
        ingest(tmp_path / "in", classes=CLASSES, labels=labels)


def test_a_pipe_in_a_lists_place_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "c.txt")
    with pytest.raises(DataError, match="a pipe or a device"):
        read_text(tmp_path / "c.txt")
