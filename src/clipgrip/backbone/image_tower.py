"""CLIP's image tower, evaluated without a wasted token: uint8 pixels in, unit vectors out.

Equal to transformers' tower to rounding, and faster, because
the pixel normalisation lies inside the patch weights, queries, keys and values are one product,
the last block asks only for the class token, and matrix products may run in bfloat16
while the residual stream, the layer norms and the projection stay in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from clipgrip.backbone.checkpoint import tensor_named
from clipgrip.errors import BackboneError
from clipgrip.types import ImageEmbeds
from clipgrip_line.preprocess import Preprocess

ACTIVATIONS: dict[str, tuple[float, Callable[[Tensor], Tensor]]] = {
    "quick_gelu": (1.702, F.silu),
    "gelu": (1.0, F.gelu),
}
"""``act(x) = function(factor * x) / factor``; the factor moves into the weights around it."""

CENTRE = 128
"""Subtracted from pixels: -128..127 has no rounding error in bfloat16 and a small sum in float32."""


@dataclass(frozen=True)
class VisionShape:
    """What the tensors alone do not tell; the defaults are transformers' and left out of many config files."""

    num_attention_heads: int = 12
    num_hidden_layers: int = 12
    image_size: int = 224
    hidden_act: str = "quick_gelu"
    layer_norm_eps: float = 1e-5

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> VisionShape:
        """Read ``vision_config``, where old files repeat it, ``vision_config_dict`` last."""
        merged = (config.get("vision_config") or {}) | (config.get("vision_config_dict") or {})
        shape = cls(**{name: merged[name] for name in cls.__dataclass_fields__ if name in merged})
        if shape.hidden_act not in ACTIVATIONS:
            known = ", ".join(ACTIVATIONS)
            raise BackboneError(
                'The image tower uses the activation "{hidden_act}"; supported are {known}.',
                hidden_act=shape.hidden_act,
                known=known,
            )
        return shape


class Affine(NamedTuple):
    """Weight and bias of a linear layer or a layer norm."""

    weight: Tensor
    bias: Tensor


class Block(NamedTuple):
    """One transformer block, its query, key and value projections joined to one matrix."""

    norm1: Affine
    qkv: Affine
    out: Affine
    norm2: Affine
    up: Affine
    down: Affine


class TowerParts(NamedTuple):
    """The tower's prepared weights and constants, from which other engines build the same tower."""

    patch: Tensor
    start: Tensor
    positions: Tensor
    pre_norm: Affine
    blocks: list[Block]
    post_norm: Affine
    projection: Tensor
    patch_size: int
    image_size: int
    heads: int
    eps: float
    hidden_act: str

    def tensors(self) -> list[Tensor]:
        """All weights, to sum up their size."""
        layers = [*self.pre_norm, *self.post_norm]
        layers += [tensor for block in self.blocks for layer in block for tensor in layer]
        return [self.patch, self.start, self.positions, self.projection, *layers]


