"""What labels say is said with its limits."""

from __future__ import annotations

from typing import Any

from clipgrip.advice.labels import label_sentences, labels_teach
from clipgrip.words import Words

SAY = Words("en")


def facts(**more: Any) -> dict[str, Any]:
    held = {
        "n": 20,
        "text": 4,
        "labels_only": 16,
        "with_unlabeled": 17,
        "right": 17,
        "commonest": 5,
        "accuracy": 0.85,
        "interval": [0.64, 0.95],
    }
    plain = {"given": 20, "per_class": [5, 5, 5, 5], "text_weight": 1.0, "uses_unlabeled": True}
    return {**plain, "held_out": held, "contradicted": [["a", 1]], **more}


def text(**more: Any) -> str:
    return " ".join(label_sentences(facts(**more), SAY))


def test_without_labels_nothing_is_said() -> None:
    assert label_sentences(None, SAY) == []


def test_the_figure_stands_beside_the_commonest_class_and_the_names() -> None:
    assert "85% are answered right (95% interval 64.0% to 95.0%)" in text()
    assert "right in 25%, the class names alone in 20%" in text()


def test_how_many_of_its_own_labels_it_answers_is_said_where_it_is_known() -> None:
    assert "that it learned" not in text()  # of a run of before
    assert "All 20 labels that it learned" in text(fit={"right": 20, "n": 20})
    some = {"right": 7, "n": 20}
    assert "Of the 20 labels that it learned, 7 are answered as they were given (35%)" in text(
        fit=some
    )
    assert "7 are answered" in text(fit=some, held_out=None)


def test_names_that_labels_contradict_are_named_few_of_many() -> None:
    assert "contradict" not in text()
    assert "The labels of bolt contradict its name" in text(misnamed=["bolt"])
    many = text(misnamed=[f"part {n}" for n in range(7)])
    assert "The labels of 7 classes contradict their names" in many
    assert "part 0, part 1, part 2, part 3, part 4, part 5 and 1 more. Check" in many
    assert "of bolt contradict" in text(misnamed=["bolt"], held_out=None)


def test_classes_without_a_label_are_named_as_such() -> None:
    assert "2 classes have no label: only their names" in text(per_class=[10, 10, 0, 0])
    assert "never answered" in text(per_class=[10, 10, 0, 0], text_weight=0)
    alone = text(per_class=[1, 1, 0, 0], held_out=None)
    assert "none could be held out" in alone
    assert "2 classes have no label" in alone


def test_one_round_is_explained_where_more_were_asked_for_and_unlabeled_images_are_used() -> None:
    assert "One round is run" not in text()
    assert "One round is run" in text(one_round=True)
    assert "One round is run" in text(one_round=True, held_out=None)
    assert "One round is run" not in text(one_round=True, uses_unlabeled=False)


def test_two_labels_a_class_make_the_figure_a_lower_bound() -> None:
    assert "that figure is too low" in text(per_class=[2, 2, 2, 2])
    assert "too low" not in text()


def test_labels_are_doubted_only_by_a_model_that_knows_the_others() -> None:
    assert "second opinion" in text()
    weak = {**facts()["held_out"], "accuracy": 0.4}
    assert "second opinion" not in text(held_out=weak)


def test_labels_teach_where_they_clearly_beat_the_commonest_class() -> None:
    assert labels_teach(facts())
    assert not labels_teach(facts(held_out={**facts()["held_out"], "interval": [0.2, 0.5]}))
    assert not labels_teach(None)
