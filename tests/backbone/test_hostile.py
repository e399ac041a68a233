"""Whatever lies in a model's folder, it is used or refused in one sentence, without code, hang or traceback."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.faults.hostile import HOSTILE, IMAGES, TOKENS, WEIGHTS, keys
from clipgrip.backbone.clip import ClipBackbone
from clipgrip.backbone.model_import import add_model
from clipgrip.backbone.registry import load_backbone
from clipgrip.errors import BackboneError, ClipgripError, PromptError
from clipgrip.prompts.classifier import zero_shot


@pytest.fixture
def folder(tiny_clip: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_clip, tmp_path / "model"))


def use(folder: Path) -> None:
    """What a run does first."""
    backbone = ClipBackbone("m", folder, precision="float32")
    size = backbone.image_size
    backbone.encode_image(torch.zeros(1, size, size, 3, dtype=torch.uint8).numpy())
    zero_shot(backbone, ["cat", "dog"])


NO_NUMBERS = "a weight of no numbers"
"""Runs refuse it with the first embeddings, which the campaign tries."""


@pytest.mark.parametrize("fault", [name for name in HOSTILE if name != NO_NUMBERS])
def test_a_hostile_folder_is_refused_in_one_sentence(fault: str, folder: Path) -> None:
    HOSTILE[fault](folder)
    with pytest.raises(ClipgripError) as error:
        use(folder)
    assert 20 < len(str(error.value)) < 1200
    with pytest.raises(ClipgripError):
        add_model(folder, "some/model")


def test_weights_that_are_no_numbers_are_not_added(folder: Path) -> None:
    HOSTILE[NO_NUMBERS](folder)
    with pytest.raises(BackboneError, match="damaged: copy the model again"):
        add_model(folder, "some/model")


@pytest.mark.parametrize("named", [None, [], {"a": 3}, {"a": ".."}, {"a": "gone.safetensors"}])
def test_a_hostile_index_is_refused_in_one_sentence(named: Any, folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": named}))
    with pytest.raises(BackboneError):
        use(folder)


def test_a_mean_that_is_one_number_counts_for_all_colours(folder: Path) -> None:
    keys(IMAGES, image_mean=0.5, image_std=0.25)(folder)
    assert ClipBackbone("m", folder).steps.mean == (0.5, 0.5, 0.5)


def test_a_model_without_tokenizer_names_what_is_missing(folder: Path) -> None:
    (folder / TOKENS).unlink()
    with pytest.raises(
        BackboneError, match=r"no tokenizer.*tokenizer\.json / vocab\.json \+ merges"
    ):
        add_model(folder, "some/model")


def test_a_flipped_bit_in_an_added_models_weights_is_found(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLIPGRIP_MODELS", str(tmp_path / "models"))
    added = add_model(folder, "some/model").model
    assert load_backbone("some/model").fingerprint == added.fingerprint
    data = bytearray((added.folder / WEIGHTS).read_bytes())
    data[-100] ^= 1
    (added.folder / WEIGHTS).write_bytes(data)
    with pytest.raises(BackboneError, match=r"not as it was added.*another digest"):
        load_backbone("some/model")


def test_classes_of_equal_tokens_are_refused_with_both_names(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = ClipBackbone("m", folder)
    unknown = [598, 5, 599]
    monkeypatch.setattr(backbone.text, "tokenize", lambda texts: [unknown for _ in texts])
    with pytest.raises(PromptError, match='"傷" and "打痕" are the same tokens'):
        zero_shot(backbone, ["傷", "打痕"])