class ImageTower:
    """The frozen image tower with its weights prepared once for one device and precision."""

    def __init__(
        self,
        tensors: Mapping[str, Tensor],
        shape: VisionShape,
        preprocess: Preprocess,
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """Take a CLIP state dict with float32 tensors; a missing tensor is a BackboneError."""
        weights = _Weights(tensors, torch.device(device), dtype)
        self._device, self._dtype, self._shape = torch.device(device), dtype, shape
        self._heads, self._eps = shape.num_attention_heads, shape.layer_norm_eps
        factor, self._activation = ACTIVATIONS[shape.hidden_act]
        self._patch, self._start, self._positions = _patches(weights, preprocess)
        self._patch_size = tensors["vision_model.embeddings.patch_embedding.weight"].shape[-1]
        self._pre_norm = weights.norm("pre_layrnorm")
        weights.check_depth(shape.num_hidden_layers)
        self._blocks = [weights.block(i, factor) for i in range(shape.num_hidden_layers)]
        self._post_norm = weights.norm("post_layernorm")
        self._projection = weights.full("visual_projection.weight")
        self.embed_dim = int(self._projection.shape[0])
        # the shape of prompt tokens: E, and at most one set for each block
        self.width, self.depth = int(self._start.shape[-1]), len(self._blocks)
        self.device, self.class_token = self._device, self._start

    def parts(self) -> TowerParts:
        return TowerParts(
            self._patch, self._start, self._positions, self._pre_norm, self._blocks, self._post_norm, self._projection,
            self._patch_size, self._shape.image_size, self._heads, self._eps, self._shape.hidden_act,
        )  # fmt: skip

    def __call__(self, pixels: UInt8[Tensor, "B H W 3"]) -> ImageEmbeds:
        """Unit vectors in float32 on the tower's device, usable in autograd."""
        with torch.inference_mode():
            embeds = self.encode(pixels, self._start.new_zeros(1, 0, self.width))
        return embeds.clone()

    def encode(
        self, pixels: UInt8[Tensor, "B H W 3"], prompts: Float[Tensor, "K P E"]
    ) -> ImageEmbeds:
        """Unit vectors with P prompt tokens between class token and patches, differentiable in ``prompts``.

        The first P enter before the first layer norm, without positions (shallow VPT, Jia et al., ECCV 2022, arXiv
        2203.12119). With K > 1 the k-th take the places of the prompt tokens in front of block k (deep VPT).
        """
        if not len(pixels):
            return torch.zeros(0, self.embed_dim, device=self._device)
        hidden = _insert(self._embed(pixels.to(self._device)), prompts[0])
        hidden = self._norm(hidden, self._pre_norm)
        last = self.depth - 1
        for number, block in enumerate(self._blocks):
            if 0 < number < len(prompts):
                hidden = _insert(hidden, prompts[number], instead=prompts.shape[1])
            hidden = self._block(block, hidden, queries=1 if number == last else hidden.shape[1])
        pooled = self._norm(hidden[:, 0], self._post_norm)
        return F.normalize(F.linear(pooled, self._projection), dim=-1)

    def _embed(self, pixels: UInt8[Tensor, "B H W 3"]) -> Float[Tensor, "B L E"]:
        """Patches as rows through one matrix, the class token before them, positions added."""
        size, batch = self._patch_size, len(pixels)
        rows, columns = pixels.shape[1] // size, pixels.shape[2] // size
        grid = pixels[:, : rows * size, : columns * size].reshape(
            batch, rows, size, columns, size, 3
        )
        patches = grid.transpose(2, 3).reshape(batch, rows * columns, size * size * 3)
        embeds = F.linear(patches.to(self._dtype).sub_(CENTRE), self._patch).float()
        return torch.cat([self._start.expand(batch, 1, -1), embeds + self._positions], dim=1)

    def _block(self, block: Block, hidden: Tensor, queries: int) -> Float[Tensor, "B Q E"]:
        """Attention and MLP for the first ``queries`` tokens; all tokens lend keys and values."""
        mixed = self._attention(block, self._norm(hidden, block.norm1).to(self._dtype), queries)
        hidden = hidden[:, :queries] + F.linear(mixed, *block.out)
        inner = F.linear(self._norm(hidden, block.norm2).to(self._dtype), *block.up)
        added = F.linear(self._activation(inner), *block.down)
        return hidden + added if hidden.requires_grad else hidden.add_(added)

    def _attention(self, block: Block, hidden: Tensor, queries: int) -> Float[Tensor, "B Q E"]:
        batch, tokens, width = hidden.shape
        if queries == tokens:
            joined = F.linear(hidden, *block.qkv).view(batch, tokens, 3, self._heads, -1)
            query, key, value = joined.permute(2, 0, 3, 1, 4)
        else:
            query = F.linear(hidden[:, :queries], block.qkv.weight[:width], block.qkv.bias[:width])
            query = query.view(batch, queries, self._heads, -1).transpose(1, 2)
            joined = F.linear(hidden, block.qkv.weight[width:], block.qkv.bias[width:])
            key, value = joined.view(batch, tokens, 2, self._heads, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value)
        return mixed.transpose(1, 2).reshape(batch, queries, width)

    def _norm(self, hidden: Tensor, norm: Affine) -> Tensor:
        return F.layer_norm(hidden, (hidden.shape[-1],), norm.weight, norm.bias, self._eps)


def _insert(
    hidden: Float[Tensor, "B L E"], prompts: Float[Tensor, "P E"], instead: int = 0
) -> Float[Tensor, "B M E"]:
    """Prompt tokens after the class token, in the place of ``instead`` tokens that stood there."""
    batch = prompts.expand(len(hidden), -1, -1)
    return torch.cat([hidden[:, :1], batch, hidden[:, 1 + instead :]], dim=1)


@dataclass(frozen=True)
class _Weights:
    """A CLIP state dict read by part; ``full`` stays in float32, ``linear`` goes to the tower's precision."""

    tensors: Mapping[str, Tensor]
    device: torch.device
    dtype: torch.dtype

    def full(self, name: str) -> Tensor:
        return tensor_named(self.tensors, name).to(self.device, torch.float32)

    def norm(self, name: str) -> Affine:
        return Affine(*(self.full(f"vision_model.{name}.{part}") for part in Affine._fields))

    def linear(self, *names: str, weight: float = 1.0, bias: float = 1.0) -> Affine:
        """Linear layers joined along their outputs and scaled, in the tower's precision."""
        parts = [self.norm(name) for name in names]
        joined = torch.cat([part.weight for part in parts]) * weight
        return Affine(
            joined.to(self.dtype), (torch.cat([p.bias for p in parts]) * bias).to(self.dtype)
        )

    def check_depth(self, expected: int) -> None:
        prefix = "vision_model.encoder.layers."
        numbers = (
            name.removeprefix(prefix).split(".")[0] for name in self.tensors if prefix in name
        )
        if (found := len(set(numbers))) != expected:
            raise BackboneError(
                "The weights hold {found} blocks of the image tower, config.json says {expected}: "
                "the files belong to two models. Copy one model again.",
                found=found,
                expected=expected,
            )

    def block(self, number: int, factor: float) -> Block:
        at = f"encoder.layers.{number}."
        return Block(
            norm1=self.norm(at + "layer_norm1"),
            qkv=self.linear(*(f"{at}self_attn.{name}_proj" for name in "qkv")),
            out=self.linear(at + "self_attn.out_proj"),
            norm2=self.norm(at + "layer_norm2"),
            up=self.linear(at + "mlp.fc1", weight=factor, bias=factor),
            down=self.linear(at + "mlp.fc2", weight=1 / factor),
        )


def _patches(weights: _Weights, preprocess: Preprocess) -> tuple[Tensor, Tensor, Tensor]:
    """The patch matrix for centred pixels, the first token, and positions with the matrix's constant part.

    ``W (scale x - mean) / std = W' (x - c) + W' (c - mean / scale)`` with ``W' = W scale / std``.
    """
    at = "vision_model.embeddings."
    mean, std = (
        torch.tensor(values, dtype=torch.float64) for values in (preprocess.mean, preprocess.std)
    )
    kernel = weights.full(at + "patch_embedding.weight").permute(0, 2, 3, 1).double().cpu()
    kernel = kernel * (preprocess.scale / std)
    constant = (kernel * (CENTRE - mean / preprocess.scale)).sum(dim=(1, 2, 3))
    position = weights.full(at + "position_embedding.weight")
    start = weights.full(at + "class_embedding") + position[0]
    matrix = kernel.flatten(1).to(weights.device, weights.dtype)
    return matrix, start, position[1:] + constant.to(weights.device, torch.float32)
