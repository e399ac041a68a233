"""A label that contradicts another is named on the screen: which image, which labels, what was done."""

from __future__ import annotations

from clipgrip.advice.folders import folder_facts, folder_sentences
from clipgrip.data.issues import Issue, Issues
from clipgrip.sentences import Sentence
from clipgrip.words import Words

QUARREL = '"scratch" by labels.csv line 2, "dent" by labels.csv line 3'


def said(*endings: str) -> list[str]:
    issues = [
        Issue(
            f"part {n}.png", "conflicting-labels", Sentence("{quarrel}; " + ending, quarrel=QUARREL)
        )
        for n, ending in enumerate(endings)
    ]
    return folder_sentences(folder_facts(0, 9, Issues(issues)), Words("en"))


def test_an_image_with_two_labels_is_named_with_both_and_with_what_was_done() -> None:
    assert said("the image counts as unlabeled") == [
        "1 image has labels that contradict each other and counts as unlabeled: part 0.png (scratch, dent)."
    ]
    assert said("the test image is left out") == [
        "1 test image has labels that contradict each other and is left out: part 0.png (scratch, dent)."
    ]
    assert said("the test label holds") == [
        "1 test image has another label in the labels to learn from; that of the test holds: "
        "part 0.png (scratch, dent)."
    ]


def test_many_are_counted_and_the_first_are_named() -> None:
    (text,) = said(*["the image counts as unlabeled"] * 5)
    assert text.startswith("5 images have labels")
    assert text.count("(scratch, dent)") == 3
    assert "and 2 more" in text


def test_it_is_said_in_japanese_too() -> None:
    issue = Issue(
        "部品.png",
        "conflicting-labels",
        Sentence("{quarrel}; the image counts as unlabeled", quarrel=QUARREL),
    )
    (text,) = folder_sentences(folder_facts(0, 1, Issues([issue])), Words("ja"))
    assert "部品.png (scratch, dent)" in text
