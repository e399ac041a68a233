"""The image tower on ONNX Runtime, in float32 or with 8-bit matrix products.                 [extra: onnx]"""

from __future__ import annotations

import hashlib
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from clipgrip.backbone.cache import default_root
from clipgrip.backbone.image_tower import TowerParts
from clipgrip.backbone.onnx_graph import INPUT, OUTPUT, PATCHES, image_graph
from clipgrip.errors import BackboneError, MissingPackage
from clipgrip.files import write_bytes_atomic
from clipgrip.sentences import mark
from clipgrip.types import ImageEmbeds

if TYPE_CHECKING:
    from onnx import ModelProto

FORMAT = 1
"""Part of every cache key; raise it whenever the graph or the quantisation changes a value."""
NEEDED = mark(
    "the engines onnx and onnx-int8 need ONNX Runtime ({error}). Install it with  pip install 'clipgrip[onnx]'  or "
    "choose --engine torch."
)
MOST_BYTES = 2**31 - 2**20
"""A protocol buffer holds at most 2 GB."""

log = logging.getLogger(__name__)


class OnnxTower:
    """An image tower in an ONNX Runtime session on the processor."""

    def __init__(self, model: bytes, *, one_by_one: bool) -> None:
        """``one_by_one``: run each image alone, as images of one batch share the range of their 8-bit activations."""
        self._session = _session(model)
        self._one_by_one = one_by_one
        self.embed_dim = int(self._session.get_outputs()[0].shape[1])

    def __call__(self, pixels: UInt8[Tensor, "B H W 3"]) -> ImageEmbeds:
        """Unit vectors in float32."""
        if not len(pixels):
            return torch.zeros(0, self.embed_dim)
        images = pixels.numpy()
        parts = np.split(images, len(images)) if self._one_by_one else [images]
        features = np.concatenate([self._run(part) for part in parts])
        return F.normalize(torch.from_numpy(features), dim=-1)

    def _run(self, images: UInt8[np.ndarray, "B H W 3"]) -> Float[np.ndarray, "B D"]:
        found: np.ndarray = self._session.run([OUTPUT], {INPUT: images})[0]
        return found


def float_tower(parts: TowerParts) -> OnnxTower:
    """The tower in float32, equal to torch's to rounding."""
    return OnnxTower(onnx_model(parts).SerializeToString(), one_by_one=False)


def int8_tower(parts: TowerParts, fingerprint: str) -> OnnxTower:
    """The tower with matrix products of 8-bit numbers; quantised once per model, then read from the cache folder."""
    path = default_root() / f"onnx-v{FORMAT}" / f"{fingerprint[:40]}-int8.onnx"
    model = _read_cached(path)
    if model is None:
        model = quantized_model(onnx_model(parts))
        _write_cached(path, model)
    return OnnxTower(model, one_by_one=True)


def quantized_model(model: ModelProto, *, reduce_range: bool = True) -> bytes:
    """The model with 8-bit weights and dynamically quantized activations.

    ``reduce_range`` uses seven bits of each weight: with eight, sums saturate on processors without VNNI, and the
    answers would depend on the machine.
    """
    import tempfile

    from onnxruntime.quantization import QuantType, quantize_dynamic

    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # it advises a preprocessing that this graph does not need
    try:
        with tempfile.TemporaryDirectory() as folder:
            target = os.path.join(folder, "int8.onnx")
            quantize_dynamic(
                model,
                target,
                op_types_to_quantize=["MatMul"],
                per_channel=True,
                reduce_range=reduce_range,
                weight_type=QuantType.QInt8,
                nodes_to_exclude=[PATCHES, OUTPUT],
                extra_options={"MatMulConstBOnly": True},
            )
            return Path(target).read_bytes()
    finally:
        root.setLevel(level)


def check_installed(purpose: str = NEEDED) -> None:
    """MissingPackage, with the sentence ``purpose``, unless ONNX Runtime can be imported."""
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise MissingPackage(purpose, error=error) from error
    del onnx, onnxruntime


def onnx_model(parts: TowerParts, prompts: Tensor | None = None) -> ModelProto:
    """The tower as an ONNX model; BackboneError where it is too large for the format."""
    size = sum(4 * tensor.numel() for tensor in parts.tensors())
    if size > MOST_BYTES:
        raise BackboneError(
            "the image tower takes {size} GB, more than the 2 GB of an ONNX file. Choose "
            "--engine torch.",
            size=f"{size / 2**30:.1f}",
        )
    return image_graph(parts, prompts)


def _write_cached(path: Path, model: bytes) -> None:
    """Cache a quantized model with its digest; if that fails, it is quantized again the next time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes_atomic(path, hashlib.sha256(model).digest() + model)
    except OSError as error:
        log.warning("The 8-bit model cannot be kept in %s: %s", path.parent, error.strerror)


def _read_cached(path: Path) -> bytes | None:
    """The cached model; None where it is missing or damaged."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    if hashlib.sha256(content[32:]).digest() == content[:32]:
        return content[32:]
    log.warning("%s is damaged: its content is not what was written. It is made again.", path)
    return None


def _session(model: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # spinning threads slow down a busy machine
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
