"""What belongs together: images and labels of pandas, class names and their rows, and weights."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from vectors import NAMES, Vectors, on_texts, vectors

from clipgrip import GripClassifier
from clipgrip.errors import DataError
from clipgrip.estimator.inputs import images_of, warn_of_other_rows
from clipgrip.estimator.labels import class_names_of, read, weights_of


@pytest.fixture(scope="module")
def given() -> Vectors:
    return vectors()


ORDERS = {"mixed": [2, 0, 1], "far": [7, 8, 9]}


@pytest.mark.parametrize("index", ORDERS.values(), ids=ORDERS)
def test_an_index_in_another_order_is_warned_of_and_another_index_is_not(index: list[int]) -> None:
    X, y = pd.Series(["a", "b", "c"]), pd.Series(["x", "y", "z"], index=index)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        warn_of_other_rows(X, y)
        warn_of_other_rows(X, y.tolist())
        warn_of_other_rows(X, y.reset_index(drop=True))
    assert len(heard) == (index == ORDERS["mixed"])


def test_fit_and_score_warn_of_it(given: Vectors) -> None:
    X = pd.DataFrame(given.X)
    y = pd.Series(given.y, index=X.index[::-1])
    with pytest.warns(UserWarning, match="same index in another order"):
        model = GripClassifier(backbone="embeddings").fit(X, y)
    with pytest.warns(UserWarning, match="same index in another order"):
        model.score(X, y)


def test_an_open_file_is_neither_an_image_nor_labels() -> None:
    for value in (io.BytesIO(b"x"), [io.BytesIO(b"x")]):
        with pytest.raises(DataError, match="no image"):
            images_of(value)
    with pytest.raises(DataError, match="one label for each"):
        read(io.BytesIO(b"x"))


@pytest.mark.parametrize(
    ("names", "sentence"),
    [(["a", None], "holds None"), ({"a": 1, "b": 0}, "is a dict"), ({"a", "b"}, "is a set")],
)
def test_class_names_are_texts_in_an_order(names: Any, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        class_names_of(names)


@pytest.mark.parametrize(
    "weights",
    [[1, 2], [0, 0, 5], [1, -1, 1], [1, np.nan, 1], ["a", "b", "c"], 3.0, [[1], [1], [1]]],
)
def test_weights_are_numbers_one_for_each_image(weights: Any) -> None:
    with pytest.raises(DataError, match="sample_weight"):
        weights_of(weights, np.array([True, True, False]))


def test_weights_of_labeled_images_count() -> None:
    known = np.array([True, False, True])
    assert weights_of([1, 0, 3], known).tolist() == [1, 3]
    assert weights_of(None, known).tolist() == [1, 1]


def test_rows_of_class_embeds_that_are_called_in_another_order_are_refused(given: Vectors) -> None:
    table = pd.DataFrame(given.class_embeds, index=NAMES)
    for good in (table, pd.DataFrame(given.class_embeds)):
        assert (
            on_texts(given, class_embeds=good, strategy="zero-shot")
            .fit(given.X)
            .score(given.X, given.y)
            > 0.9
        )
    with pytest.raises(DataError, match="another order"):
        on_texts(given, class_embeds=table.iloc[::-1]).fit(given.X)


def test_a_class_of_zeros_alone_is_refused(given: Vectors) -> None:
    embeds = given.class_embeds.copy()
    embeds[1] = 0
    with pytest.raises(DataError, match="none of zeros alone"):
        on_texts(given, class_embeds=embeds).fit(given.X)
