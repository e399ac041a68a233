"""The model and eyes of a prompt in float32 on torch, and the same as ONNX towers for a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F

from clipgrip.backbone.base import Backbone, Eye
from clipgrip.backbone.names import EMBEDDINGS
from clipgrip.backbone.onnx_engine import check_installed, quantized_model
from clipgrip.backbone.onnx_export import export_tower
from clipgrip.backbone.prompted import seen_through
from clipgrip.backbone.texture import Texture
from clipgrip.errors import RunError
from clipgrip.sentences import mark
from clipgrip.serving.predictor import Predictor, matching_backbone, prompt_of
from clipgrip.types import Probs
from clipgrip_line import texture
from clipgrip_line.towers import ONNX, TEXTURE, Pixels, Tower, steps_of, tower_from

Precision = Literal["float32", "int8"]
TEXT_ONLY_PROMPTS = ("zero-shot", "textual")
"""Kinds of prompts without tokens in the image tower."""
NEEDS_ONNX = mark(
    "a bundle holds ONNX models, which need two packages more to be written and tried ({error}). "
    "Install them with  pip install 'clipgrip[onnx]'."
)


@dataclass(frozen=True)
class Seeing:
    """The model and eyes of a prompt, loaded in float32."""

    predictor: Predictor
    eyes: tuple[Eye, ...]
    """The model first, with its visual prompt if it has one."""

    @classmethod
    def of(cls, predictor: Predictor) -> Seeing:
        """Load them in float32 on torch, whatever the run used.

        Raises:
            BackboneError: a model is not here, or is another one.
            RunError: the run learned from precomputed embeddings, so it has no model.
        """
        beside = predictor.beside
        eyes = () if beside is None else beside.eyes
        return cls(predictor, (plain_backbone(predictor), *(one.load("float32") for one in eyes)))

    def probs(self, pixels: Sequence[Sequence[Pixels]]) -> Probs:
        """Probabilities (N, C), not calibrated; ``pixels`` are the preprocessed images for each eye."""
        banks = [
            F.normalize(eye.encode_image(np.stack(images)).cpu().half().float(), dim=1)
            for eye, images in zip(self.eyes, pixels, strict=True)
        ]
        beside = self.predictor.beside
        return self.predictor.predict_proba(banks[0] if beside is None else beside.banks.joined(banks))  # fmt: skip


@dataclass(frozen=True)
class Packed:
    """The towers of a bundle: their facts in model.json, and their ONNX graphs by member."""

    facts: list[dict[str, Any]]
    graphs: dict[str, bytes] = field(repr=False)

    def towers(self) -> list[Tower]:
        """The towers as clipgrip_line runs them."""
        threads = torch.get_num_threads()
        return [tower_from(one, self.graphs.get(one.get("member", "")), threads) for one in self.facts]  # fmt: skip


def pack_towers(seeing: Seeing, precision: Precision) -> Packed:
    """Export the model and each eye to ONNX; the eye texture needs no graph.

    Raises:
        MissingPackage: onnx or ONNX Runtime is not installed.
        BackboneError: a tower cannot be exported.
    """
    check_installed(NEEDS_ONNX)
    facts: list[dict[str, Any]] = []
    graphs: dict[str, bytes] = {}
    for number, eye in enumerate(seeing.eyes):
        about = {"name": plain_name(eye.name), "fingerprint": eye.fingerprint}
        if isinstance(eye, Texture):
            facts.append({**about, "kind": TEXTURE, "revision": texture.REVISION})
            continue
        model, steps = export_tower(eye)
        member = f"towers/{f'eye{number}' if number else 'model'}.onnx"
        eight = precision == "int8"
        graphs[member] = (
            quantized_model(model) if eight else model.SerializeToString(deterministic=True)
        )
        content = {"kind": ONNX, "member": member, "pixels": steps_of(steps), "one_by_one": eight}
        facts.append({**about, **content})
    return Packed(facts, graphs)


def plain_backbone(predictor: Predictor) -> Backbone:
    """The model in float32 on torch, with the visual prompt if there is one."""
    facts = predictor.facts
    if facts.settings.get("backbone", EMBEDDINGS) == EMBEDDINGS:
        raise RunError(
            mark(
                "this run learned from embeddings that were brought, so no model here sees its images, and a bundle "
                "needs one. Run anew on the images themselves."
            )
        )
    settings = {**facts.settings, "engine": "torch"}
    backbone = matching_backbone(replace(facts, precision="float32", settings=settings))
    if facts.kind in TEXT_ONLY_PROMPTS:
        return backbone
    return seen_through(prompt_of(facts, backbone, predictor.learned), backbone)


def plain_name(name: str) -> str:
    """A model's name; of a path only the last part, so that a bundle tells no folders of this machine."""
    return Path(name).name if Path(name).is_dir() else name
