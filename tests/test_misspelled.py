"""A hint is given for a slip, and for nothing else: a wrong one is worse than the list beside it."""

from __future__ import annotations

import pytest

from clipgrip.errors import nearest
from clipgrip_line.misspelled import near

COMMANDS = ("init", "demo", "run", "review", "predict", "report", "bench", "watch", "labels")
CLASSES = ("scratch", "good part", "defect 1", "defect 2", "擦り傷", "OK")


@pytest.mark.parametrize(
    ("said", "known", "meant"),
    [
        ("predct", COMMANDS, "predict"),  # missing
        ("runn", COMMANDS, "run"),  # too many
        ("bemch", COMMANDS, "bench"),  # wrong
        ("wacth", COMMANDS, "watch"),  # exchanged
        ("urn", COMMANDS, "run"),
        ("Scratch", CLASSES, "scratch"),
        ("ok", CLASSES, "OK"),
        ("goood  part", CLASSES, "good part"),
        ("擦傷", CLASSES, "擦り傷"),
        ("zero_shot", ("zero-shot",), "zero-shot"),
        ("neighbors", ("neighbours",), "neighbours"),
        ("bfloat61", ("auto", "float32"), None),
        ("bfloat61", ("auto", "bfloat16"), "bfloat16"),  # the same digits, exchanged
        ("vis", ("textual", "visual"), "visual"),  # the beginning
        ("clip-vit-base-patch32", ("nano", "openai/clip-vit-base-patch32"), "openai/clip-vit-base-patch32"),
        ("scratch (old)", CLASSES, "scratch"),
        ("ＯＫ", CLASSES, "OK"),  # the full width of Japanese keyboards
        ("ｄｅｆｅｃｔ　１", CLASSES, "defect 1"),
        ("lot 2", ("lot",), "lot"),
    ],
)  # fmt: skip
def test_a_slip_and_a_part_of_a_name_are_known(
    said: str, known: tuple[str, ...], meant: str | None
) -> None:
    assert near(said, known) == meant


@pytest.mark.parametrize(
    ("said", "known"),
    [
        ("nosuch", COMMANDS),
        ("chair", COMMANDS),
        ("train", COMMANDS),
        ("stitches", ("scratches",)),
        ("defect 3", CLASSES),  # another number is another thing
        ("defect 1", ("defect 10", "defect 12")),
        ("lot-12", ("lot-1",)),
        ("part_0199.png", ("part_0198.png", "part_0197.png")),
        ("NG", CLASSES),
        ("D", ("A", "B")),
        ("re", COMMANDS),  # too short to stand for review or report
        ("rep ort of the day", COMMANDS),
        ("text", ("textual", "texture")),  # two begin so
        ("", ("a", "ab")),
    ],
)
def test_another_word_is_no_slip(said: str, known: tuple[str, ...]) -> None:
    assert near(said, known) is None
    assert nearest(said, known) == ""


def test_of_two_the_one_with_fewer_slips_is_meant() -> None:
    assert near("scrathces", ("scratchers", "scratches")) == "scratches"
