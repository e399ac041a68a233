"""A round's many pseudolabels as one value of the database: 44 bytes each, a third of a row of a table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from safetensors.torch import load, save

PACKED = 50_000
"""Pseudolabels of a round from which they are packed."""
Triple = tuple[str, int, float]
"""Content hash, class, confidence."""


def packed(pseudolabels: Sequence[Triple]) -> bytes:
    """In the order of their hashes."""
    hashes, labels, confidence = zip(*sorted(pseudolabels), strict=True)
    content = bytearray(bytes.fromhex("".join(hashes)))
    return save(
        {
            "sha256": torch.frombuffer(content, dtype=torch.uint8).view(-1, 32),
            "label": torch.from_numpy(np.array(labels, dtype=np.int32)),
            "confidence": torch.from_numpy(np.array(confidence, dtype=np.float64)),
        }
    )


def unpacked(content: bytes) -> tuple[Triple, ...]:
    """What was packed."""
    found = load(content)
    text = found["sha256"].numpy().tobytes().hex()
    hashes = (text[start : start + 64] for start in range(0, len(text), 64))
    labels, confidence = found["label"].tolist(), found["confidence"].tolist()
    return tuple(zip(hashes, labels, confidence, strict=True))
