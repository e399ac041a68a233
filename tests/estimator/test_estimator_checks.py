"""What scikit-learn asks of every classifier: all of it on embeddings; on images what needs no table of numbers."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.base import BaseEstimator
from sklearn.exceptions import SkipTestWarning
from sklearn.utils import estimator_checks, get_tags
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks
from vectors import NAMES

from clipgrip import GripClassifier

EXPECTED = {
    "check_classifiers_classes": "asks for a class named -1, which means unlabeled",
    "check_supervised_y_2d": "wants a column as y to be flattened with a warning; it is refused with a sentence",
}
WITHOUT_DATA = (
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_get_params_invariance",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_set_params",
    "check_valid_tag_types",
)


@parametrize_with_checks(
    [GripClassifier(backbone="embeddings")], expected_failed_checks=lambda _: EXPECTED
)
@pytest.mark.filterwarnings("default")
def test_scikit_learns_checks_pass_on_embeddings(estimator: BaseEstimator, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize("check", WITHOUT_DATA)
@pytest.mark.parametrize("names", [None, NAMES])
def test_scikit_learns_checks_that_need_no_data_pass_on_images(check: str, names: Any) -> None:
    getattr(estimator_checks, check)("GripClassifier", GripClassifier(names))


def test_scikit_learn_is_told_that_images_are_no_table() -> None:
    images, embeddings = (
        get_tags(GripClassifier(NAMES)),
        get_tags(GripClassifier(backbone="embeddings")),
    )
    assert not images.input_tags.two_d_array
    assert images.input_tags.string
    assert not images.target_tags.required
    assert embeddings.input_tags.two_d_array
    assert embeddings.target_tags.required
    assert images.classifier_tags.multi_class
    assert not images.classifier_tags.multi_label
    with pytest.warns(SkipTestWarning, match="Can't test estimator"):
        list(estimator_checks_generator(GripClassifier(NAMES)))
