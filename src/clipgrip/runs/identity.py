"""The id of a run, by all that determines its result, and facts about the machine it ran on."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sqlite3
from collections.abc import Sequence
from typing import Any

import torch

from clipgrip import __version__
from clipgrip.backbone.base import Model
from clipgrip.backbone.fastest import installed
from clipgrip.config import Settings
from clipgrip.data.manifest import Manifest
from clipgrip.method import Method
from clipgrip.runs.store import StoredRun
from clipgrip.sentences import Sentence
from clipgrip.training import memory

TORCH = {"engine": "torch"}
"""The engine of stored settings without one: `Settings` leaves torch out, as older versions had no engines."""
PACKAGES = ("torch", "transformers", "tokenizers", "numpy", "pillow", "scikit-learn")


def run_id(
    settings: Settings,
    manifest: Manifest,
    backbone: Model,
    seen: list[str],
    method: Method,
    *,
    eyes: Sequence[str] = (),
) -> str:
    """Twelve hex digits over all that determines the result: settings, data, model, and every number of the method.

    ``seen`` are the seen classes, ``eyes`` the image keys of the eyes. Names of models are left out for their keys.
    """
    determines = {
        "settings": settings.model_dump(exclude={"backbone", "eye"}),
        "method": method.fingerprint(),
        "data": manifest.fingerprint,
        "seen": seen,
        "images": backbone.image_key,
        **({"tuned_rows": memory.TUNED_ROWS} if len(manifest.pool) > memory.TUNED_ROWS else {}),
        **({"eyes": list(eyes)} if eyes else {}),
    }
    text = json.dumps(determines, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def settings_of(run: StoredRun) -> Settings:
    """The settings of a stored run.

    Raises:
        sqlite3.DatabaseError: the stored facts are incomplete or of other types, so the database is damaged.
    """
    try:
        settings, facts = Settings(**TORCH | run.settings), run.facts
        _ = facts["versions"]["clipgrip"], set(facts["data"]["seen"]), facts["data"]["pool"] + 0
        _ = sum(facts["seconds"].values()), facts["backbone"]["name"]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise sqlite3.DatabaseError(
            Sentence("what it says of its run cannot be read ({kind})", kind=type(error).__name__)
        ) from None
    return settings


def versions() -> dict[str, str]:
    """clipgrip, Python and the packages that can change a result."""
    return {
        "clipgrip": __version__,
        "python": platform.python_version(),
        **{name: installed(name) or "not installed" for name in PACKAGES},
    }


def machine() -> dict[str, Any]:
    """System, processor and threads; never the name of the machine or the user."""
    return {
        "system": platform.system(),
        "processor": platform.machine(),
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }
