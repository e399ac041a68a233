"""GripClassifier on several banks of embeddings."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from clipgrip import GripClassifier
from clipgrip.errors import ConfigError, DataError
from clipgrip.method import Method
from clipgrip.pseudolabel.bank_weights import BankSettings
from tests.bank_pools import CLASSES, SCALE, noise, pool

NAMES = [f"class {n}" for n in range(CLASSES)]
TRUTH = np.array(NAMES)[pool().truth.numpy()]


def arrays() -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
    """A pool's banks, new images' banks and their classes: every other image is new."""
    one = pool()
    banks = [one.clip.numpy(), one.eye.numpy()]
    return [b[::2] for b in banks], [b[1::2] for b in banks], TRUTH[1::2]


def classifier(**options: object) -> GripClassifier:
    return GripClassifier(NAMES, backbone="embeddings", logit_scale=SCALE, rounds=2, **options)


def test_new_images_keep_what_the_eye_brings() -> None:
    banks, new, truth = arrays()
    texts = pool().texts.numpy()
    alone = classifier(class_embeds=texts).fit(banks[0]).score(new[0], truth)
    both = classifier(class_embeds=texts).fit(banks)
    assert both.banks_.weights[1] > 0.5
    assert both.score(new, truth) > alone + 0.03


def test_a_bank_of_noise_changes_no_answer() -> None:
    banks, new, _ = arrays()
    texts = pool().texts.numpy()
    useless = noise(300).numpy()
    alone = classifier(class_embeds=texts).fit(banks[0]).predict_proba(new[0])
    model = classifier(class_embeds=texts).fit([banks[0], useless[::2]])
    assert model.banks_.weights == (1.0, 0.0)
    assert np.array_equal(model.predict_proba([new[0], useless[1::2]]), alone)


def test_the_method_given_says_how_banks_are_weighed() -> None:
    banks, _, _ = arrays()
    method = Method(banks=BankSettings(significance=1e9), refine="auto")
    model = classifier(class_embeds=pool().texts.numpy(), method=method).fit(banks)
    assert model.banks_.weights == (1.0, 0.0)


def test_labels_alone_learn_from_every_bank() -> None:
    banks, new, truth = arrays()
    y = TRUTH[::2].copy()
    y[np.arange(len(y)) % 30 >= 3] = ""
    alone, both = (
        classifier().fit(X, y).score(Z, truth) for X, Z in ((banks[0], new[0]), (banks, new))
    )
    assert both > alone


def test_a_fitted_classifier_travels_with_its_banks() -> None:
    banks, new, _ = arrays()
    model = classifier(class_embeds=pool().texts.numpy()).fit(banks)
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict_proba(new), model.predict_proba(new))


def test_other_banks_than_in_fit_are_refused() -> None:
    banks, new, _ = arrays()
    model = classifier(class_embeds=pool().texts.numpy()).fit(banks)
    with pytest.raises(DataError, match="fit had 2"):
        model.predict(new[0])
    with pytest.raises(DataError, match="same encoders"):
        model.predict([new[0], new[1][:, :3]])


def test_banks_of_different_images_are_refused() -> None:
    banks, _, _ = arrays()
    with pytest.raises(DataError, match="same image"):
        classifier(class_embeds=pool().texts.numpy()).fit([banks[0], banks[1][:-1]])


def test_eyes_need_images_and_are_not_ignored_on_embeddings() -> None:
    classifier = GripClassifier(["a", "b"], backbone="embeddings", eyes=["texture"])
    with pytest.raises(ConfigError, match="eyes need images"):
        classifier.fit(np.eye(4), [0, 1, 0, 1])
