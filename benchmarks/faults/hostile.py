"""Folders of models that are damaged or made to harm: used, or refused in one sentence."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from benchmarks.faults.place import Place
from benchmarks.faults.trials import Attempt, Case, Outcome
from benchmarks.faults.works import MODEL

CONFIG, IMAGES, TOKENS = "config.json", "preprocessor_config.json", "tokenizer.json"
TOKEN_SETTINGS, WEIGHTS = "tokenizer_config.json", "model.safetensors"
Change = Callable[[Path], Any]


def cases(place: Place, quick: bool) -> Iterator[Case]:
    """Each is run with, and added."""
    names = list(HOSTILE)[:5] if quick else list(HOSTILE)
    yield Case("hostile", "`run` with a hostile model", len(names), _used(place, names))
    yield Case("hostile", "`models add` of a hostile model", len(names), _added(place, names))


def _hostile(place: Place, name: str) -> Path:
    shutil.rmtree(place.folder / "hostile", ignore_errors=True)
    folder = Path(shutil.copytree(MODEL, place.folder / "hostile"))
    for path in folder.rglob("*"):
        path.chmod(0o644)
    HOSTILE[name](folder)
    return folder


def _used(place: Place, names: list[str]) -> Attempt:
    def attempt(_: random.Random, number: int) -> Outcome:
        _hostile(place, names[number])
        place.gone("out")
        words = ["run", "images", "--classes", "classes.txt", "--rounds", "1", "--out", "out"]
        ended = place.command([*words, "--backbone", "./hostile"])
        return _refused(names[number], ended.code, ended.said)

    return attempt


def _added(place: Place, names: list[str]) -> Attempt:
    def attempt(_: random.Random, number: int) -> Outcome:
        _hostile(place, names[number])
        ended = place.command(["models", "add", "./hostile", "--name", "bad/model"])
        return _refused(names[number], ended.code, ended.said)

    return attempt


def _refused(name: str, code: int, said: str) -> Outcome:
    last = said.strip().splitlines()[-1:] or [""]
    if code != 2 or "Traceback" in said or len(last[0]) > 1200:
        return Outcome(f"{name}: exit code {code}, {said[-300:]}")
    return Outcome(seen="refused in a sentence")


def text(name: str, content: str) -> Change:
    """The whole content of a file."""
    return lambda folder: (folder / name).write_text(content)


def keys(name: str, **values: Any) -> Change:
    """Keys of a JSON file; ``a__b`` stands in ``a``."""

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


def _instead(name: str, make: Callable[[Path], Any]) -> Change:
    def change(folder: Path) -> None:
        (folder / name).unlink()
        make(folder / name)

    return change


def _words(change: Callable[[int], int]) -> Change:
    """The numbers of all words."""

    def changed(folder: Path) -> None:
        content = json.loads((folder / TOKENS).read_text())
        words = content["model"]["vocab"]
        content["model"]["vocab"] = {word: change(number) for word, number in words.items()}
        (folder / TOKENS).write_text(json.dumps(content))

    return changed


def _weights(change: Callable[[dict[str, torch.Tensor]], Any]) -> Change:
    def changed(folder: Path) -> None:
        tensors = load_file(folder / WEIGHTS)
        change(tensors)
        save_file(tensors, folder / WEIGHTS)

    return changed


def _first_layer(tensors: dict[str, torch.Tensor]) -> str:
    return next(name for name in tensors if name.startswith("vision") and "mlp.fc1.weight" in name)


def _narrow(tensors: dict[str, torch.Tensor]) -> None:
    name = _first_layer(tensors)
    tensors[name] = tensors[name][:, :-1].contiguous()


def _whole(tensors: dict[str, torch.Tensor]) -> None:
    name = _first_layer(tensors)
    tensors[name] = tensors[name].to(torch.int8)


def _no_numbers(tensors: dict[str, torch.Tensor]) -> None:
    name = _first_layer(tensors)
    tensors[name] = torch.full_like(tensors[name], float("nan"))


def _long_header(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes((2**60).to_bytes(8, "little") + b"{}")


TEMPLATE = {
    "type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": "<no>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
    "pair": [],
    "special_tokens": {"<no>": {"id": "<no>", "ids": [10**6], "tokens": ["<no>"]}},
}  # fmt: skip
"""Puts a token that the model does not have before each text."""


def _generic_template(folder: Path) -> None:
    """CLIP's own class of tokenizers makes its template itself, whatever the file says."""
    keys(TOKENS, post_processor=TEMPLATE)(folder)
    keys(TOKEN_SETTINGS, tokenizer_class="PreTrainedTokenizerFast")(folder)


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
    "a folder for config": _instead(CONFIG, os.mkdir),
    "a folder for weights": _instead(WEIGHTS, os.mkdir),
    "a pipe for config": _instead(CONFIG, os.mkfifo),
    "a pipe for weights": _instead(WEIGHTS, os.mkfifo),
    "a pipe for the tokenizer": _instead(TOKENS, os.mkfifo),
    "a link to itself": _instead(TOKENS, lambda path: os.symlink(path, path)),
    "weights that link to themselves": _instead(WEIGHTS, lambda path: os.symlink(path, path)),
    "weights that are a device": _instead(WEIGHTS, lambda path: os.symlink("/dev/zero", path)),
    "no tokenizer": lambda folder: (folder / TOKENS).unlink(),
    "half a tokenizer": lambda folder: (folder / TOKENS).rename(folder / "vocab.json"),
    "a tokenizer of nothing": text(TOKENS, "{}"),
    "a tokenizer that is no JSON": text(TOKENS, "abc"),
    "a nested tokenizer": text(TOKENS, '{"model":' * 100_000),
    "a tokenizer without words": keys(TOKENS, model__vocab={}, model__merges=[]),
    "a tokenizer of another model": _words(lambda number: number + 10**6),
    "words below nought": _words(lambda number: number - 10**6),
    "merges that are no words": keys(TOKENS, model__merges=["xq zv"]),
    "an end token that is no word": keys(TOKEN_SETTINGS, eos_token="<nothing>"),
    "an end token that is a list": keys(TOKEN_SETTINGS, eos_token=["a"]),
    "settings of a tokenizer that are a list": text(TOKEN_SETTINGS, "[]"),
    "a template of unknown tokens": _generic_template,
    "cut weights": lambda folder: os.truncate(folder / WEIGHTS, 1000),
    "empty weights": lambda folder: os.truncate(folder / WEIGHTS, 0),
    "a header without end": _long_header,
    "a weight of another shape": _weights(_narrow),
    "a weight of whole numbers": _weights(_whole),
    "a weight of no numbers": _weights(_no_numbers),
    "no projection": _weights(lambda tensors: tensors.pop("visual_projection.weight")),
    "no scale": _weights(lambda tensors: tensors.pop("logit_scale")),
    "a scale beyond numbers": _weights(lambda t: t.update(logit_scale=torch.tensor(1e30))),
    "a scale that is a list": _weights(lambda t: t.update(logit_scale=torch.zeros(3))),
}
