"""The files of a model: configuration, tensors, fingerprint. Code in them is never executed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from clipgrip.backbone.folder_checks import (
    ADAPTER,
    AGAIN,
    EYE_LAYOUT,
    LAYOUT,
    MERGE,
    check_code,
    check_files,
    check_numbers,
    read_json,
)
from clipgrip.errors import BackboneError
from clipgrip.sentences import Sentence, mark

SUPPORTED = {
    "clip": mark("CLIP, MetaCLIP, and LAION's models converted for transformers"),
    "metaclip_2": mark("MetaCLIP 2, for texts in many languages"),
    "siglip": mark("SigLIP, and SigLIP 2 of a fixed size, for texts in many languages"),
    "chinese_clip": mark("Chinese-CLIP"),
    "altclip": mark("AltCLIP, for texts in several languages"),
    "vision-text-dual-encoder": mark(
        "a ViT or CLIP image tower beside a BERT or RoBERTa, many in other languages"
    ),
}
"""``model_type`` in config.json -> the models that have it."""
VISION = {
    "dinov2": mark("DINOv2: sees shapes and surfaces best, and is free to use"),
    "dinov2_with_registers": mark("DINOv2 with registers"),
    "dinov3_vit": mark("DINOv3, which has a licence of its own"),
    "dinov3_convnext": mark("DINOv3's ConvNeXt"),
    "vit": mark("ViT, and DINO of the first kind"),
    "vit_msn": mark("MSN's ViT"),
    "deit": "DeiT",
    "swin": "Swin",
    "swinv2": mark("Swin of the second kind"),
    "convnext": "ConvNeXt",
    "convnextv2": mark("ConvNeXt of the second kind"),
    "resnet": "ResNet",
    "mobilenet_v1": "MobileNet",
    "mobilenet_v2": mark("MobileNet of the second kind, small and quick"),
}
"""``model_type`` of models without a text tower, which can be used as eyes beside CLIP."""
REFUSED = {
    "siglip2": Sentence(
        "SigLIP 2's NaFlex models take images of varying shape; choose one of a fixed size, such as "
        "google/siglip2-base-patch16-224"
    ),
    "align": Sentence(
        "ALIGN's image tower is no transformer; choose a model of CLIP's or SigLIP's kind"
    ),
}
"""``model_type`` of models that people may try -> why they cannot be used."""

PREPROCESSOR_FILES = ("preprocessor_config.json", "processor_config.json")
TOKENIZER_FILES = (
    *("tokenizer.json", "vocab.json", "merges.txt", "tokenizer_config.json"),
    *("vocab.txt", "spiece.model", "sentencepiece.bpe.model"),
)
TOKENIZERS = (
    *(("tokenizer.json",), ("vocab.json", "merges.txt"), ("vocab.txt",)),
    *(("spiece.model",), ("sentencepiece.bpe.model",)),
)
"""Sets of files of which any one is a complete tokenizer."""
INDEX = "model.safetensors.index.json"
WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """The files of one model, found and checked; the weights are not read yet."""

    folder: Path
    config: dict[str, Any]
    preprocessor: dict[str, Any]
    weights: tuple[Path, ...]

    @classmethod
    def open(cls, folder: Path, *, words: bool = True) -> Checkpoint:
        """Check that the folder holds a supported model. BackboneError: what is missing or wrong.

        With ``words`` it must have a text tower, without it must be one of `VISION`.
        """
        config = read_json(folder / "config.json", words=words)
        if (folder / ADAPTER).exists():
            raise BackboneError(MERGE)
        _check_kind(config, folder, words=words)
        check_numbers(folder / "config.json", config)
        layout = LAYOUT if words else EYE_LAYOUT
        weights = _weight_files(folder, layout)
        if words:
            _check_tokenizer(folder)
        names = (*PREPROCESSOR_FILES, *TOKENIZER_FILES, "special_tokens_map.json")
        there = [path for name in names if os.path.lexists(path := folder / name)]
        check_files(iter((*there, *weights)))
        for path in there:
            if path.name.endswith(("_config.json", "_map.json")):
                check_code(path, read_json(path))
        return cls(folder, config, _preprocessor(folder, layout), weights)

    def tensors(self, *prefixes: str) -> dict[str, Tensor]:
        """The tensors whose names begin with one of ``prefixes``, in float32."""
        return {
            name: tensor
            for path in self.weights
            for name, tensor in _read(path, prefixes)
            if not name.endswith("position_ids")
        }

    def fingerprint(self) -> str:
        """SHA-256 over all files that determine an embedding; the folder's path does not count."""
        names = ("config.json", *PREPROCESSOR_FILES, *TOKENIZER_FILES)
        files = [path for name in names if (path := self.folder / name).exists()]
        total = hashlib.sha256()
        for path in (*files, *self.weights):
            with path.open("rb") as file:
                total.update(
                    path.name.encode() + b"\0" + hashlib.file_digest(file, "sha256").digest()
                )
        return total.hexdigest()


def has_text_tower(folder: Path) -> bool:
    """Whether the model in a folder has a text tower, by its ``model_type``. BackboneError: the folder holds none."""
    return read_json(folder / "config.json", words=False).get("model_type") not in tuple(VISION)


