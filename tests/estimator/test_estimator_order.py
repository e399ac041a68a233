"""Columns of predict_proba are in the order of classes_, so what scikit-learn computes from them is right."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from projects import CLASSES, Place
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import LabelEncoder
from vectors import NAMES, Vectors, on_texts, vectors

from clipgrip import GripClassifier
from clipgrip.errors import DataError
from clipgrip.estimator import encoded


@pytest.fixture(scope="module")
def given() -> Vectors:
    return vectors()


def known(given: Vectors, positions: bool) -> np.ndarray:
    return given.positions if positions else given.y


def test_classes_are_sorted_and_the_display_order_is_kept_apart(given: Vectors) -> None:
    model = on_texts(given).fit(given.X, given.y)
    assert_array_equal(model.classes_, np.unique(NAMES))
    assert_array_equal(model.class_names_, NAMES)
    proba = model.predict_proba(given.X)
    assert_array_equal(model.predict(given.X), model.classes_[proba.argmax(1)])
    assert (model.predict(given.X) == given.y).mean() > 0.9


def test_without_labels_answers_are_names_in_the_same_order(given: Vectors) -> None:
    model = on_texts(given).fit(given.X)
    assert_array_equal(model.classes_, sorted(NAMES))
    assert model.paradigm_ == "UL"
    assert model.score(given.X, given.y) > 0.9


@pytest.mark.parametrize("positions", [False, True])
def test_what_is_computed_from_the_columns_is_right(given: Vectors, positions: bool) -> None:
    y, model = known(given, positions), on_texts(given)
    proba = model.fit(given.X, y).predict_proba(given.X)
    own = [np.flatnonzero(model.classes_ == label)[0] for label in y]
    assert log_loss(y, proba) == pytest.approx(
        -np.log(proba[np.arange(len(y)), own]).mean(), rel=0.01, abs=1e-6
    )
    assert log_loss(y, proba) < 0.3
    assert roc_auc_score(y, proba, multi_class="ovr") > 0.99
    assert cross_val_score(model, given.X, y, cv=3, scoring="neg_log_loss").min() > -0.4
    assert cross_val_score(model, given.X, y, cv=3, scoring="roc_auc_ovr").min() > 0.98
    assert cross_val_score(model, given.X, y, cv=3).min() > 0.9


@pytest.mark.parametrize("positions", [False, True])
@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_cross_val_predict_answers_in_the_order_of_the_sorted_labels(
    given: Vectors, positions: bool, method: str
) -> None:
    y = known(given, positions)
    answers = cross_val_predict(on_texts(given), given.X, y, cv=3, method=method)
    read = answers if method == "predict" else np.unique(y)[answers.argmax(1)]
    assert (read == y).mean() > 0.9


def test_cross_val_predict_is_right_where_no_image_is_of_some_class(given: Vectors) -> None:
    rows = given.y != "three"
    y = given.y[rows]
    answers = cross_val_predict(on_texts(given), given.X[rows], y, cv=3, method="predict_proba")
    assert answers.shape == (len(y), 2)
    assert_allclose(answers.sum(1), 1, atol=1e-5)
    assert (np.unique(y)[answers.argmax(1)] == y).mean() > 0.9


@pytest.mark.parametrize("positions", [False, True])
def test_ensembles_that_number_the_labels_are_right(given: Vectors, positions: bool) -> None:
    y, model = known(given, positions), on_texts(given)
    for whole in (
        VotingClassifier([("a", model), ("b", model)]),
        VotingClassifier([("a", model), ("b", model)], voting="soft"),
        StackingClassifier([("a", model)], cv=3),
        CalibratedClassifierCV(model, cv=3),
        GridSearchCV(model, {"strategy": ["zero-shot", "grip"]}, cv=3, scoring="neg_log_loss"),
        make_pipeline(model),
    ):
        assert (whole.fit(given.X, y).predict(given.X) == y).mean() > 0.9, whole


def test_numbers_made_in_another_process_are_refused_where_they_may_mean_two_things(
    given: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoded, "_encoders", lambda: iter(()))  # as in a worker, which lacks it
    with pytest.raises(DataError, match='0 may mean "zero", the first of class_names'):
        cross_val_predict(on_texts(given), given.X, given.y, cv=3, method="predict_proba")
    assert cross_val_score(on_texts(given), given.X, given.positions, cv=3).min() > 0.9


def test_unlabeled_images_cannot_be_numbered_as_a_class(given: Vectors) -> None:
    y = np.where(np.arange(len(given.y)) % 5, given.y, "")
    with pytest.raises(DataError, match="Leave the unlabeled images out"):
        cross_val_predict(on_texts(given), given.X, y, cv=3, method="predict_proba")


def test_a_persons_positions_are_those_of_class_names(given: Vectors) -> None:
    model = on_texts(given).fit(given.X, given.positions)
    assert_array_equal(model.classes_, [0, 1, 2])
    assert (model.class_names_[model.predict(given.X)] == given.y).mean() > 0.9
    assert model.score(given.X, given.y) == model.score(given.X, given.positions) > 0.9
    by_name = on_texts(given).fit(given.X, given.y)
    order = [NAMES.index(name) for name in by_name.classes_]
    assert_array_equal(by_name.predict_proba(given.X), model.predict_proba(given.X)[:, order])


def test_positions_in_another_order_than_class_names_are_warned_of(given: Vectors) -> None:
    alphabetical = LabelEncoder().fit_transform(given.y)
    with pytest.warns(UserWarning, match="alphabetical order"):
        on_texts(given).fit(given.X, alphabetical)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("positions", [False, True])
def test_a_saved_classifier_keeps_its_order(
    place: Place, tiny_clip: object, tmp_path: object, positions: bool
) -> None:
    paths = [str(place.images / name) for name in place.truth]
    names = list(place.truth.values())
    y = [CLASSES.index(name) for name in names] if positions else names
    model = GripClassifier(CLASSES, backbone=str(tiny_clip), rounds=1).fit(paths, y)
    model.save(str(tmp_path))
    loaded = GripClassifier.load(str(tmp_path))
    assert_array_equal(loaded.classes_, range(4) if positions else sorted(CLASSES))
    assert_array_equal(loaded.class_names_, CLASSES)
    assert_array_equal(loaded.predict_proba(paths), model.predict_proba(paths))
    assert_array_equal(loaded.predict(paths), model.predict(paths))
