"""y in all its forms, each read rightly or refused with a sentence."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from vectors import NAMES, Vectors, on_texts, vectors

from clipgrip import ClipgripError, GripClassifier
from clipgrip.errors import DataError


@pytest.fixture(scope="module")
def given() -> Vectors:
    return vectors(6)


FORMS: dict[str, Any] = {
    "list": list,
    "tuple": tuple,
    "array": np.asarray,
    "objects": lambda y: np.array(y, dtype=object),
    "series": pd.Series,
    "strings": lambda y: pd.Series(y, dtype="string"),
    "categorical": pd.Categorical,
    "categories": lambda y: pd.Series(y, dtype="category"),
    "column": lambda y: pd.DataFrame({"label": y})["label"],
    "shuffled index": lambda y: pd.Series(y, index=range(len(y), 0, -1)),
}


@pytest.mark.parametrize("form", FORMS)
def test_names_may_come_in_any_of_these_forms(given: Vectors, form: str) -> None:
    y = FORMS[form](given.y.tolist())
    model, reference = on_texts(given).fit(given.X, y), on_texts(given).fit(given.X, given.y)
    assert_array_equal(model.classes_, reference.classes_)
    assert_array_equal(model.predict_proba(given.X), reference.predict_proba(given.X))
    assert model.score(given.X, y) == reference.score(given.X, given.y)


@pytest.mark.parametrize(
    "form",
    [
        list,
        np.asarray,
        lambda y: np.asarray(y, np.float64),
        lambda y: np.asarray(y, np.uint8),
        torch.tensor,
        lambda y: [torch.tensor(one) for one in y],
        pd.Series,
        lambda y: pd.Series(y, dtype="Int64"),
    ],
)
def test_positions_may_come_in_any_of_these_forms(given: Vectors, form: Any) -> None:
    y = form(given.positions.tolist())
    model, reference = (
        on_texts(given).fit(given.X, y),
        on_texts(given).fit(given.X, given.positions),
    )
    assert_array_equal(model.predict_proba(given.X), reference.predict_proba(given.X))
    assert model.classes_.dtype.kind == "i"


@pytest.mark.parametrize(
    "nothing", [None, "", " ", -1, "-1", float("nan"), np.nan, pd.NA, pd.NaT, np.float32("nan")]
)
@pytest.mark.parametrize("positions", [False, True])
@pytest.mark.parametrize("series", [False, True])
def test_all_that_means_missing_is_unlabeled(
    given: Vectors, nothing: Any, positions: bool, series: bool
) -> None:
    known: list[Any] = (given.positions if positions else given.y).tolist()
    y: Any = [nothing if n % 2 else label for n, label in enumerate(known)]
    if positions and isinstance(nothing, str):
        pytest.skip("a text among numbers is mixed on purpose below")
    model = on_texts(given).fit(given.X, pd.Series(y, dtype=object) if series else y)
    assert model.paradigm_ == "SSL"
    half = on_texts(given).fit(given.X, [None if n % 2 else k for n, k in enumerate(known)])
    assert_array_equal(model.predict_proba(given.X), half.predict_proba(given.X))


def test_a_series_of_positions_with_gaps_is_read_although_pandas_makes_it_floats(
    given: Vectors,
) -> None:
    y = pd.Series([float("nan") if n % 2 else int(p) for n, p in enumerate(given.positions)])
    assert y.dtype == np.float64
    assert on_texts(given).fit(given.X, y).paradigm_ == "SSL"


REFUSED: dict[str, tuple[Any, str]] = {
    "a fraction": (lambda y: [0.7, *y[1:]], "label 0 is 0.7"),
    "fractions": (lambda y: np.full(len(y), 0.7), "label 0 is 0.7"),
    "infinite": (lambda y: np.full(len(y), np.inf), "label 0 is inf"),
    "complex": (lambda y: [1j] * len(y), "label 0 is 1j"),
    "true": (lambda y: [True] * len(y), "label 0 is True"),
    "booleans": (lambda y: np.array(y) == "one", "label 0 is False"),
    "numpy's true": (lambda y: [np.True_, *y[1:]], "label 0 is True"),
    "bytes": (lambda y: [b"one"] * len(y), "label 0 is b'one'"),
    "a day": (lambda y: [pd.Timestamp("2026-01-01")] * len(y), "label 0 is Timestamp"),
    "one-hot": (lambda y: np.eye(3)[[NAMES.index(n) for n in y]], "argmax"),
    "one-hot list": (lambda y: [[1, 0, 0]] * len(y), "argmax"),
    "a column": (lambda y: np.array(y)[:, None], r"y\.ravel\(\)"),
    "a table": (lambda y: pd.DataFrame({"label": y}), r"df\[name\]"),
    "too few": (lambda y: y[:-1], "17 labels in y for 18 images"),
    "too many": (lambda y: [*y, "one"], "19 labels in y for 18 images"),
    "one name": (lambda y: "one", 'y is "one", not one label for each image'),
    "one number": (lambda y: 1, "y is 1, not one label"),
    "a dict": (lambda y: dict(enumerate(y)), "not one label for each image"),
    "unknown": (lambda y: ["thre", *y[1:]], 'label 0: unknown label "thre".*mean "three"'),
    "beyond": (lambda y: [3] * len(y), "label 0 is 3, and positions in class_names go from 0 to 2"),
    "below": (lambda y: [-2] * len(y), "label 0 is -2"),
    "mixed": (lambda y: [0, *y[1:]], "y mixes names"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_label_is_refused_with_a_sentence(given: Vectors, case: str) -> None:
    make, sentence = REFUSED[case]
    with pytest.raises(DataError, match=sentence) as refused:
        on_texts(given).fit(given.X, make(given.y.tolist()))
    assert isinstance(refused.value, ValueError)
    assert isinstance(refused.value, ClipgripError)


def test_without_class_names_the_classes_are_those_of_y(given: Vectors) -> None:
    by_name = GripClassifier(backbone="embeddings").fit(given.X, given.y)
    assert_array_equal(by_name.classes_, sorted(NAMES))
    assert_array_equal(by_name.class_names_, sorted(NAMES))
    numbers = given.positions * 10 + 3
    by_number = GripClassifier(backbone="embeddings").fit(given.X, numbers)
    assert_array_equal(by_number.classes_, [3, 13, 23])
    assert by_number.score(given.X, numbers) == 1.0
    assert by_number.score(given.X, [99, *numbers[1:]]) == pytest.approx(17 / 18)
    with pytest.raises(DataError, match="unknown label"):
        by_number.score(given.X, given.y)
    assert by_name.score(given.X, ["four", *given.y[1:]]) == pytest.approx(17 / 18)


def test_numbers_that_are_also_the_texts_of_other_classes_are_refused(given: Vectors) -> None:
    with pytest.raises(DataError, match='y holds the number 0, and "0" is a class'):
        on_texts(given, class_names=("2", "0", "1")).fit(given.X, [0] * 18)
    with pytest.raises(DataError, match="class_names holds 3, which is no text"):
        on_texts(given, class_names=np.array([3, 0, 1])).fit(given.X)
    assert on_texts(given, class_names=pd.Series(["a", "b", "c"])).fit(given.X).classes_[0] == "a"


def test_labels_need_no_pandas(given: Vectors, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == "pandas":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.delitem(__import__("sys").modules, "pandas")
    assert on_texts(given).fit(given.X, [None, *given.y[1:]]).paradigm_ == "SSL"
