"""Exports image towers to ONNX: CLIP's is written node by node, others are traced through transformers' modules."""

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
from clipgrip.backbone.hf_towers import HfImageTower
from clipgrip.backbone.image_tower import ImageTower
from clipgrip.backbone.onnx_engine import onnx_model
from clipgrip.backbone.onnx_graph import INPUT, OPSET, OUTPUT
from clipgrip.backbone.prompted import PromptedBackbone
from clipgrip.backbone.vision import VisionEye
from clipgrip.errors import BackboneError
from clipgrip_line.preprocess import Preprocess

if TYPE_CHECKING:
    from onnx import ModelProto


def export_tower(eye: Eye) -> tuple[ModelProto, Preprocess]:
    """The image tower as an ONNX model, with visual prompt tokens if there are any, and its preprocessing.

    The model has to be on torch, in float32. BackboneError: it is not, or its tower cannot be exported.
    """
    if isinstance(eye, PromptedBackbone):
        inner = eye.backbone
        if isinstance(inner, ClipBackbone) and isinstance(inner.image_tower, ImageTower):
            return onnx_model(inner.image_tower.parts(), eye.tokens), inner.steps
    elif isinstance(eye, ClipBackbone | VisionEye):
        tower = eye.image_tower
        if isinstance(tower, ImageTower):
            return onnx_model(tower.parts()), eye.steps
        if isinstance(tower, HfImageTower):
            return trace_tower(tower, eye.steps, eye.name), eye.steps
    raise BackboneError(
        "the image tower of {name} cannot be written as ONNX: it does not run on torch.",
        name=eye.name,
    )


def trace_tower(tower: HfImageTower, steps: Preprocess, name: str) -> ModelProto:
    """The tower as a graph, traced with a batch of two images; the batch size stays dynamic.

    BackboneError: an operation has no ONNX node, or the tower is larger than the 2 GB of an ONNX file.
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
    for node in model.graph.node:  # holds paths of source files, which differ between machines
        node.ClearField("doc_string")
    _fold_weights(model)
    return model


def _fold_weights(model: ModelProto) -> None:
    """Replace constant nodes and transposes of constants by initializers.

    Quantisation looks for weights only among these, and no run has to transpose them again.
    """
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
    used = {*_used_names(rest), *(one.name for one in graph.output)}
    graph.ClearField("node")
    graph.node.extend(rest)
    made = (numpy_helper.from_array(v, name) for name, v in weights.items() if name in used)
    graph.initializer.extend(made)


def _used_names(nodes: Iterable[Any]) -> Iterator[str]:
    """Names of the inputs of nodes, and of what the sub-graphs in them use."""
    for node in nodes:
        yield from node.input
        for attribute in node.attribute:
            yield from _used_names(attribute.g.node)
            yield from (one.name for one in attribute.g.output)


class _Features(torch.nn.Module):
    """The tower as a module, which the exporter needs."""

    def __init__(self, tower: HfImageTower) -> None:
        super().__init__()
        self._tower = tower

    def forward(self, pixels: Tensor) -> Tensor:
        """Features before normalisation."""
        return self._tower.features(pixels).float()


@contextmanager
def _fixed_positions() -> Iterator[None]:
    """Trace interpolated position embeddings as constants: they depend on the size of the image, not its content."""
    functional: Any = torch.nn.functional
    tracer: Any = torch._C
    usual = functional.interpolate

    def stretched(values: Tensor, *arguments: Any, **named: Any) -> Tensor:
        state = tracer._get_tracing_state()
        if state is None or values.shape[0] != 1:  # it depends on the two images
            return usual(values, *arguments, **named)
        tracer._set_tracing_state(None)
        try:
            plain = {name: _as_number(value) for name, value in named.items()}
            return usual(values.detach(), *map(_as_number, arguments), **plain).clone()
        finally:
            tracer._set_tracing_state(state)

    functional.interpolate = stretched
    try:
        yield
    finally:
        functional.interpolate = usual


def _as_number(value: Any) -> Any:
    """Sizes as numbers; while a graph is traced they are tensors."""
    if isinstance(value, tuple | list):
        return tuple(map(_as_number, value))
    return value.item() if isinstance(value, Tensor) and value.ndim == 0 else value


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's warnings: tests compare the exported model with torch."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
