"""Class names as people write them."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from clipgrip.data.classes import ClassNames
from clipgrip.errors import DataError


def read(tmp_path: Path, text: str, name: str = "classes.csv") -> ClassNames:
    (tmp_path / name).write_text(text, "utf-8")
    return ClassNames.read(tmp_path / name)


def test_prompt_texts_follow_from_the_names() -> None:
    classes = ClassNames.from_names(["deep_scratch", "hot-dog", " no  defect "])
    assert classes.display == ("deep_scratch", "hot-dog", "no  defect")
    assert classes.prompts == ("deep scratch", "hot dog", "no defect")


def test_a_text_file_has_one_name_a_line(tmp_path: Path) -> None:
    assert read(tmp_path, "cat\n\n  dog \n", "c.txt").display == ("cat", "dog")


def test_a_text_file_may_hold_commas(tmp_path: Path) -> None:
    assert read(tmp_path, "cat, big\ndog\n", "c.txt").display == ("cat, big", "dog")


def test_a_table_gives_display_names_and_prompts_apart(tmp_path: Path) -> None:
    classes = read(tmp_path, "name,prompt\nキズ,a scratch\n\nburr_x,\n")
    assert classes.display == ("キズ", "burr_x")
    assert classes.prompts == ("a scratch", "burr x")


def test_a_csv_with_one_column_needs_no_header(tmp_path: Path) -> None:
    assert read(tmp_path, "cat\ndog\n").display == ("cat", "dog")


def test_two_columns_without_header_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 1: two columns without names.*name,prompt"):
        read(tmp_path, "キズ,scratch\n打痕,dent\n")


def test_a_list_that_holds_its_heading_alone_is_said_to_name_no_class(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no class given; at least 2 are needed"):
        read(tmp_path, "name,prompt\n")


def test_japanese_windows_encoding_is_read(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_bytes("name,prompt\r\n①傷,scratch\r\n髙㎜,dent\r\n".encode("cp932"))
    assert ClassNames.read(tmp_path / "c.csv").display == ("①傷", "髙㎜")


def test_a_class_twice_is_told_with_both_lines(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        read(tmp_path, "name,prompt\nscratch,\ndent,\nscratch,x\n")
    assert str(error.value) == (
        'classes.csv line 4: class "scratch" stands twice (first on line 2). Remove one of them.'
    )


def test_composed_and_decomposed_spellings_are_one_class() -> None:
    composed, decomposed = "ガキ", unicodedata.normalize("NFD", "ガキ")
    with pytest.raises(DataError, match="stands twice"):
        ClassNames.from_names([composed, decomposed])
    assert ClassNames.from_names([composed, "x"]).index(f" {decomposed} ") == 0


@pytest.mark.parametrize("names", [[], ["cat"]])
def test_fewer_than_two_classes_are_refused(names: list[str]) -> None:
    with pytest.raises(DataError, match="at least 2"):
        ClassNames.from_names(names)


def test_names_that_mean_unlabeled_are_refused() -> None:
    with pytest.raises(DataError, match=r'position 2: "-1" means unlabeled'):
        ClassNames.from_names(["cat", "-1"])


def test_two_classes_with_one_prompt_text_are_refused() -> None:
    with pytest.raises(DataError, match='"hot-dog" and "hot_dog" have the same prompt text'):
        ClassNames.from_names(["hot-dog", "hot_dog"])


def test_an_unknown_class_names_the_nearest_and_cuts_a_long_list() -> None:
    with pytest.raises(DataError, match=r'unknown class "scrach".*Did you mean "scratch"\?'):
        ClassNames.from_names(["scratch", "dent"]).index("scrach")
    with pytest.raises(DataError, match=r"class 11 and 88 more\."):
        ClassNames.from_names([f"class {n}" for n in range(100)]).index("zebra")


def test_classes_can_be_given_in_three_ways(tmp_path: Path) -> None:
    classes = read(tmp_path, "cat\ndog\n")
    assert ClassNames.of(classes) is classes
    assert ClassNames.of(["cat", "dog"]) == ClassNames.of(tmp_path / "classes.csv") == classes
    assert "dog" in classes
    assert "cow" not in classes


@pytest.mark.parametrize(
    "text",
    [
        "0 good\n1 bad\n2 none\n", "1. good\n2. bad\n", "0:good\n1:bad\n", "1) good\n2) bad\n", "good 0\nbad 1\n",
        "good,0\nbad,1\n", "0=good\n1=bad\n", "1 001.Albatross\n2 002.Auklet\n",
    ],
)  # fmt: skip
def test_a_numbered_list_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.txt").write_text(text)
    with pytest.raises(DataError, match=r"c\.txt: a number stands beside each name"):
        ClassNames.read(tmp_path / "c.txt")


@pytest.mark.parametrize(
    "text",
    ["1 yen\n5 yen\n10 yen\n", "lot 1\nlot 2\n", "0\n1\n2\n", "M 1023\nM 1024\n", "7 up\nwater\n", "#1\n#2\n",
     "good (a)\nbad, dented\n", "'quoted'\nplain\n", "c:d\ne-f\n", "0.5 mm\n1.0 mm\n", "1.6 x 0.8\n2.0 x 1.2\n",
     "0,5 mm\n1,0 mm\n", "1:2\n2:3\n3:4\n", "0.9\n1.1\n", "1 pin\n2 pins\n", "0 holes\n1 hole\n2 holes\n",
     "# 1\n# 2\n"],
)  # fmt: skip
def test_numbers_and_marks_within_names_stay(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.txt").write_text(text)
    assert ClassNames.read(tmp_path / "c.txt").display == tuple(text.split("\n")[:-1])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[\n"good",\n"bad"\n]\n', 1), ("'good',\n'bad',\n", 1), ("- good\n- bad\n", 1), ("names:\n  a\n  b\n", 1),
        ("good\n# the bad ones\nbad\n", 2), ("// classes\ngood\nbad\n", 1), ('good\n"bad",\n', 2),
    ],
)  # fmt: skip
def test_lines_of_a_program_or_of_yaml_are_no_names(tmp_path: Path, text: str, line: int) -> None:
    (tmp_path / "c.txt").write_text(text)
    with pytest.raises(DataError, match=rf"c\.txt line {line}: .* as in a program"):
        ClassNames.read(tmp_path / "c.txt")


def test_names_in_one_line_and_names_beside_tabs_are_refused(tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("good, bad, none\n")
    with pytest.raises(DataError, match="Write one name a line"):
        ClassNames.read(tmp_path / "c.txt")
    (tmp_path / "c.txt").write_text("good\ta good part\nbad\ta bad part\n")
    with pytest.raises(DataError, match=r"c\.txt line 1: two columns without names"):
        ClassNames.read(tmp_path / "c.txt")
    (tmp_path / "c.csv").write_text("prompt\ngood\nbad\n")
    with pytest.raises(DataError, match="may be a heading or a class"):
        ClassNames.read(tmp_path / "c.csv")


def test_more_classes_than_any_set_of_pictures_has_are_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "files.txt").write_text("\n".join(f"part {n}" for n in range(30)))
    assert len(ClassNames.read(tmp_path / "files.txt")) == 30
    monkeypatch.setattr("clipgrip.data.classes.MOST_CLASSES", 29)
    with pytest.raises(
        DataError, match=r"files\.txt: 30 classes; at most 29 are read.*not the images"
    ):
        ClassNames.read(tmp_path / "files.txt")


def test_names_with_commas_are_told_apart_in_a_list() -> None:
    names = ClassNames.from_names(["a, b", "c", "d、e"])
    assert names.listing() == "“a, b”, c, “d、e”"
