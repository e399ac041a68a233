"""Files of embeddings as tests give them: four classes that one bank sees dimly and another clearly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

NAMES = ("ok", "scratch", "dent", "stain")
N, TESTS = 96, 24


def arrays(seed: int = 0) -> dict[str, Any]:
    """Banks ``clip`` and ``dino``, class embeddings of the first, and the truth of all as ``truth``."""
    draw = np.random.default_rng(seed)
    truth = np.arange(N) % len(NAMES)
    texts = np.random.default_rng(100).normal(size=(len(NAMES), 16))
    seen = np.random.default_rng(101).normal(size=(len(NAMES), 12))
    return {
        "clip": (0.5 * texts[truth] + draw.normal(size=(N, 16))).astype(np.float32),
        "dino": (1.5 * seen[truth] + draw.normal(size=(N, 12))).astype(np.float32),
        "class_embeds": texts,
        "class_names": np.array(NAMES),
        "truth": truth,
    }


def right_by_text(seed: int) -> float:
    """The share of images whose nearest class embedding is their own class's: zero-shot's accuracy."""
    found = arrays(seed)
    images, texts = (
        found[name] / np.linalg.norm(found[name], axis=1, keepdims=True)
        for name in ("clip", "class_embeds")
    )
    return float(((images @ texts.T).argmax(1) == found["truth"]).mean())


def with_texts(path: Path, **more: Any) -> Path:
    """Two banks and class embeddings; no label."""
    given = {name: value for name, value in arrays().items() if name != "truth"} | more
    np.savez(path, **{name: value for name, value in given.items() if value is not None})
    return path


def with_labels(path: Path, each: int = 4, **more: Any) -> Path:
    """One bank, some labels of each class, and images to measure on."""
    found = arrays()
    truth, test = found["truth"], np.arange(N) >= N - TESTS
    labels = np.array([NAMES[c] for c in truth])
    labels[(np.arange(N) >= each * len(NAMES)) & ~test] = ""
    np.savez(path, dino=found["dino"], labels=labels, test=test, **more)
    return path
