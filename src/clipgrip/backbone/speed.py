"""Measures how fast each engine encodes images here, on three blocks of ViT-B/32 with random weights."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from jaxtyping import UInt8
from torch import Tensor

from clipgrip.backbone.device import choose_precision
from clipgrip.backbone.image_tower import ImageTower, VisionShape
from clipgrip.errors import MissingPackage
from clipgrip_line.preprocess import Preprocess

WIDTH, INNER, SIZE, PATCH, BLOCKS, BATCH = 768, 3072, 224, 32, 3, 16
"""Three of ViT-B/32's twelve blocks; the last one computes only the class token, as in the whole model."""
Encode = Callable[[UInt8[Tensor, "B H W 3"]], Tensor]


def measure(seconds: float = 1.0) -> dict[str, float]:
    """Images per second of each engine and precision that works here, by the fastest of several batches.

    The engines take turns for about ``seconds`` each, so that other load hits all of them. Only ratios are meaningful:
    a whole model has at least four times the work.
    """
    encoders = _encoders()
    pixels = torch.randint(
        0,
        256,
        (BATCH, SIZE, SIZE, 3),
        dtype=torch.uint8,
        generator=torch.Generator().manual_seed(0),
    )
    best = dict.fromkeys(encoders, float("inf"))
    for encode in encoders.values():
        encode(pixels)  # a warm-up: the first call is slower
    end = time.monotonic() + seconds * len(encoders)
    while time.monotonic() < end:
        for name, encode in encoders.items():
            began = time.perf_counter()
            encode(pixels)
            best[name] = min(best[name], time.perf_counter() - began)
    return {name: BATCH / took for name, took in best.items()}


def _encoders() -> dict[str, Encode]:
    tensors, shape = random_weights(), VisionShape(num_hidden_layers=BLOCKS, image_size=SIZE)
    exact = ImageTower(tensors, shape, Preprocess(SIZE, (SIZE, SIZE)))
    found: dict[str, Encode] = {"torch float32": exact}
    if choose_precision("auto", torch.device("cpu")) == "bfloat16":
        half = ImageTower(tensors, shape, Preprocess(SIZE, (SIZE, SIZE)), dtype=torch.bfloat16)
        found["torch bfloat16"] = half
    return found | _onnx_encoders(exact)


def _onnx_encoders(exact: ImageTower) -> dict[str, Encode]:
    from clipgrip.backbone import onnx_engine

    try:
        onnx_engine.check_installed()
    except MissingPackage:
        return {}
    parts = exact.parts()
    rounded = onnx_engine.OnnxTower(
        onnx_engine.quantized_model(onnx_engine.onnx_model(parts)), one_by_one=True
    )
    return {"onnx": onnx_engine.float_tower(parts), "onnx-int8": rounded}


def random_weights() -> dict[str, Tensor]:
    """The state dict of an untrained image tower."""
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection  # takes seconds

    config = CLIPVisionConfig(
        hidden_size=WIDTH,
        intermediate_size=INNER,
        num_hidden_layers=BLOCKS,
        image_size=SIZE,
        patch_size=PATCH,
    )
    with torch.random.fork_rng(devices=()):  # leave the caller's random state as it is
        state: dict[str, Tensor] = CLIPVisionModelWithProjection(config).state_dict()
    return state
