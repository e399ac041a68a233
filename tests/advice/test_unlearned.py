"""Classes that no image was taken for are said, where no test shows how they are recognised."""

from __future__ import annotations

from typing import Any

from clipgrip.advice.unlearned import unlearned, unlearned_sentences
from clipgrip.words import Words


def metrics(answers: list[int], labels: list[int] | None = None, **more: Any) -> dict[str, Any]:
    names = [f"part {n}" for n in range(len(answers))]
    plain: dict[str, Any] = {
        "rounds": [{}],
        "data": {"classes": names},
        "final": {"pool": {"per_class": answers}},
        "labels": None if labels is None else {"per_class": labels},
    }
    return {**plain, **more}


def test_a_class_without_an_answer_or_a_label_is_named() -> None:
    assert unlearned(metrics([4, 0, 2])) == ["part 1"]
    assert unlearned(metrics([4, 0, 2], [1, 1, 0])) == []
    assert unlearned(metrics([4, 0, 0], [1, 1, 0])) == ["part 2"]
    (text,) = unlearned_sentences(metrics([4, 0, 2]), Words("en"))
    assert text.startswith(
        "No image here is taken for part 1. The run has none of this class to go by"
    )
    (text,) = unlearned_sentences(metrics([0] * 9 + [4]), Words("ja"))
    assert "9クラス" in text
    assert "part 5" in text
    assert "part 6" not in text


def test_nothing_is_said_where_nothing_was_tuned_or_a_test_says_more() -> None:
    assert unlearned_sentences(metrics([4, 0], rounds=[]), Words("en")) == []
    tested = {"pool": {"per_class": [4, 0]}, "test": {"accuracy": 0.5}}
    assert unlearned_sentences(metrics([4, 0], final=tested), Words("en")) == []
