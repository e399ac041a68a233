"""Builds transformers' own modules with a checkpoint's weights, frozen. Importing transformers takes seconds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from clipgrip.backbone.checkpoint import Checkpoint, tensor_named
from clipgrip.backbone.folder_checks import read_json
from clipgrip.backbone.text import ClipText
from clipgrip.errors import BackboneError

NEEDS_SENTENCEPIECE = ("SiglipTokenizer",)
"""Tokenizer classes that need the package sentencepiece; tokenizer.json gives the same ids without it."""


def clip_text(checkpoint: Checkpoint, device: torch.device) -> ClipText:
    """The causal text tower of the CLIP family, in float32."""
    from transformers.models.clip.configuration_clip import CLIPTextConfig
    from transformers.models.clip.modeling_clip import CLIPTextModel

    config = checkpoint.config
    settings = (config.get("text_config") or {}) | (config.get("text_config_dict") or {})
    with torch.device("meta"):
        model = CLIPTextModel(CLIPTextConfig(**settings))
    tower = getattr(model, "text_model", model)
    tensors = checkpoint.tensors("text_model.", "text_projection.")
    projection = _linear(tensor_named(tensors, "text_projection.weight"))
    try:
        tower.load_state_dict(_inner(tensors), strict=True, assign=True)
    except RuntimeError as error:
        raise BackboneError(
            "{folder}: the text tower does not fit: {error}. Copy the model again.",
            folder=checkpoint.folder,
            error=error,
        ) from error
    return ClipText(_freeze(tower, device), _freeze(projection, device), tokenizer(checkpoint))


def whole_model(checkpoint: Checkpoint, device: torch.device) -> Any:
    """The model that config.json names, both towers, in float32.

    BackboneError: a weight is missing, has another shape, or is unknown to the model.
    """
    return _freeze(_read_whole(checkpoint), device)


def _read_whole(checkpoint: Checkpoint, unused: tuple[str, ...] = ()) -> Any:
    """The model on the CPU. Weights of the modules ``unused`` may be missing or superfluous."""
    from transformers import AutoModel

    try:
        with _quiet():
            model, found = AutoModel.from_pretrained(
                str(checkpoint.folder),
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                dtype=torch.float32,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # `_check_complete` names them
            )
    except (OSError, ValueError, RuntimeError, TypeError, KeyError) as error:
        raise BackboneError(
            "{folder}: the model cannot be read: {error}. Copy the model again.",
            folder=checkpoint.folder,
            error=error,
        ) from error
    _check_complete(checkpoint, found, unused)
    return model


def vision_model(checkpoint: Checkpoint, device: torch.device) -> Any:
    """The image model that config.json names, in float32, without a head for classification.

    Its pooler may be missing: not every family uses it (`vision.FAMILIES`).
    """
    return _freeze(_read_whole(checkpoint, unused=("classifier", "pooler", "head")), device)


def tokenizer(checkpoint: Checkpoint) -> Any:
    """The checkpoint's own tokenizer, the same on every machine."""
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    folder, kind = checkpoint.folder, tokenizer_class(checkpoint)
    fast = kind in NEEDS_SENTENCEPIECE and (folder / "tokenizer.json").exists()
    reader = PreTrainedTokenizerFast if fast else AutoTokenizer
    try:
        return reader.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    except Exception as error:  # the tokenizers package raises bare exceptions
        raise BackboneError(
            "{folder}: the tokenizer cannot be read: {error} Copy the model again, with its "
            "tokenizer.json.",
            folder=folder,
            error=error,
        ) from error


def tokenizer_class(checkpoint: Checkpoint) -> str:
    """The class that tokenizer_config.json names; SigLIP's for a SigLIP model without one, else empty."""
    path = checkpoint.folder / "tokenizer_config.json"
    named = read_json(path).get("tokenizer_class") if path.exists() else None
    return str(named or ("SiglipTokenizer" if checkpoint.config["model_type"] == "siglip" else ""))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without progress bars and tables of weights: our error says what is wrong with them."""
    from transformers.utils import logging

    shown, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()


def _check_complete(
    checkpoint: Checkpoint, found: Mapping[str, Any], unused: tuple[str, ...]
) -> None:
    passed = ("position_ids", *(f"{name}." for name in unused))
    wrong = {
        kind: sorted(
            str(name)
            for name in found.get(key) or ()
            if not any(part in str(name) for part in passed)
        )
        for kind, key in (
            ("missing", "missing_keys"),
            ("of another shape", "mismatched_keys"),
            ("unknown", "unexpected_keys"),
        )
    }
    problems = [f"{len(names)} {kind} ({names[0]})" for kind, names in wrong.items() if names]
    if problems:
        raise BackboneError(
            "{folder}: config.json and weights do not fit: {problems}. Copy the model again.",
            folder=checkpoint.folder,
            problems=", ".join(problems),
        )


def _inner(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    at = "text_model."
    return {name.removeprefix(at): value for name, value in tensors.items() if name.startswith(at)}


def _freeze(module: Any, device: torch.device) -> Any:
    """The module on the device without gradients. Position ids on the meta device have no values and are made anew."""
    for part in module.modules():
        ids = getattr(part, "position_ids", None)
        if isinstance(ids, torch.Tensor) and ids.is_meta:
            part.position_ids = torch.arange(ids.shape[-1]).expand(ids.shape)
    return module.to(device).eval().requires_grad_(False)


def _linear(weight: torch.Tensor) -> torch.nn.Linear:
    layer = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False, device="meta")
    layer.weight = torch.nn.Parameter(weight)
    return layer
