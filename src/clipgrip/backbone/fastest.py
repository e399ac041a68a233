"""The faster engine of this machine among those that round as float32 does: measured once, and remembered.

Eight bits are never chosen: they move embeddings by more than rounding (docs/decisions/0018).
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from clipgrip.backbone.cache import default_root
from clipgrip.errors import CacheError
from clipgrip.files import write_text_atomic

NAME = "engines.json"
WORTH = 1.1
"""How much faster ONNX Runtime must be: a measurement of seconds errs by some percent."""
SECONDS = 0.5
"""For each engine."""


def fastest() -> str:
    """``torch`` or ``onnx``; measured in seconds where nothing is remembered of this machine."""
    if _version("onnx") is None or _version("onnxruntime") is None:
        return "torch"
    rates = remembered() or measured(SECONDS)
    torch_rate = max(rate for name, rate in rates.items() if name.startswith("torch"))
    return "onnx" if rates.get("onnx", 0.0) >= WORTH * torch_rate else "torch"


def measured(seconds: float) -> dict[str, float]:
    """Images a second by engine and precision; remembered where the cache's folder can be written."""
    from clipgrip.backbone.speed import measure

    rates = measure(seconds)
    content = {"machine": _machine(), "images_per_second": rates}
    with contextlib.suppress(OSError, CacheError):
        folder = default_root()
        folder.mkdir(parents=True, exist_ok=True)
        write_text_atomic(folder / NAME, json.dumps(content, indent=1) + "\n")
    return rates


def remembered() -> dict[str, float] | None:
    """What was measured here with the same packages and as many threads; None where nothing was."""
    try:
        content = json.loads((default_root() / NAME).read_text("utf-8"))
        rates = {str(name): float(rate) for name, rate in content["images_per_second"].items()}
        same = content["machine"] == _machine() and any(one.startswith("torch") for one in rates)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, CacheError):
        return None
    return rates if same else None


def _machine() -> dict[str, Any]:
    return {
        "processor": platform.processor() or platform.machine(),
        "processors": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "onnxruntime": _version("onnxruntime"),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
