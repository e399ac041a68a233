"""X in all its forms, images and embeddings, each taken for what it is or refused with a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from PIL import Image
from projects import CLASSES, Place, picture
from sklearn.model_selection import cross_val_predict
from vectors import NAMES, Vectors, on_texts, vectors

from clipgrip import GripClassifier
from clipgrip.errors import ConfigError, DataError
from clipgrip.estimator.inputs import images_of

pytestmark = pytest.mark.filterwarnings("ignore:The model seems to know nothing:UserWarning")


@pytest.fixture(scope="module")
def given() -> Vectors:
    return vectors()


@pytest.fixture(scope="module")
def fitted(place: Place, tiny_clip: Path, shared_cache: Path) -> GripClassifier:
    from projects import quick

    with quick(shared_cache):
        model = GripClassifier(CLASSES, backbone=str(tiny_clip), rounds=1)
        return model.fit([str(place.images / name) for name in place.truth])


TABLES: dict[str, Any] = {
    "pathlib": lambda paths: [Path(path) for path in paths],
    "tuple": tuple,
    "array": np.asarray,
    "objects": lambda paths: np.array([Path(path) for path in paths], dtype=object),
    "column": lambda paths: np.array(paths)[:, None],
    "series": pd.Series,
    "strings": lambda paths: pd.Series(paths, dtype="string"),
    "frame": lambda paths: pd.DataFrame({"camera": range(len(paths)), "path": paths}),
    "filename": lambda paths: pd.DataFrame({"Filename": paths, "label": "dent"}),
    "only column": lambda paths: pd.DataFrame({"where": paths}),
}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("form", TABLES)
def test_paths_may_come_in_any_of_these_forms(
    place: Place, fitted: GripClassifier, form: str
) -> None:
    paths = [str(place.images / name) for name in list(place.truth)[:6]]
    assert_array_equal(fitted.predict_proba(TABLES[form](paths)), fitted.predict_proba(paths))


@pytest.mark.usefixtures("quick")
def test_a_table_of_paths_can_be_cross_validated(place: Place, tiny_clip: Path) -> None:
    table = pd.DataFrame(
        {
            "path": [str(place.images / name) for name in place.truth],
            "label": list(place.truth.values()),
        }
    ).sample(frac=1, random_state=0)
    model = GripClassifier(CLASSES, backbone=str(tiny_clip), rounds=1)
    answers = cross_val_predict(model, table, table["label"], cv=2, method="predict_proba")
    assert answers.shape == (32, 4)


REFUSED: dict[str, tuple[Any, str]] = {
    "one colour image": (
        np.zeros((9, 8, 3), np.uint8),
        r"one image of shape \(9, 8, 3\).*\[image\]",
    ),
    "one with alpha": (np.zeros((9, 8, 4), np.uint8), "one image of shape"),
    "one grey image": (np.zeros((9, 8), np.uint8), "one image of shape"),
    "one tensor": (torch.zeros(9, 8, 3, dtype=torch.uint8), "one image of shape"),
    "one Pillow image": (picture(1), r"one image, not a list.*\[image\]"),
    "embeddings": (np.zeros((9, 8), np.float32), 'backbone="embeddings"'),
    "numbers": ([1, 2], "image 0 is 1, which is no image"),
    "nested": ([["a.png"]], "image 0 is"),
    "missing": (["a.png", None], "image 1 is None"),
    "nan": (pd.Series(["a.png", np.nan], dtype=object), "image 1 is nan"),
    "empty": (["a.png", ""], "image 1 is ''"),
    "no paths": (pd.DataFrame({"a": [1], "b": [2]}), "columns a, b, none of which has paths"),
    "bytes": (b"x", "type bytes"),
    "a generator": ((path for path in "ab"), "type generator"),
    "a dict": ({"a": 1}, "type dict"),
    "a set": ({"a"}, "type set"),
    "nothing": (None, "type NoneType"),
    "five axes": (np.zeros((2, 2, 2, 2, 2), np.uint8), "array of shape"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_list_of_images_is_refused_with_a_sentence(
    fitted: GripClassifier, case: str
) -> None:
    X, sentence = REFUSED[case]
    for ask in (fitted.fit, fitted.predict, fitted.to_frame):
        if case != "a generator" or ask is not fitted.to_frame:
            with pytest.raises(DataError, match=sentence):
                ask(X)


def test_stacks_of_images_are_taken_one_by_one() -> None:
    for shape in ((2, 9, 8), (2, 9, 8, 3), (2, 9, 8, 4)):
        stack = np.zeros(shape, np.uint8)
        assert [one.shape for one in images_of(stack)] == [shape[1:]] * 2
        assert len(images_of(torch.from_numpy(stack))) == 2
    assert len(images_of([Image.new("RGB", (4, 4)), torch.zeros(4, 4, 3, dtype=torch.uint8)])) == 2


def test_images_have_no_features_and_embeddings_have(
    given: Vectors, fitted: GripClassifier
) -> None:
    assert not hasattr(fitted, "n_features_in_")
    table = pd.DataFrame(given.X, columns=[f"d{n}" for n in range(12)])
    model = on_texts(given).fit(table, given.y)
    assert model.n_features_in_ == 12
    assert_array_equal(model.feature_names_in_, table.columns)
    with pytest.raises(DataError, match="12 features"):
        on_texts(given).fit(given.X).predict(given.X[:, :5])
    with pytest.raises(DataError, match="feature names should match"):
        model.predict(table.rename(columns={"d0": "e0"}))


@pytest.mark.parametrize(
    "form", [np.asarray, torch.tensor, lambda X: X.tolist(), lambda X: X.astype(np.float64)]
)
def test_embeddings_of_any_length_and_form_are_directions(given: Vectors, form: Any) -> None:
    model = on_texts(given).fit(form(given.X), given.y)
    reference = on_texts(given).fit(given.X * 7, given.y)
    np.testing.assert_allclose(
        model.predict_proba(form(given.X)), reference.predict_proba(given.X), atol=1e-5
    )


@pytest.mark.parametrize(
    ("X", "sentence"),
    [
        ("folder", "X is a path"),
        (np.full((60, 3), np.nan), "NaN"),
        (np.zeros(60), "2D array"),
        (np.zeros((0, 3)), "0 sample"),
        ([["a"] * 3] * 60, "could not convert|convert"),
    ],
)
def test_what_is_no_table_of_embeddings_is_refused(given: Vectors, X: Any, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        GripClassifier(backbone="embeddings").fit(X, given.y)


@pytest.mark.parametrize(
    "class_embeds",
    [np.zeros((2, 12)), np.zeros((3, 11)), np.full((3, 12), np.nan), np.zeros(3), [["a"]]],
)
def test_class_embeds_that_do_not_fit_are_refused(given: Vectors, class_embeds: Any) -> None:
    with pytest.raises(DataError, match="class_embeds"):
        on_texts(given, class_embeds=class_embeds).fit(given.X)


def test_parameters_that_do_not_go_together_are_refused(given: Vectors, place: Place) -> None:
    for more, sentence in (
        ({"prompt": "visual"}, "needs images"),
        ({"strategy": "zero-shot", "class_embeds": None}, "needs class_embeds"),
    ):
        with pytest.raises(ConfigError, match=sentence):
            on_texts(given, **more).fit(given.X, given.y)
    with pytest.raises(ConfigError, match="class_embeds is only for"):
        on_texts(given, backbone="nano").fit(place.images)
    with pytest.raises(DataError, match="without class_names"):
        on_texts(given, class_names=None).fit(given.X, given.y)
    with pytest.raises(DataError, match="fewer than two classes"):
        on_texts(given, class_embeds=None).fit(given.X, ["one"] * 60)
    with pytest.raises(DataError, match="class_names is not given"):
        GripClassifier().fit(place.images)
    with pytest.raises(DataError, match="needs the names"):
        GripClassifier().fit([picture(n) for n in range(4)], [0, 1, 0, 1])


@pytest.mark.usefixtures("quick")
def test_images_with_names_in_y_need_no_class_names(place: Place, tiny_clip: Path) -> None:
    paths = [str(place.images / name) for name in place.truth]
    model = GripClassifier(backbone=str(tiny_clip), rounds=1).fit(paths, list(place.truth.values()))
    assert_array_equal(model.classes_, sorted(CLASSES))
    assert NAMES[0] not in model.classes_


@pytest.mark.parametrize("X", [[], (), np.empty((0, 8, 8, 3), np.uint8)])
def test_no_image_is_said_without_naming_a_folder(X: Any) -> None:
    with pytest.raises(DataError, match=r"^the list of images is empty\. Give one image at least"):
        GripClassifier(["a", "b"]).fit(X)


def test_an_empty_text_is_not_taken_for_the_working_folder() -> None:
    with pytest.raises(DataError, match="X is an empty text, which names no folder"):
        GripClassifier(["a", "b"]).fit("")