def _check_kind(config: Mapping[str, Any], folder: Path, *, words: bool) -> None:
    path, kind = folder / "config.json", config.get("model_type")
    check_code(path, config)
    if isinstance(kind, str) and kind in REFUSED:
        raise BackboneError(
            '{path} says model_type "{kind}": {refused}.',
            path=path,
            kind=kind,
            refused=REFUSED[kind],
        )
    if words and isinstance(kind, str) and kind in VISION:
        raise BackboneError(
            '{path} says model_type "{kind}", a model that sees images and knows no words. Give it to --eye, '
            "beside a model that reads class names.",
            path=path,
            kind=kind,
        )
    supported = SUPPORTED if words else VISION
    if not isinstance(kind, str) or kind not in supported:
        known = "; ".join(f'"{name}" ({who})' for name, who in supported.items())
        raise BackboneError(
            '{path} says model_type "{kind}". Supported are: {known}.',
            path=path,
            kind=kind,
            known=known,
        )


def tensor_named(tensors: Mapping[str, Tensor], name: str) -> Tensor:
    """The tensor called ``name``; a BackboneError where the file lacks it."""
    if name not in tensors:
        raise BackboneError(
            "The weights have no tensor {name}: the file is incomplete or another model's. Copy "
            "the model again.",
            name=name,
        )
    return tensors[name]


def _preprocessor(folder: Path, layout: Sentence) -> dict[str, Any]:
    path = next((p for name in PREPROCESSOR_FILES if (p := folder / name).exists()), None)
    if path is None:
        raise BackboneError(
            "{path} is missing. {layout}", path=folder / PREPROCESSOR_FILES[0], layout=layout
        )
    content = read_json(path)
    inner = content.get("image_processor", content)
    if not isinstance(inner, dict):
        raise BackboneError(
            "{path}: image_processor is no JSON object. {again}", path=path, again=AGAIN
        )
    return inner


def _check_tokenizer(folder: Path) -> None:
    """BackboneError without tokenizer files: transformers would make an empty one, in which all texts are equal."""
    if not any(all((folder / name).exists() for name in names) for names in TOKENIZERS):
        wanted = " / ".join(" + ".join(names) for names in TOKENIZERS)
        raise BackboneError(
            "{folder} has no tokenizer, so no text can be read. It needs {wanted}. Copy them "
            "from the same model.",
            folder=folder,
            wanted=wanted,
        )


def _weight_files(folder: Path, layout: Sentence) -> tuple[Path, ...]:
    if (folder / WEIGHTS).exists():
        return (folder / WEIGHTS,)
    if (folder / INDEX).exists():
        named = read_json(folder / INDEX).get("weight_map")
        if not isinstance(named, dict) or not all(isinstance(n, str) for n in named.values()):
            raise BackboneError(
                "{path} has no weight_map of file names. {again}", path=folder / INDEX, again=AGAIN
            )
        names = sorted(set(named.values()))
        if any(Path(name).name != name for name in names):
            raise BackboneError(
                "{path} names files outside its folder. Copy the model again.", path=folder / INDEX
            )
        return tuple(folder / name for name in names)
    others = sorted(path.name for path in folder.glob("*.safetensors"))
    if others:
        raise BackboneError(
            "{path} is missing, and {name} is not called so. Rename it where it holds the whole model; weights in "
            "several files need {index}.",
            path=folder / WEIGHTS,
            name=others[0],
            index=INDEX,
        )
    pickles = sorted(path.name for path in folder.glob("*.bin"))
    reason = (
        Sentence(
            "{name} is there, but it can run code and is never opened; {how_to_convert}",
            name=pickles[0],
            how_to_convert=how_to_convert(str(folder)),
        )
        if pickles
        else layout
    )
    raise BackboneError("{path} is missing. {reason}", path=folder / WEIGHTS, reason=reason)


def how_to_convert(name: str) -> Sentence:
    """How to convert a model that is published as a pickle, on a machine where that may be opened."""
    folder = f"{Path(name).name}-safe"
    calls = (f"{kind}.from_pretrained({name!r}).save_pretrained({folder!r})" for kind in ("M", "P"))
    return Sentence(
        "convert it once on a machine of your trust (pip install transformers torch):\n"
        '  python -c "from transformers import AutoModel as M, AutoProcessor as P; {calls}"\n'
        'and go on with the folder "{folder}".',
        calls="; ".join(calls),
        folder=folder,
    )


def _read(path: Path, prefixes: tuple[str, ...]) -> Iterator[tuple[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 (not a dict)
                if name.startswith(prefixes):
                    yield name, _as_float(path, name, file.get_tensor(name))
    except (SafetensorError, OSError) as error:
        raise BackboneError(
            "{path} cannot be read: {error}. Copy the model again.", path=path, error=error
        ) from error


def _as_float(path: Path, name: str, tensor: Tensor) -> Tensor:
    if not tensor.is_floating_point() and not name.endswith("position_ids"):
        raise BackboneError(
            "{path}: the tensor {name} is of the type {dtype}; weights are floating-point "
            "numbers. {again}",
            path=path,
            name=name,
            dtype=tensor.dtype,
            again=AGAIN,
        )
    return tensor.float()
