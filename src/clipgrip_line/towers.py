"""What sees images: ONNX graphs on ONNX Runtime, and the texture eye, which is arithmetic alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clipgrip_line import texture
from clipgrip_line.preprocess import Preprocess

INPUT, OUTPUT = "pixels", "features"
"""Of every graph: uint8 (B, H, W, 3), float32 (B, D)."""
ONNX, TEXTURE = "onnx", "texture"
EXTERNAL = "session.model_external_initializers_file_folder_path"
"""ONNX Runtime's setting: the folder of numbers that lie outside of a graph."""

Pixels = NDArray[np.uint8]
Embeds = NDArray[np.float32]


class Tower(Protocol):
    """From an upright RGB picture to a unit vector."""

    @property
    def name(self) -> str:
        """The model's or the eye's."""

    def preprocess(self, image: Image.Image) -> Pixels:
        """(H, W, 3), before rescaling."""

    def encode(self, pixels: Sequence[Pixels]) -> Embeds:
        """(B, D) unit vectors."""


@dataclass(frozen=True)
class OnnxTower:
    """A graph in a session; one session serves all threads."""

    name: str
    steps: Preprocess
    run: Callable[[Pixels], Embeds] = field(repr=False)
    one_by_one: bool
    """Each image runs alone, so that none changes the range of another's 8-bit numbers."""

    def preprocess(self, image: Image.Image) -> Pixels:
        """As the model's own image processor does it."""
        return self.steps(image)

    def encode(self, pixels: Sequence[Pixels]) -> Embeds:
        """(B, D) unit vectors."""
        stacked = np.stack(pixels)
        parts = np.split(stacked, len(stacked)) if self.one_by_one else [stacked]
        return rounded(np.concatenate([self.run(part) for part in parts]))


class OtherRevision(Exception):
    """The eye that ships gave other numbers where the bundle was made."""


class TextureTower:
    """The eye that ships."""

    name = texture.NAME

    def preprocess(self, image: Image.Image) -> Pixels:
        """The whole picture, made square."""
        return texture.squared(image)

    def encode(self, pixels: Sequence[Pixels]) -> Embeds:
        """(B, D) unit vectors."""
        return rounded(np.stack([texture.described(one) for one in pixels]))


def tower_from(facts: Mapping[str, Any], graph: bytes | None, threads: int) -> Tower:
    """What `facts_of` describes; ``graph`` is None where there is none.

    Raises:
        OtherRevision: the eye that ships is another one now.
        ValueError: a kind of tower that is not known, or numbers that none can have.
        KeyError: something is missing.
    """
    if facts["kind"] == TEXTURE:
        if facts["revision"] != texture.REVISION:
            raise OtherRevision(facts["revision"])
        return TextureTower()
    if facts["kind"] != ONNX or graph is None:
        raise ValueError(f"a tower of the kind {facts['kind']}")
    run = _runner(graph, threads)
    return OnnxTower(facts["name"], steps_from(facts["pixels"]), run, bool(facts["one_by_one"]))


def steps_of(steps: Preprocess) -> dict[str, Any]:
    """Plain values for JSON."""
    return {**asdict(steps), "resample": int(steps.resample)}


def steps_from(stored: Mapping[str, Any]) -> Preprocess:
    """What `steps_of` gave."""
    resize, crop = stored["resize"], stored["crop"]
    return Preprocess(
        tuple(map(int, resize)) if isinstance(resize, list) else resize,  # type: ignore[arg-type]
        None if crop is None else (int(crop[0]), int(crop[1])),
        Image.Resampling(stored["resample"]),
        float(stored["scale"]),
        tuple(map(float, stored["mean"])),
        tuple(map(float, stored["std"])),
    )


def rounded(features: NDArray[np.floating[Any]]) -> Embeds:
    """Unit vectors in half precision, as clipgrip keeps every embedding, so that both answer alike."""
    return unit(unit(features).astype(np.float16).astype(np.float32))


def unit(rows: NDArray[np.floating[Any]]) -> Embeds:
    """Rows of length one; zero stays zero."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.maximum(length, 1e-12)).astype(np.float32)


def _runner(graph: bytes, threads: int) -> Callable[[Pixels], Embeds]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # threads that spin halt a busy machine
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # a graph holds all of its numbers: none may take them from files of this machine
    options.add_session_config_entry(EXTERNAL, os.devnull)
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def run(pixels: Pixels) -> Embeds:
        found: Embeds = session.run([OUTPUT], {INPUT: pixels})[0]
        return found

    return run
