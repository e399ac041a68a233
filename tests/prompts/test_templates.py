"""A template holds one place for the class name."""

from __future__ import annotations

import pytest
import torch
from builders import backbone, clip_model, full_text_features

from clipgrip.errors import ConfigError
from clipgrip.prompts.classifier import cosine_logits, predict_proba, zero_shot
from clipgrip.prompts.templates import check_template, fill


@pytest.mark.parametrize("template", ["a photo", "", "{} and {}"])
def test_a_template_without_exactly_one_place_is_refused(template: str) -> None:
    with pytest.raises(ConfigError, match="exactly once"):
        check_template(template)


def test_each_name_fills_the_place_as_it_is() -> None:
    assert fill("a {}.", ["cat", "{0} %s"]) == ["a cat.", "a {0} %s."]


def test_zero_shot_is_transformers_text_feature_of_the_filled_template() -> None:
    expected = full_text_features(clip_model(), ["a photo of a cat.", "a photo of a dog."])
    ours = zero_shot(backbone(), ["cat", "dog"])
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-5)


def test_logits_are_scaled_cosines_and_probabilities_their_softmax() -> None:
    images, classes = torch.eye(3)[:2], torch.eye(3)
    assert cosine_logits(images, classes, 5.0).tolist() == [[5, 0, 0], [0, 5, 0]]
    expected = torch.tensor([5.0, 0, 0]).softmax(0)
    torch.testing.assert_close(predict_proba(images, classes, 5.0)[0], expected)
