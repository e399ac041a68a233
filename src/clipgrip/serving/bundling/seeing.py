"""What sees images for a prompt, in float32 on torch, and the same as ONNX towers of a bundle."""

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
from clipgrip.backbone.onnx_engine import check_installed, quantised
from clipgrip.backbone.onnx_export import exported
from clipgrip.backbone.prompted import seen_through
from clipgrip.backbone.texture import Texture
from clipgrip.errors import RunError
from clipgrip.sentences import mark
from clipgrip.serving.predictor import Predictor, matching_backbone, prompt_of
from clipgrip.types import Probs
from clipgrip_line import texture
from clipgrip_line.towers import ONNX, TEXTURE, Pixels, Tower, steps_of, tower_from

Precision = Literal["float32", "int8"]
BESIDE_IMAGES = ("zero-shot", "textual")
"""What leaves the image tower as it is; any other prompt has tokens in it."""
NEEDS_ONNX = mark(
    "a bundle holds ONNX models, which need two packages more to be written and tried ({error}). "
    "Install them with  pip install 'clipgrip[onnx]'."
)


@dataclass(frozen=True)
class Seeing:
    """The model and the eyes beside it."""

    predictor: Predictor
    eyes: tuple[Eye, ...]
    """The model first, as its prompt sees images."""

    @classmethod
    def of(cls, predictor: Predictor) -> Seeing:
        """In float32 on torch, whatever the run used.

        Raises:
            BackboneError: a model is not here, or is another one.
            RunError: the run learned from embeddings, and no model of it sees images.
        """
        beside = predictor.beside
        eyes = () if beside is None else beside.eyes
        return cls(predictor, (plain_backbone(predictor), *(one.load("float32") for one in eyes)))

    def probs(self, pixels: Sequence[Sequence[Pixels]]) -> Probs:
        """(N, C) as the model says them; ``pixels`` holds the images of each eye."""
        banks = [
            F.normalize(eye.encode_image(np.stack(images)).cpu().half().float(), dim=1)
            for eye, images in zip(self.eyes, pixels, strict=True)
        ]
        beside = self.predictor.beside
        return self.predictor.predict_proba(banks[0] if beside is None else beside.banks.joined(banks))  # fmt: skip


@dataclass(frozen=True)
class Packed:
    """Towers of a bundle: what model.json says of each, and their graphs by member."""

    facts: list[dict[str, Any]]
    graphs: dict[str, bytes] = field(repr=False)

    def towers(self) -> list[Tower]:
        """As the line runs them."""
        threads = torch.get_num_threads()
        return [tower_from(one, self.graphs.get(one.get("member", "")), threads) for one in self.facts]  # fmt: skip


def pack_towers(seeing: Seeing, precision: Precision) -> Packed:
    """Every eye as an ONNX tower; the one that ships is arithmetic alone.

    Raises:
        MissingPackage: onnx or ONNX Runtime is not installed.
        BackboneError: a tower cannot be written so.
    """
    check_installed(NEEDS_ONNX)
    facts: list[dict[str, Any]] = []
    graphs: dict[str, bytes] = {}
    for number, eye in enumerate(seeing.eyes):
        about = {"name": plain_name(eye.name), "fingerprint": eye.fingerprint}
        if isinstance(eye, Texture):
            facts.append({**about, "kind": TEXTURE, "revision": texture.REVISION})
            continue
        model, steps = exported(eye)
        member = f"towers/{f'eye{number}' if number else 'model'}.onnx"
        eight = precision == "int8"
        graphs[member] = quantised(model) if eight else model.SerializeToString(deterministic=True)
        content = {"kind": ONNX, "member": member, "pixels": steps_of(steps), "one_by_one": eight}
        facts.append({**about, **content})
    return Packed(facts, graphs)


def plain_backbone(predictor: Predictor) -> Backbone:
    """The model as the prompt sees images, in float32 on torch."""
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
    if facts.kind in BESIDE_IMAGES:
        return backbone
    return seen_through(prompt_of(facts, backbone, predictor.learned), backbone)


def plain_name(name: str) -> str:
    """A model's name without the folders of this machine."""
    return Path(name).name if Path(name).is_dir() else name
