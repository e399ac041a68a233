"""The engine that computes image embeddings: torch, or ONNX Runtime in float32 or 8 bits."""

from __future__ import annotations

from typing import Literal

import torch

from clipgrip.backbone.families import ImageSide
from clipgrip.backbone.fastest import fastest
from clipgrip.backbone.image_tower import ImageTower
from clipgrip.errors import BackboneError, ConfigError, among

Engine = Literal["torch", "onnx", "onnx-int8", "auto"]
AUTO = "auto"
"""The faster of the exact engines on this machine (`fastest`)."""
EXACT = ("torch", "onnx")
"""Engines whose embeddings are equal up to rounding."""
ENGINES = (*EXACT, "onnx-int8")


def has_choice(engine: str, device: torch.device, precision: str, model_type: str) -> bool:
    """Whether `AUTO` has a choice: on the CPU, in automatic precision, for CLIP's own architecture."""
    free = device.type == "cpu" and precision == "auto" and model_type == "clip"
    return engine == AUTO and free


def check_engine(engine: str, device: torch.device, precision: str, model_type: str) -> str:
    """The engine; for `AUTO`, the one that it stands for on this machine and for this kind of model.

    Raises:
        ConfigError: it is unknown, or does not support the device or the precision.
        MissingPackage: ONNX Runtime is not installed.
    """
    if engine == AUTO:
        if not has_choice(engine, device, precision, model_type):
            return "torch"
        return fastest()
    if engine not in ENGINES:
        known = (*ENGINES, AUTO)
        raise ConfigError(
            'engine "{engine}" is unknown; known are {known}.{nearest}',
            engine=engine,
            **among(engine, known),
        )
    if engine == "torch":
        return engine
    if device.type != "cpu" or precision == "bfloat16":
        given = f'precision "{precision}"' if device.type == "cpu" else f'device "{device}"'
        raise ConfigError(
            'engine "{engine}" does not go with {given}: it works on the processor, in a '
            'precision of its own. Choose the engine "torch", or leave the other out.',
            engine=engine,
            given=given,
        )
    from clipgrip.backbone.onnx_engine import check_installed

    check_installed()
    return engine


def on_engine(tower: ImageSide, engine: str, fingerprint: str) -> ImageSide:
    """The tower on an engine. BackboneError: only torch can compute this kind of tower."""
    if engine == "torch":
        return tower
    if not isinstance(tower, ImageTower):
        raise BackboneError(
            'engine "{engine}" computes image towers of CLIP\'s kind, and this model has another '
            'one. Choose the engine "torch".',
            engine=engine,
        )
    from clipgrip.backbone.onnx_engine import float_tower, int8_tower

    parts = tower.parts()
    return float_tower(parts) if engine == "onnx" else int8_tower(parts, fingerprint)


def key_suffix(engine: str) -> str:
    """The engine's part of a cache key; empty for torch, so that keys of older versions stay valid."""
    if engine == "torch":
        return ""
    from clipgrip.backbone.onnx_engine import FORMAT

    return f"-{engine}-{FORMAT}"
