"""Chooses the default engine of this machine: the faster of torch and onnx, measured once and stored.

Where the processor multiplies bfloat16, torch is taken without measuring (docs/decisions/0055). The 8-bit engine is
never chosen: it changes embeddings by more than rounding (0018).
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
"""Seconds of measuring for each engine."""
ONNX_HINT = mark(
    "images are encoded by torch. ONNX Runtime may be faster on this processor: pip install 'clipgrip[onnx]', then "
    "clipgrip doctor --measure."
)


def fastest() -> str:
    """``torch`` or ``onnx``. Measures for seconds where no rates of this machine are stored."""
    if multiplies_bfloat16() or not is_installed():
        return "torch"
    rates = stored_rates() or measure_engines(SECONDS)
    torch_rate = max(rate for name, rate in rates.items() if name.startswith("torch"))
    return "onnx" if rates.get("onnx", 0.0) >= WORTH * torch_rate else "torch"


def onnx_hint() -> str | None:
    """A hint to install ONNX Runtime, where it may be faster; given once on each machine."""
    if multiplies_bfloat16() or is_installed() or _read_rates() is not None:
        return None
    _store_rates({})
    return ONNX_HINT


def multiplies_bfloat16() -> bool:
    """Whether torch computes image towers in bfloat16 on this machine, at about twice the speed."""
    return choose_precision("auto", torch.device("cpu")) == "bfloat16"


def is_installed() -> bool:
    """Whether ONNX Runtime is installed."""
    return installed("onnx") is not None and installed("onnxruntime") is not None


def measure_engines(seconds: float) -> dict[str, float]:
    """Measure images per second by engine and precision, and store them if the cache folder can be written."""
    rates = measure(seconds)
    _store_rates(rates)
    return rates


def stored_rates() -> dict[str, float] | None:
    """Rates measured on this machine with the same packages and threads; None without any."""
    rates = _read_rates() or {}
    return rates if any(name.startswith("torch") for name in rates) else None


def _read_rates() -> dict[str, float] | None:
    """The stored rates, maybe empty; None where they are missing, or of another machine or other packages."""
    try:
        content = json.loads((default_root() / NAME).read_text("utf-8"))
        rates = {str(name): float(rate) for name, rate in content["images_per_second"].items()}
        return rates if content["machine"] == _machine() else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, CacheError):
        return None


def _store_rates(rates: dict[str, float]) -> None:
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
        "onnx": installed("onnx"),
        "onnxruntime": installed("onnxruntime"),
    }


def _processor() -> str:
    """The processor's model: machines with different ones may share a home folder. Linux has it only in a file."""
    try:
        lines = CPUINFO.read_text("utf-8").splitlines()
    except (OSError, ValueError):
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()


def installed(package: str) -> str | None:
    """The version of a package; None where it is not here."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
