"""A template holds one place for the class name; several are averaged."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from builders import backbone, clip_model, full_text_features

from clipgrip.errors import ConfigError, DataError
from clipgrip.method import PRESETS
from clipgrip.prompts.classifier import cosine_logits, predict_proba, zero_shot
from clipgrip.prompts.templates import as_templates, check_template, fill, first_template
from clipgrip.prompts.textual import TextualPrompt
from clipgrip.starts import untuned
from clipgrip.template_files import expand


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


SEVERAL = ("a photo of a {}.", "a close-up of a {}", "{}")


def test_several_templates_give_the_mean_of_unit_vectors_at_length_one() -> None:
    names = ["cat", "dog", "dent"]
    each = [full_text_features(clip_model(), [t.format(n) for n in names]) for t in SEVERAL]
    ours = zero_shot(backbone(), names, SEVERAL)
    expected = F.normalize(sum(each), dim=-1)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(ours.norm(dim=1), torch.ones(3))


def test_their_order_matters_to_a_tuned_prompt_alone() -> None:
    names = ["cat", "dog"]
    ours, turned = (
        zero_shot(backbone(), names, SEVERAL),
        zero_shot(backbone(), names, SEVERAL[::-1]),
    )
    torch.testing.assert_close(ours, turned, rtol=0, atol=1e-6)
    assert first_template(SEVERAL) == SEVERAL[0]
    started = untuned(backbone(), names, PRESETS["default"]["textual"], template=SEVERAL, seed=0)
    words = TextualPrompt.from_template(backbone(), names, template=SEVERAL[0])
    assert torch.equal(started.class_embeds(), words.class_embeds())


def test_one_template_is_itself_bit_for_bit_however_it_is_given() -> None:
    alone = zero_shot(backbone(), ["cat", "dog"], SEVERAL[0])
    assert torch.equal(zero_shot(backbone(), ["cat", "dog"], SEVERAL[:1]), alone)
    assert expand(SEVERAL[:1]) == SEVERAL[0]


def test_a_file_holds_one_template_a_line_in_any_language(tmp_path: Path) -> None:
    path = tmp_path / "templates.txt"
    path.write_bytes("\ufeffa photo of a {}.\r\n\r\n# pictures\r\n{}の写真\r\n".encode())
    assert expand(f"@{path}") == ("a photo of a {}.", "{}の写真")
    assert expand([f"@{path}", "a {}"]) == ("a photo of a {}.", "{}の写真", "a {}")
    assert expand("@{} on steel") == "@{} on steel"


def test_what_is_wrong_with_templates_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="stands twice"):
        as_templates(["a {}", "a {}"])
    with pytest.raises(ConfigError, match="no template given"):
        as_templates([])
    with pytest.raises(ConfigError, match="exactly once"):
        as_templates(["a {}", "b"])
    with pytest.raises(DataError, match=r"gone\.txt: cannot be read"):
        expand(f"@{tmp_path / 'gone.txt'}")
    (tmp_path / "empty.txt").write_text("# nothing\n")
    with pytest.raises(ConfigError, match=r"empty\.txt holds no template"):
        expand(f"@{tmp_path / 'empty.txt'}")
