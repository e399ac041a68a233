"""Checks of a model's folder before its weights are read: regular files, JSON objects, plausible numbers, no code."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import torch

from clipgrip.errors import BackboneError, ClipgripError
from clipgrip.files import open_file, read_file, system_words
from clipgrip.sentences import Sentence
from clipgrip_line.causes import cause
from clipgrip_line.preprocess import AGAIN as AGAIN
from clipgrip_line.preprocess import finite as finite

MAX_JSON = 64 << 20
POINTER = b"version https://git-lfs"
LIMITS = {
    **dict.fromkeys(("num_hidden_layers", "num_attention_heads", "num_key_value_heads"), 1024),
    **dict.fromkeys(("image_size", "patch_size"), 4096),
    **dict.fromkeys(("hidden_size", "intermediate_size", "projection_dim", "num_channels"), 1 << 20),
    **dict.fromkeys(("max_position_embeddings", "vocab_size", "type_vocab_size"), 1 << 24),
}  # fmt: skip
"""Upper limits of sizes in config.json; a larger one would take memory and hours before loading fails."""


def read_json(path: Path, *, words: bool = True) -> dict[str, Any]:
    """The JSON object in a file. BackboneError: there is none; ``words`` chooses the layout that the error explains."""
    try:
        content = json.loads(read_file(path, MAX_JSON), parse_constant=_no_number)
    except FileNotFoundError:
        raise BackboneError(
            "{path} is missing: this is not the folder of a model. {layout}",
            path=path,
            layout=_instead(path.parent) or (LAYOUT if words else EYE_LAYOUT),
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise BackboneError(
            "{path} cannot be read: {why}. {again}", path=path, why=cause(error), again=AGAIN
        ) from error
    if not isinstance(content, dict):
        raise BackboneError("{path} does not hold a JSON object. {again}", path=path, again=AGAIN)
    return content


LAYOUT = Sentence(
    "It needs config.json, preprocessor_config.json, tokenizer.json and model.safetensors, "
    "as transformers' save_pretrained writes them."
)
EYE_LAYOUT = Sentence(
    "It needs config.json, preprocessor_config.json and model.safetensors, and tokenizer.json if it reads texts, as "
    "transformers' save_pretrained writes them."
)


ADAPTER = "adapter_config.json"
MERGE = Sentence(
    "{file} belongs to an adapter (LoRA), which is not read. Merge it into its model once (peft: merge_and_unload, "
    "then save_pretrained) and give that folder.",
    file=ADAPTER,
)


def _instead(folder: Path) -> Sentence | None:
    """What a folder without config.json may be, and what to give instead; None where nothing is recognized."""
    if inner := sorted(folder.glob("*/config.json")):
        return Sentence("A folder in it has one: give {folder}.", folder=inner[0].parent)
    if (folder / ADAPTER).exists():
        return MERGE
    if (folder / "open_clip_config.json").exists():
        return Sentence(
            "It is a model in the layout of open_clip; take the one that is converted for transformers, which most "
            "publishers offer beside it."
        )
    return None


def check_files(paths: Iterator[Path]) -> None:
    """BackboneError where one of these is no readable file: a folder, a pipe, a broken link, a pointer of Git LFS."""
    for path in paths:
        try:
            with open_file(path) as file:
                head = file.read(len(POINTER))
            if head == POINTER:
                raise BackboneError(
                    "{path} is a pointer of Git LFS in the file's place. Run git lfs pull where it was cloned, or "
                    "copy the model again.",
                    path=path,
                )
        except OSError as error:
            raise BackboneError(
                "{path} cannot be read: {reason}. {again}",
                path=path,
                reason=system_words(error),
                again=AGAIN,
            ) from error


def check_code(path: Path, content: Mapping[str, Any]) -> None:
    """BackboneError where a JSON file asks for code that comes with the model (auto_map), at any depth."""
    if _asks_for_code(content):
        raise BackboneError(
            "{path} asks for code that comes with the model (auto_map), and clipgrip runs none. "
            "Choose a model that transformers knows by itself; google/siglip2-base-patch16-224, for "
            "one, reads many languages.",
            path=path,
        )


def check_numbers(path: Path, config: Mapping[str, Any]) -> None:
    """BackboneError where config.json holds a size above `LIMITS`, in nested objects too."""
    for name, value in config.items():
        most = LIMITS.get(name)
        if isinstance(value, Mapping):
            check_numbers(path, value)
        elif name.endswith(("_config", "_config_dict")) and value is not None:
            raise BackboneError(
                "{path}: {name} is no JSON object. {again}", path=path, name=name, again=AGAIN
            )
        elif most and value is not None and not _is_whole(value, most):
            raise BackboneError(
                "{path}: {name} is {value}; it must be a whole number from 1 to {most}. {again}",
                path=path,
                name=name,
                value=f"{str(value)[:40]!r}",
                most=most,
                again=AGAIN,
            )


@contextmanager
def as_backbone_error(folder: Path) -> Iterator[None]:
    """Turn any other error about a model's files into a BackboneError; lack of memory and system errors pass."""
    try:
        yield
    except (ClipgripError, torch.OutOfMemoryError, OSError):
        raise
    except Exception as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise BackboneError(
            "{folder}: the model's files do not fit each other, or are damaged: {first} {again}",
            folder=folder,
            first=cause(first[:200]),
            again=AGAIN,
        ) from error


def _is_whole(value: Any, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most


def _asks_for_code(value: Any) -> bool:
    if isinstance(value, Mapping):
        return bool(value.get("auto_map")) or any(map(_asks_for_code, value.values()))
    return isinstance(value, list) and any(map(_asks_for_code, value))


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number in JSON")
