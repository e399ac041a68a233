"""The shipped CLIP loads strictly, is small, and reads text the way the product expects."""

from __future__ import annotations

import json
import re

import pytest
import torch
from PIL import Image
from transformers import AutoTokenizer, CLIPModel, CLIPTokenizer
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from clipgrip.backbone.nano import weights_dir

MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def model() -> CLIPModel:
    loaded, report = CLIPModel.from_pretrained(weights_dir(), output_loading_info=True)
    assert not any(report[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    return loaded.eval()


@pytest.fixture(scope="module")
def words() -> CLIPTokenizer:
    return AutoTokenizer.from_pretrained(weights_dir())


def test_the_folder_stays_small() -> None:
    assert sum(path.stat().st_size for path in weights_dir().iterdir()) < 10 * MEGABYTE


def test_weights_load_as_float32_and_are_a_few_millions(model: CLIPModel) -> None:
    assert model.dtype == torch.float32
    assert 2_000_000 < sum(weight.numel() for weight in model.parameters()) < 5_000_000


def test_no_path_of_the_training_machine_is_left_in_the_folder() -> None:
    for path in weights_dir().glob("*.json"):
        assert not re.search(r"/(tmp|home|root|work)\b", path.read_text(encoding="utf-8")), (
            path.name
        )


def test_the_end_token_is_not_2_which_would_switch_the_pooling(model: CLIPModel) -> None:
    settings = json.loads((weights_dir() / "config.json").read_text())
    assert settings["text_config"]["eos_token_id"] == model.config.text_config.eos_token_id != 2


def test_text_is_pooled_at_the_end_token(model: CLIPModel, words: CLIPTokenizer) -> None:
    short = words("a photo of a seven.", return_tensors="pt")["input_ids"]
    padded = torch.cat([short, torch.full((1, 9), words.pad_token_id)], dim=1)
    with torch.no_grad():
        plain, longer = (model.text_model(input_ids=ids) for ids in (short, padded))
    torch.testing.assert_close(plain.pooler_output, plain.last_hidden_state[:, -1])
    torch.testing.assert_close(plain.pooler_output, longer.pooler_output)


def test_there_is_room_for_learned_context(model: CLIPModel) -> None:
    assert model.config.text_config.max_position_embeddings >= 64


def test_text_survives_the_tokenizer_in_lower_case(words: CLIPTokenizer) -> None:
    ids = words("A photo of the digit 7")["input_ids"]
    assert words.decode(ids, skip_special_tokens=True) == "a photo of the digit 7"
    assert (ids[0], ids[-1]) == (words.bos_token_id, words.eos_token_id)


@pytest.mark.parametrize("text", ["傷", "へこみ 錆", "🙂🔧", "", "Größe Ø 5 µm", "\n\t "])
def test_unknown_characters_become_tokens(
    text: str, model: CLIPModel, words: CLIPTokenizer
) -> None:
    ids = words(text, return_tensors="pt")["input_ids"]
    assert int(ids.max()) < model.config.text_config.vocab_size
    assert (ids == words.eos_token_id).sum() == 1
    assert torch.isfinite(model.text_model(input_ids=ids).pooler_output).all()


def test_long_text_is_cut_to_the_model_and_keeps_its_end(words: CLIPTokenizer) -> None:
    ids = words("digit " * 200, truncation=True)["input_ids"]
    assert len(ids) == 64
    assert ids[-1] == words.eos_token_id


def test_pictures_of_any_mode_become_the_input(model: CLIPModel) -> None:
    processor = CLIPImageProcessorPil.from_pretrained(weights_dir())
    pictures = [Image.new("L", (64, 64), 255), Image.new("RGB", (130, 90))]
    pixels = processor(pictures, return_tensors="pt")["pixel_values"]
    edge = model.config.vision_config.image_size
    assert pixels.shape == (2, 3, edge, edge)
    assert (float(pixels[0].min()), float(pixels[1].max())) == (1.0, -1.0)


def test_a_red_square_is_called_red(model: CLIPModel, words: CLIPTokenizer) -> None:
    processor = CLIPImageProcessorPil.from_pretrained(weights_dir())
    pixels = processor([Image.new("RGB", (64, 64), (210, 30, 30))], return_tensors="pt")
    names = ["red", "green", "blue", "black"]
    texts = words(
        [f"a photo of the color {name}." for name in names], padding=True, return_tensors="pt"
    )
    with torch.no_grad():
        logits = model(**pixels, **texts).logits_per_image
    assert names[int(logits.argmax())] == "red"
