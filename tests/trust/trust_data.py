"""Logits with a known flaw, and where the measured embeddings lie."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from torch import Tensor


def overconfident(
    seed: int = 0, rows: int = 4000, classes: int = 5, factor: float = 3.0
) -> tuple[Tensor, Tensor]:
    """Logits (N, C) that are ``factor`` times too large, and labels drawn from the honest ones."""
    draw = torch.Generator().manual_seed(seed)
    honest = 2 * torch.randn(rows, classes, generator=draw)
    labels = torch.multinomial(honest.softmax(1), 1, generator=draw)[:, 0]
    return factor * honest, labels


def features() -> Path:
    """The folder clip-features, or the test is skipped."""
    root = Path(__file__).parents[2]
    places = [os.environ.get("CLIPGRIP_DATA"), root / "../shared/data", root / "../../shared/data"]
    for place in places:
        if place and (Path(place) / "clip-features").is_dir():
            return Path(place) / "clip-features"
    pytest.skip("no clip-features here: set CLIPGRIP_DATA to the folder of the measured data")
