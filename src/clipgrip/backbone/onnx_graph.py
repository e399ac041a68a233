"""CLIP's image tower as an ONNX graph, written node by node: uint8 pixels in, features before normalisation out.

The same sums as `image_tower`: normalisation inside the patch weights, joined queries, keys and values, a last block
that asks for the class token alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from clipgrip.backbone.image_tower import CENTRE, Affine, Block, TowerParts

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET, IR_VERSION = 20, 9
"""Layer norms are nodes since 17, GELU since 20; both versions are read by ONNX Runtime from 1.17 on."""
INPUT, OUTPUT = "pixels", "features"
END = 2**31 - 1
"""As the end of a slice: after the last token, however many there are."""
PATCHES = "patches"
"""Name of the node of the patch embedding; quantisation leaves it and the last node, ``OUTPUT``, in float32."""


def image_graph(parts: TowerParts, prompts: Tensor | None = None) -> ModelProto:
    """The graph for pixels (B, H, W, 3) of any batch size B; its output is (B, D).

    Visual ``prompts`` (K, P, E), as in `ImageTower.encode`, become constants of the graph.
    """
    from onnx import TensorProto, helper

    graph = _Graph()
    if prompts is None:
        prompts = parts.start.new_zeros(1, 0, parts.start.shape[-1])
    hidden = graph.insert(_embed(graph, parts), prompts[0])
    hidden = graph.norm(hidden, parts.pre_norm, parts.eps)
    tokens = 1 + parts.positions.shape[0] + prompts.shape[1]
    for number, block in enumerate(parts.blocks):
        if 0 < number < len(prompts):
            hidden = graph.insert(hidden, prompts[number], instead=prompts.shape[1])
        last = number == len(parts.blocks) - 1
        hidden = _block(graph, block, hidden, parts, tokens=tokens, last=last)
    pooled = graph.add("Squeeze", hidden, graph.ints([1]))
    pooled = graph.norm(pooled, parts.post_norm, parts.eps)
    graph.add("MatMul", pooled, graph.constant(parts.projection.T), name=OUTPUT)
    size, width = parts.image_size, parts.projection.shape[0]
    pixels = helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["batch", size, size, 3])
    features = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch", width])
    made = helper.make_graph(graph.nodes, "image_tower", [pixels], [features], graph.constants)
    return helper.make_model(
        made,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="clipgrip",
    )


class _Graph:
    """Collects nodes and constants. A value has the name of the node that computes it."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, kind: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """A node with one output, and the output's name."""
        from onnx import helper

        name = name or f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, value: Tensor) -> str:
        """A float32 constant."""
        return self._constant(value.detach().float().cpu().contiguous().numpy())

    def number(self, value: float) -> str:
        """A float32 number."""
        return self._constant(np.array(value, np.float32))

    def ints(self, values: Sequence[int]) -> str:
        """Whole numbers, for shapes and axes."""
        return self._constant(np.array(values, np.int64))

    def linear(self, hidden: str, layer: Affine) -> str:
        """``hidden @ weight.T + bias``."""
        product = self.add("MatMul", hidden, self.constant(layer.weight.T))
        return self.add("Add", product, self.constant(layer.bias))

    def norm(self, hidden: str, norm: Affine, eps: float) -> str:
        """Layer normalisation over the last axis."""
        weights = self.constant(norm.weight), self.constant(norm.bias)
        return self.add("LayerNormalization", hidden, *weights, axis=-1, epsilon=eps)

    def reshape(self, hidden: str, *shape: int) -> str:
        """``hidden`` in another shape, in which -1 is the batch of any size."""
        return self.add("Reshape", hidden, self.ints(shape))

    def slice(self, hidden: str, axis: int, start: int, stop: int) -> str:
        """``hidden[start:stop]`` along an axis."""
        return self.add("Slice", hidden, *(self.ints([n]) for n in (start, stop, axis)))

    def first(self, value: Tensor) -> str:
        """A constant (P, E) in front of each image's tokens: (B, P, E)."""
        batch = self.add("Shape", INPUT, start=0, end=1)
        shape = self.add("Concat", batch, self.ints(value.shape), axis=0)
        return self.add("Expand", self.constant(value[None]), shape)

    def insert(self, hidden: str, prompts: Tensor, instead: int = 0) -> str:
        """Prompt tokens (P, E) after the class token, in the place of ``instead`` tokens that stood there."""
        if not len(prompts):
            return hidden
        rest = self.slice(hidden, 1, 1 + instead, END)
        return self.add("Concat", self.slice(hidden, 1, 0, 1), self.first(prompts), rest, axis=1)

    def _constant(self, array: np.ndarray) -> str:
        from onnx import numpy_helper

        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name


