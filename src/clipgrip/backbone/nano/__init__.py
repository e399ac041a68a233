"""The small CLIP that ships with the package, so that everything runs offline."""

from __future__ import annotations

from pathlib import Path


def weights_dir() -> Path:
    """The folder that transformers loads: configuration, weights, tokenizer, image settings."""
    return Path(__file__).parent / "weights"
