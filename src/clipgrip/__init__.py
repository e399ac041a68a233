"""clipgrip: images, class names and few or no labels become a classifier to trust.

``GripClassifier`` is the entry for images. The modules ``clipgrip.pseudolabel``, ``clipgrip.prompts`` and
``clipgrip.metrics`` take and return tensors. Names are imported on first use, so that importing clipgrip is quick.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

THREADS_SPIN = "OMP_WAIT_POLICY" not in os.environ and "torch" in sys.modules
"""Whether torch was imported first and no longer reads OMP_WAIT_POLICY, so that its threads wait actively (0004)."""
if not THREADS_SPIN:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

if TYPE_CHECKING:
    from clipgrip.backbone.registry import load_backbone
    from clipgrip.data.classes import ClassNames
    from clipgrip.data.ingest import ingest
    from clipgrip.data.manifest import Manifest
    from clipgrip.errors import ClipgripError
    from clipgrip.estimator import GripClassifier
    from clipgrip.method import PRESETS, Method
    from clipgrip.pseudolabel.refine.settings import Refinement
    from clipgrip.strategy import Round, rounds
    from clipgrip.task import Task, ssl, trzsl, ul

_HOMES = {
    "ClassNames": "data.classes",
    "ClipgripError": "errors",
    "GripClassifier": "estimator",
    "Manifest": "data.manifest",
    "Method": "method",
    "PRESETS": "method",
    "Refinement": "pseudolabel.refine.settings",
    "Round": "strategy",
    "Task": "task",
    "ingest": "data.ingest",
    "load_backbone": "backbone.registry",
    "rounds": "strategy",
    "ssl": "task",
    "trzsl": "task",
    "ul": "task",
}
_MODULES = ("metrics", "prompts", "pseudolabel")

__all__ = [
    "PRESETS",
    "ClassNames",
    "ClipgripError",
    "GripClassifier",
    "Manifest",
    "Method",
    "Refinement",
    "Round",
    "Task",
    "__version__",
    "ingest",
    "load_backbone",
    "rounds",
    "ssl",
    "trzsl",
    "ul",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"clipgrip.{_HOMES[name]}"), name)
    if name in _MODULES:
        return import_module(f"clipgrip.{name}")
    raise AttributeError(f"module 'clipgrip' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, *_MODULES]
