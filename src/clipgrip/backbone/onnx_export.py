"""Any model's image tower as an ONNX model: CLIP's written node by node, others traced through their own modules."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from clipgrip.backbone.base import Eye
from clipgrip.backbone.clip import ClipBackbone
from clipgrip.backbone.hf_towers import FullImage
from clipgrip.backbone.image_tower import ImageTower
from clipgrip.backbone.onnx_engine import written
from clipgrip.backbone.onnx_graph import INPUT, OPSET, OUTPUT
from clipgrip.backbone.prompted import PromptedBackbone
from clipgrip.backbone.vision import VisionEye
from clipgrip.errors import BackboneError
from clipgrip_line.preprocess import Preprocess

if TYPE_CHECKING:
    from onnx import ModelProto


def exported(eye: Eye) -> tuple[ModelProto, Preprocess]:
    """The tower of a model on torch in float32, with the prompt tokens that it sees through, and what comes before it.

    BackboneError: there is none, or it cannot be written as one.
    """
    if isinstance(eye, PromptedBackbone):
        inner = eye.backbone
        if isinstance(inner, ClipBackbone) and isinstance(inner.image_tower, ImageTower):
            return written(inner.image_tower.parts(), eye.tokens), inner.steps
    elif isinstance(eye, ClipBackbone | VisionEye):
        tower = eye.image_tower
        if isinstance(tower, ImageTower):
            return written(tower.parts()), eye.steps
        if isinstance(tower, FullImage):
            return traced(tower, eye.steps, eye.name), eye.steps
    raise BackboneError(
        "the image tower of {name} cannot be written as ONNX: it does not run on torch.",
        name=eye.name,
    )


def traced(tower: FullImage, steps: Preprocess, name: str) -> ModelProto:
    """The graph that one batch of two pictures leaves behind; the batch's size stays free.

    BackboneError: the tower does what ONNX has no node for, or is larger than the 2 GB of an ONNX file.
    """
    import onnx

    pictures = torch.zeros(2, *steps.output_size, 3, dtype=torch.uint8)
    free = {INPUT: {0: "batch"}, OUTPUT: {0: "batch"}}
    try:
        with tempfile.TemporaryDirectory() as folder, _quiet(), _fixed_positions(), torch.no_grad():
            path = Path(folder) / "tower.onnx"
            torch.onnx.export(
                _Features(tower).eval(), (pictures,), path, dynamo=False, opset_version=OPSET,
                input_names=[INPUT], output_names=[OUTPUT], dynamic_axes=free,
            )  # fmt: skip
            model: ModelProto = onnx.load_model(path)
    except (RuntimeError, ValueError, TypeError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise BackboneError(
            "the image tower of {name} cannot be written as ONNX: {first}",
            name=name,
            first=first[:200],
        ) from error
    for node in model.graph.node:  # says in which source file it was made: no two machines agree
        node.ClearField("doc_string")
    _fold_weights(model)
    return model


def _fold_weights(model: ModelProto) -> None:
    """Weights become constants of the graph, turned as they are multiplied: 8 bits find them, and no run turns them."""
    from onnx import numpy_helper

    graph, weights, rest = model.graph, {}, []
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            weights[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
        elif node.op_type == "Transpose" and node.input[0] in weights:
            turned = weights[node.input[0]].transpose(list(node.attribute[0].ints) or None)
            weights[node.output[0]] = np.ascontiguousarray(turned)
        elif node.op_type == "Identity" and node.input[0] in weights:
            weights[node.output[0]] = weights[node.input[0]]
        else:
            rest.append(node)
    used = {*_read(rest), *(one.name for one in graph.output)}
    graph.ClearField("node")
    graph.node.extend(rest)
    made = (numpy_helper.from_array(v, name) for name, v in weights.items() if name in used)
    graph.initializer.extend(made)


def _read(nodes: Iterable[Any]) -> Iterator[str]:
    """Names of the values that nodes take, those of the branches inside them too."""
    for node in nodes:
        yield from node.input
        for attribute in node.attribute:
            yield from _read(attribute.g.node)
            yield from (one.name for one in attribute.g.output)


class _Features(torch.nn.Module):
    """The tower as the exporter wants it."""

    def __init__(self, tower: FullImage) -> None:
        super().__init__()
        self._tower = tower

    def forward(self, pixels: Tensor) -> Tensor:
        """Features before normalisation."""
        return self._tower.features(pixels).float()


@contextmanager
def _fixed_positions() -> Iterator[None]:
    """Position embeddings that are stretched to the picture's size depend on no picture: their values are kept."""
    functional: Any = torch.nn.functional
    tracer: Any = torch._C
    usual = functional.interpolate

    def stretched(values: Tensor, *arguments: Any, **named: Any) -> Tensor:
        state = tracer._get_tracing_state()
        if state is None or values.shape[0] != 1:  # the batch has two pictures
            return usual(values, *arguments, **named)
        tracer._set_tracing_state(None)
        try:
            plain = {name: _plain(value) for name, value in named.items()}
            return usual(values.detach(), *map(_plain, arguments), **plain).clone()
        finally:
            tracer._set_tracing_state(state)

    functional.interpolate = stretched
    try:
        yield
    finally:
        functional.interpolate = usual


def _plain(value: Any) -> Any:
    """Sizes as numbers: while a graph is traced they are tensors."""
    if isinstance(value, tuple | list):
        return tuple(map(_plain, value))
    return value.item() if isinstance(value, Tensor) and value.ndim == 0 else value


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's advice: what it made is compared with torch's answers."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
