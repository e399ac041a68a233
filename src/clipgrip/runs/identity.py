"""What makes two runs the same run, and what is written down about where it ran."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from clipgrip import __version__
from clipgrip.backbone.clip import ClipBackbone
from clipgrip.config import Settings
from clipgrip.data.manifest import Manifest
from clipgrip.method import Method

PACKAGES = ("torch", "transformers", "tokenizers", "numpy", "pillow", "scikit-learn")


def run_id(
    settings: Settings, manifest: Manifest, backbone: ClipBackbone, seen: list[str], method: Method
) -> str:
    """Twelve hex digits over all that determines the result: settings, data, model, and every number of the method."""
    determines = {
        "settings": settings.model_dump(exclude={"backbone"}),
        "method": method.fingerprint(),
        "data": manifest.fingerprint,
        "seen": seen,
        "images": backbone.image_key,
    }
    text = json.dumps(determines, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def versions() -> dict[str, str]:
    """clipgrip, Python and the packages that can change a result."""
    return {
        "clipgrip": __version__,
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
    }


def machine() -> dict[str, Any]:
    """System, processor and threads; no name of the machine or of its user."""
    return {
        "system": platform.system(),
        "processor": platform.machine(),
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
