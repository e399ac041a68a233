"""Golden images: a few images in the bundle, with the answers at packing, that are answered again on arrival."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from clipgrip.data.reading import open_row
from clipgrip.data.rows import Row
from clipgrip.errors import BackboneError, DataError
from clipgrip.serving.bundling.seeing import Packed, Precision, Seeing
from clipgrip_line.scoring import Floats, Scoring
from clipgrip_line.towers import Pixels

COMPARED, GOLDEN = 64, 8
"""How many images are compared before packing, and how many of them go into the bundle."""
EQUAL = 1e-3
"""The largest difference of float32 answers by ONNX Runtime and torch: half-precision rounding may go either way."""
TOLERANCES: dict[Precision, float] = {"float32": 1e-3, "int8": 0.05}
"""The largest difference on another machine: processors round differently, and 8 bits enlarge that."""


@dataclass(frozen=True)
class Compared:
    """N images as PNG, answered by torch in float32 (``theirs``) and by the bundle's towers (``ours``), (N, C) each."""

    pictures: Sequence[bytes] = field(repr=False)
    theirs: Floats = field(repr=False)
    ours: Floats = field(repr=False)
    drawn: bool
    """Whether generated patterns are used, as no image of the run could be read."""

    @property
    def apart(self) -> float:
        """The largest difference of two probabilities."""
        return float(np.abs(self.ours - self.theirs).max())

    @property
    def changed(self) -> int:
        """How many images get another class."""
        return int((self.ours.argmax(1) != self.theirs.argmax(1)).sum())

    def chosen(self) -> list[int]:
        """Positions of the `GOLDEN` images: one of each answered class as far as possible, then others in order."""
        labels = self.ours.argmax(1).tolist()
        first = [
            position for position, label in enumerate(labels) if label not in labels[:position]
        ]
        others = [position for position in range(len(labels)) if position not in first]
        return sorted([*first, *others][:GOLDEN])


def compare(
    rows: Sequence[Row], seeing: Seeing, packed: Packed, scoring: Scoring, precision: Precision
) -> Compared:
    """Answer images by torch and by the towers. BackboneError: float32 answers differ by more than `EQUAL`."""
    towers = packed.towers()
    edge = max(max(tower.preprocess(Image.new("RGB", (8, 8))).shape[:2]) for tower in towers)
    images = list(_pictures(rows, edge))
    drawn = not images
    if drawn:
        images = list(_patterns(edge))
    theirs = seeing.probs([[eye.preprocess(one) for one in images] for eye in seeing.eyes])
    seen: list[list[Pixels]] = [[tower.preprocess(one) for one in images] for tower in towers]
    banks = [tower.encode(pixels) for tower, pixels in zip(towers, seen, strict=True)]
    ours = scoring.probs(scoring.joined(banks))
    pictures = [_png(image) for image in images]
    found = Compared(pictures, theirs.double().numpy(), ours.astype(np.float64), drawn)
    if precision == "float32" and not found.apart <= EQUAL:
        raise BackboneError(
            "the model answers otherwise on ONNX Runtime than on torch (up to {apart} apart), so no bundle was "
            "written. Bring both up to date (pip install --upgrade onnx onnxruntime), and tell us of the model.",
            apart=f"{found.apart:.2g}",
        )
    return found


def golden_members(
    compared: Compared, precision: Precision
) -> tuple[dict[str, object], dict[str, bytes]]:
    """The content of golden.json, and the images by member."""
    chosen = compared.chosen()
    names = [f"golden/{number}.png" for number in range(1, len(chosen) + 1)]
    images = [
        {"member": name, "probs": np.round(compared.ours[position], 9).tolist()}
        for name, position in zip(names, chosen, strict=True)
    ]
    content: dict[str, object] = {"images": images, "tolerance": TOLERANCES[precision]}
    return content, {name: compared.pictures[n] for name, n in zip(names, chosen, strict=True)}


def _pictures(rows: Sequence[Row], edge: int) -> Iterator[Image.Image]:
    """The first `COMPARED` images that can be read, reduced to the size that the models need."""
    left = COMPARED
    for row in rows:
        if not left:
            return
        try:
            picture = open_row(row)
        except DataError:  # moved or changed since
            continue
        left -= 1
        share = edge / min(picture.size)
        if share < 1:
            width, height = (max(1, round(side * share)) for side in picture.size)
            picture = picture.resize((width, height), Image.Resampling.BICUBIC)
        yield picture


def _patterns(edge: int) -> Iterator[Image.Image]:
    """Smooth random patterns, equal on every machine."""
    drawing = np.random.default_rng(0)
    for _ in range(GOLDEN):
        coarse = Image.fromarray(drawing.integers(0, 256, (6, 6, 3), np.uint8))
        yield coarse.resize((edge, edge), Image.Resampling.BICUBIC)


def _png(picture: Image.Image) -> bytes:
    made = io.BytesIO()
    # from the pixels alone: metadata could tell the place, the date or the camera
    Image.fromarray(np.asarray(picture)).save(made, "PNG")
    return made.getvalue()