def _embed(graph: _Graph, parts: TowerParts) -> str:
    """Patches as rows through one matrix, the class token before them, positions added."""
    from onnx import TensorProto

    size, side = parts.patch_size, parts.image_size // parts.patch_size
    pixels = INPUT
    if side * size < parts.image_size:  # pixels beyond the last whole patch are not used
        pixels = graph.slice(graph.slice(pixels, 1, 0, side * size), 2, 0, side * size)
    grid = graph.add("Cast", pixels, to=TensorProto.FLOAT)
    grid = graph.add("Sub", grid, graph.number(CENTRE))
    grid = graph.reshape(grid, -1, side, size, side, size, 3)
    grid = graph.add("Transpose", grid, perm=[0, 1, 3, 2, 4, 5])
    rows = graph.reshape(grid, -1, side * side, size * size * 3)
    embeds = graph.add("MatMul", rows, graph.constant(parts.patch.T), name=PATCHES)
    embeds = graph.add("Add", embeds, graph.constant(parts.positions))
    return graph.add("Concat", graph.first(parts.start[None]), embeds, axis=1)


def _block(
    graph: _Graph, block: Block, hidden: str, parts: TowerParts, *, tokens: int, last: bool
) -> str:
    """Attention and MLP; in the last block for the class token alone."""
    normed = graph.norm(hidden, block.norm1, parts.eps)
    attended = _attention(graph, block, normed, parts, tokens=tokens, last=last)
    hidden = graph.slice(hidden, 1, 0, 1) if last else hidden
    hidden = graph.add("Add", hidden, graph.linear(attended, block.out))
    inner = graph.linear(graph.norm(hidden, block.norm2, parts.eps), block.up)
    if parts.hidden_act == "quick_gelu":  # its factor lies in the weights around it
        inner = graph.add("Mul", inner, graph.add("Sigmoid", inner))
    else:
        inner = graph.add("Gelu", inner)
    return graph.add("Add", hidden, graph.linear(inner, block.down))


def _attention(
    graph: _Graph, block: Block, hidden: str, parts: TowerParts, *, tokens: int, last: bool
) -> str:
    """Scaled dot-product attention over all tokens, for all of them or in the last block for the class token."""
    width = block.out.weight.shape[0]
    head = width // parts.heads
    query, key, value = (
        Affine(weight, bias)
        for weight, bias in zip(block.qkv.weight.chunk(3), block.qkv.bias.chunk(3), strict=True)
    )
    scaled = Affine(query.weight * head**-0.5, query.bias * head**-0.5)
    queried = graph.slice(hidden, 1, 0, 1) if last else hidden
    queries = 1 if last else tokens
    q = graph.reshape(graph.linear(queried, scaled), -1, queries, parts.heads, head)
    k = graph.reshape(graph.linear(hidden, key), -1, tokens, parts.heads, head)
    v = graph.reshape(graph.linear(hidden, value), -1, tokens, parts.heads, head)
    scores = graph.add(
        "MatMul",
        graph.add("Transpose", q, perm=[0, 2, 1, 3]),
        graph.add("Transpose", k, perm=[0, 2, 3, 1]),
    )
    weights = graph.add("Softmax", scores, axis=-1)
    mixed = graph.add("MatMul", weights, graph.add("Transpose", v, perm=[0, 2, 1, 3]))
    return graph.reshape(graph.add("Transpose", mixed, perm=[0, 2, 1, 3]), -1, queries, width)
