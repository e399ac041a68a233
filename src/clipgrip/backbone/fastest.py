"""The default engine of this machine: the faster of those that round as float32 does, measured once and remembered.

Where the processor multiplies bfloat16 that is torch, unmeasured (docs/decisions/0055). Eight bits are never chosen:
they move embeddings by more than rounding (0018).
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from clipgrip.backbone.cache import default_root
from clipgrip.backbone.device import choose_precision
from clipgrip.backbone.speed import measure
from clipgrip.errors import CacheError
from clipgrip.files import write_text_atomic
from clipgrip.sentences import mark

NAME = "engines.json"
CPUINFO = Path("/proc/cpuinfo")
WORTH = 1.1
"""How much faster ONNX Runtime must be: a measurement of seconds errs by some percent."""
SECONDS = 0.5
"""For each engine."""
MISSING = mark(
    "images are encoded by torch. ONNX Runtime may be faster on this processor: pip install 'clipgrip[onnx]', then "
    "clipgrip doctor --measure."
)


def fastest() -> str:
    """``torch`` or ``onnx``; measured in seconds where nothing is remembered of this machine."""
    if multiplies_bfloat16() or not is_installed():
        return "torch"
    rates = remembered() or measured(SECONDS)
    torch_rate = max(rate for name, rate in rates.items() if name.startswith("torch"))
    return "onnx" if rates.get("onnx", 0.0) >= WORTH * torch_rate else "torch"


def said_once() -> str | None:
    """That ONNX Runtime may be faster here and is not installed; the first time on this machine alone."""
    if multiplies_bfloat16() or is_installed() or _remembered() is not None:
        return None
    _remember({})
    return MISSING


def multiplies_bfloat16() -> bool:
    """Whether torch computes image towers in bfloat16 here: half the bytes, and twice the operations a second."""
    return choose_precision("auto", torch.device("cpu")) == "bfloat16"


def is_installed() -> bool:
    """Whether there is an engine beside torch."""
    return _version("onnx") is not None and _version("onnxruntime") is not None


def measured(seconds: float) -> dict[str, float]:
    """Images a second by engine and precision; remembered where the cache's folder can be written."""
    rates = measure(seconds)
    _remember(rates)
    return rates


def remembered() -> dict[str, float] | None:
    """What was measured here with the same packages and as many threads; None where nothing was."""
    rates = _remembered() or {}
    return rates if any(name.startswith("torch") for name in rates) else None


def _remembered() -> dict[str, float] | None:
    """None of another machine or of other packages."""
    try:
        content = json.loads((default_root() / NAME).read_text("utf-8"))
        rates = {str(name): float(rate) for name, rate in content["images_per_second"].items()}
        return rates if content["machine"] == _machine() else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, CacheError):
        return None


def _remember(rates: dict[str, float]) -> None:
    content = {"machine": _machine(), "images_per_second": rates}
    with contextlib.suppress(OSError, CacheError):
        folder = default_root()
        folder.mkdir(parents=True, exist_ok=True)
        write_text_atomic(folder / NAME, json.dumps(content, indent=1) + "\n")


def _machine() -> dict[str, Any]:
    return {
        "processor": _processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "processors": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "onnx": _version("onnx"),
        "onnxruntime": _version("onnxruntime"),
    }


def _processor() -> str:
    """Its model, as machines that share a home differ in it; Linux says it in a file alone."""
    try:
        lines = CPUINFO.read_text("utf-8").splitlines()
    except (OSError, ValueError):
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
