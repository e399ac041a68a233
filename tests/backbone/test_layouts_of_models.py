"""Models as people copy them: in other layouts, with adapters, pointers or numbers of another range."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from clipgrip.backbone.clip import ClipBackbone
from clipgrip.backbone.model_import import add_model
from clipgrip.errors import BackboneError, PromptError
from clipgrip.prompts.classifier import zero_shot

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"


@pytest.fixture
def folder(tiny_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CLIPGRIP_MODELS", str(tmp_path / "models"))
    return Path(shutil.copytree(tiny_clip, tmp_path / "model"))


def empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def inner(folder: Path) -> None:
    files = list(folder.iterdir())
    (folder / "0_CLIPModel").mkdir()
    for path in files:
        path.rename(folder / "0_CLIPModel" / path.name)


def adapter(folder: Path) -> None:
    empty(folder)
    (folder / "adapter_config.json").write_text("{}")


def open_clip(folder: Path) -> None:
    empty(folder)
    (folder / "open_clip_config.json").write_text("{}")


def variant(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model.fp16.safetensors")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (inner, "A folder in it has one: give .*0_CLIPModel"),
        (adapter, "merge_and_unload"),
        (lambda folder: (folder / "adapter_config.json").write_text("{}"), "merge_and_unload"),
        (open_clip, "layout of open_clip"),
        (variant, r"model\.fp16\.safetensors is not called so"),
        (lambda folder: (folder / "model.safetensors").write_text(POINTER), "git lfs pull"),
        (lambda folder: (folder / "tokenizer.json").write_text(POINTER), "git lfs pull"),
    ],
)
def test_another_layout_is_named_with_what_to_give(
    folder: Path, change: Callable[[Path], Any], words: str
) -> None:
    change(folder)
    with pytest.raises(BackboneError, match=words):
        add_model(folder, "some/model")


@pytest.mark.parametrize(
    "settings",
    [
        {"image_mean": [122.7, 116.7, 104.0], "image_std": [68.5, 66.6, 70.3]},
        {"rescale_factor": 1},
        {"do_rescale": False},
        {"image_std": [68.5, 66.6, 70.3]},
    ],
)
def test_a_mean_of_another_range_than_the_pixels_is_refused(
    folder: Path, settings: dict[str, Any]
) -> None:
    path = folder / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    with pytest.raises(BackboneError, match="of another range"):
        ClipBackbone("m", folder, precision="float32")


@pytest.mark.parametrize("name", ["text_projection.weight", "visual_projection.weight"])
def test_a_tower_that_answers_the_same_to_everything_is_refused(folder: Path, name: str) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors[name] = tensors[name] * 0
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BackboneError, match="answers the same to everything"):
        add_model(folder, "some/model")
    if name.startswith("text"):
        with pytest.raises(PromptError, match="all classes are one vector to the model"):
            zero_shot(ClipBackbone("m", folder, precision="float32"), ["cat", "dog"])
