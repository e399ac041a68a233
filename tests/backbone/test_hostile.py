"""Whatever lies in a model's folder, it is used or refused in one sentence, without code, hang or traceback."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from clipgrip.backbone.adding import add_model
from clipgrip.backbone.clip import ClipBackbone
from clipgrip.backbone.registry import load_backbone
from clipgrip.errors import BackboneError, ClipgripError, PromptError
from clipgrip.prompts.classifier import zero_shot

CONFIG, IMAGES, TOKENS = "config.json", "preprocessor_config.json", "tokenizer.json"
TOKEN_SETTINGS, WEIGHTS = "tokenizer_config.json", "model.safetensors"
Change = Callable[[Path], Any]


@pytest.fixture
def folder(tiny_clip: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_clip, tmp_path / "model"))


def use(folder: Path) -> None:
    """What a run does first."""
    backbone = ClipBackbone("m", folder, precision="float32")
    size = backbone.image_size
    backbone.encode_image(torch.zeros(1, size, size, 3, dtype=torch.uint8).numpy())
    zero_shot(backbone, ["cat", "dog"])


def text(name: str, content: str) -> Change:
    return lambda folder: (folder / name).write_text(content)


def keys(name: str, **values: Any) -> Change:
    def change(folder: Path) -> None:
        content = json.loads((folder / name).read_text())
        for key, value in values.items():
            inner = content
            *parents, last = key.split("__")
            for parent in parents:
                inner = inner[parent]
            inner[last] = value
        (folder / name).write_text(json.dumps(content))

    return change


def instead(name: str, make: Callable[[Path], Any]) -> Change:
    def change(folder: Path) -> None:
        (folder / name).unlink()
        make(folder / name)

    return change


def weights(change: Callable[[dict[str, torch.Tensor]], Any]) -> Change:
    def changed(folder: Path) -> None:
        tensors = load_file(folder / WEIGHTS)
        change(tensors)
        save_file(tensors, folder / WEIGHTS)

    return changed


def narrow(tensors: dict[str, torch.Tensor]) -> None:
    name = next(n for n in tensors if n.startswith("vision") and "mlp.fc1.weight" in n)
    tensors[name] = tensors[name][:, :-1].contiguous()


def whole(tensors: dict[str, torch.Tensor]) -> None:
    name = next(n for n in tensors if n.startswith("vision") and "mlp.fc1.weight" in n)
    tensors[name] = tensors[name].to(torch.int8)


HOSTILE: dict[str, Change] = {
    "nested JSON": text(CONFIG, "[" * 200_000),
    "nested objects": text(IMAGES, '{"a":' * 200_000),
    "NaN": keys(IMAGES, rescale_factor=float("nan")),
    "infinity": text(CONFIG, '{"model_type": "clip", "logit_scale_init_value": Infinity}'),
    "a number of many digits": text(CONFIG, f'{{"model_type": "clip", "x": {"9" * 60_000}}}'),
    "a list": text(CONFIG, "[]"),
    "no text": lambda folder: (folder / CONFIG).write_bytes(b"\xff\xfe\x00"),
    "no type": text(CONFIG, "{}"),
    "a type that is a list": keys(CONFIG, model_type=["clip"]),
    "a config that is a number": keys(CONFIG, vision_config=3),
    "layers without end": keys(CONFIG, text_config__num_hidden_layers=10**9),
    "a width in words": keys(CONFIG, text_config__hidden_size="wide"),
    "no heads": keys(CONFIG, vision_config__num_attention_heads=0),
    "heads that do not divide": keys(CONFIG, vision_config__num_attention_heads=5),
    "images without end": keys(CONFIG, vision_config__image_size=10**9),
    "an epsilon in words": keys(CONFIG, vision_config__layer_norm_eps="small"),
    "a mean of two": keys(IMAGES, image_mean=[0.5, 0.5]),
    "a mean in words": keys(IMAGES, image_mean=["a", "b", "c"]),
    "a deviation of zero": keys(IMAGES, image_std=[0, 0, 0]),
    "a size of none": keys(IMAGES, crop_size={"height": -3, "width": 32}),
    "a size of words": keys(IMAGES, size={"shortest_edge": "32"}),
    "an unknown resampling": keys(IMAGES, resample=77),
    "a processor that is a number": keys(IMAGES, image_processor_type=5),
    "an inner processor that is a list": keys(IMAGES, image_processor=[]),
    "code in config": keys(CONFIG, auto_map={"AutoModel": "x.Y"}),
    "code within config": keys(CONFIG, text_config__auto_map={"AutoModel": "x.Y"}),
    "code in the processor": keys(IMAGES, auto_map={"AutoImageProcessor": "x.Y"}),
    "code in the tokenizer": keys(TOKEN_SETTINGS, auto_map={"AutoTokenizer": ["x.Y", None]}),
    "a folder for config": instead(CONFIG, os.mkdir),
    "a folder for weights": instead(WEIGHTS, os.mkdir),
    "a pipe for config": instead(CONFIG, os.mkfifo),
    "a pipe for weights": instead(WEIGHTS, os.mkfifo),
    "a pipe for the tokenizer": instead(TOKENS, os.mkfifo),
    "a link to itself": instead(TOKENS, lambda path: os.symlink(path, path)),
    "weights that link to themselves": instead(WEIGHTS, lambda path: os.symlink(path, path)),
    "no tokenizer": lambda folder: (folder / TOKENS).unlink(),
    "half a tokenizer": lambda folder: (folder / TOKENS).rename(folder / "vocab.json"),
    "a tokenizer of nothing": text(TOKENS, "{}"),
    "a tokenizer that is no JSON": text(TOKENS, "abc"),
    "cut weights": lambda folder: os.truncate(folder / WEIGHTS, 1000),
    "empty weights": lambda folder: os.truncate(folder / WEIGHTS, 0),
    "a weight of another shape": weights(narrow),
    "a weight of whole numbers": weights(whole),
    "no projection": weights(lambda tensors: tensors.pop("visual_projection.weight")),
    "no scale": weights(lambda tensors: tensors.pop("logit_scale")),
    "a scale beyond numbers": weights(lambda t: t.update(logit_scale=torch.tensor(1e30))),
    "a scale that is a list": weights(lambda t: t.update(logit_scale=torch.zeros(3))),
}


@pytest.mark.parametrize("fault", HOSTILE)
def test_a_hostile_folder_is_refused_in_one_sentence(fault: str, folder: Path) -> None:
    HOSTILE[fault](folder)
    with pytest.raises(ClipgripError) as error:
        use(folder)
    assert 20 < len(str(error.value)) < 1200
    with pytest.raises(ClipgripError):
        add_model(folder, "some/model")


@pytest.mark.parametrize("named", [None, [], {"a": 3}, {"a": ".."}, {"a": "gone.safetensors"}])
def test_a_hostile_index_is_refused_in_one_sentence(named: Any, folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": named}))
    with pytest.raises(BackboneError):
        use(folder)


def test_a_mean_that_is_one_number_counts_for_all_colours(folder: Path) -> None:
    keys(IMAGES, image_mean=0.5, image_std=0.25)(folder)
    assert ClipBackbone("m", folder)._preprocess.mean == (0.5, 0.5, 0.5)


def test_a_model_without_tokenizer_names_what_is_missing(folder: Path) -> None:
    (folder / TOKENS).unlink()
    with pytest.raises(BackboneError, match=r"no tokenizer.*tokenizer\.json, or vocab\.json with"):
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
