"""Embeddings without a model: unlabeled rows, few labels and texts each add what they know."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from vectors import NAMES, Vectors, on_texts, vectors

from clipgrip import GripClassifier
from clipgrip.errors import PromptError
from clipgrip.prompts.classifier import predict_proba
from clipgrip.prompts.residual import ResidualPrompt

FEATURES = Path(__file__).parents[3] / "shared" / "data" / "clip-features"


@pytest.fixture(scope="module")
def given() -> Vectors:
    return vectors()


def test_zero_shot_is_the_softmax_of_scaled_cosines(given: Vectors) -> None:
    model = on_texts(given, strategy="zero-shot").fit(given.X)
    sides = (
        torch.nn.functional.normalize(torch.tensor(v), dim=-1)
        for v in (given.X, given.class_embeds)
    )
    expected = predict_proba(*sides, 20.0).numpy()
    order = [NAMES.index(name) for name in model.classes_]
    assert_allclose(model.predict_proba(given.X), expected[:, order], atol=1e-6)
    assert model.rounds_ == []


def test_rounds_on_embeddings_are_those_of_the_strategy(given: Vectors) -> None:
    model = on_texts(given, strategy="ifpl", rounds=3, preset="paper").fit(given.X)
    assert [done.number for done in model.rounds_] == [1, 2, 3]
    again = on_texts(given, strategy="ifpl", rounds=3, preset="paper").fit(given.X)
    assert_array_equal(model.predict_proba(given.X), again.predict_proba(given.X))


def test_labels_of_some_classes_only_make_it_trzsl(given: Vectors) -> None:
    y = [name if name == "zero" else None for name in given.y]
    assert on_texts(given).fit(given.X, y).paradigm_ == "TRZSL"
    assert on_texts(given, candidates="all").fit(given.X, y).paradigm_ == "SSL"


def test_labels_alone_make_a_classifier_and_a_class_without_labels_gets_nothing(
    given: Vectors,
) -> None:
    y = [name if n % 5 == 0 and name != "one" else None for n, name in enumerate(given.y)]
    model = GripClassifier(NAMES, backbone="embeddings").fit(given.X, y)
    assert_array_equal(model.classes_, sorted(NAMES))
    proba = model.predict_proba(given.X)
    assert (proba[:, list(model.classes_).index("one")] == 0).all()
    rest = given.y != "one"
    assert (model.predict(given.X[rest]) == given.y[rest]).mean() > 0.9


def test_without_names_the_classes_are_the_rows_of_class_embeds(given: Vectors) -> None:
    model = on_texts(given, class_names=None).fit(given.X)
    assert_array_equal(model.classes_, [0, 1, 2])
    assert (model.predict(given.X) == given.positions).mean() > 0.9
    labeled = on_texts(given, class_names=None).fit(given.X, given.positions)
    assert labeled.score(given.X, given.positions) > 0.9


def test_a_residual_begins_as_zero_shot_and_takes_only_its_own_shape(given: Vectors) -> None:
    base = torch.nn.functional.normalize(torch.tensor(given.class_embeds), dim=-1)
    prompt = ResidualPrompt.untuned(base, 20.0)
    assert_allclose(prompt.class_embeds(), base, atol=1e-6)
    shifted = prompt.with_learned({"residual": torch.ones(3, 12)})
    assert_allclose(shifted.class_embeds().norm(dim=-1), torch.ones(3), atol=1e-6)
    for learned in ({"residual": torch.ones(2, 12)}, {"ctx": torch.ones(3, 12)}, {}):
        with pytest.raises(PromptError, match="a residual prompt on this model needs"):
            prompt.with_learned(learned)


@pytest.mark.skipif(not FEATURES.is_dir(), reason="needs ../shared/data/clip-features")
def test_unlabeled_rows_better_a_poor_start_on_real_embeddings() -> None:
    data = np.load(FEATURES / "flowers.npz")
    pool, test = (data[f"{part}_embeds"].astype(np.float32) for part in ("pool", "test"))
    shots, labels = data["shot1_embeds"].astype(np.float32), data["shot1_labels"]
    start = np.stack([shots[labels == c].mean(0) for c in range(labels.max() + 1)])
    options = {"backbone": "embeddings", "class_embeds": start}
    scores = [
        GripClassifier(strategy=strategy, **options).fit(pool).score(test, data["test_labels"])
        for strategy in ("zero-shot", "grip")
    ]
    assert scores[1] > scores[0] + 0.1
