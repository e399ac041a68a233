"""The temperature that an audit gave to a prompt's confidence, with its evidence, in a file beside the prompt."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clipgrip.errors import ClipgripError, PromptError
from clipgrip.files import write_text_atomic
from clipgrip.runs import checkpoint
from clipgrip.sealed import is_whole, sealed
from clipgrip.trust.calibration import Temperature, logits_of
from clipgrip.trust.honesty import Honesty
from clipgrip.types import Probs

NAME = "calibration.json"
FORMAT = 1


@dataclass(frozen=True)
class AuditedCalibration:
    """The map that makes confidence mean what it says, and what showed it."""

    calibration: Temperature
    evidence: dict[str, Any] = field(repr=False)
    """``n`` audited answers, figures before and after, and the diagram, as `Honesty.to_dict` gives them."""

    @classmethod
    def of(cls, found: Honesty) -> AuditedCalibration:
        """What a random audit found."""
        return cls(found.temperature, {"answers": "final", "judged_by": "audit", **found.to_dict()})

    @property
    def n(self) -> int:
        """Audited answers that it was learned from."""
        return int(self.evidence["n"])

    def __call__(self, probs: Probs) -> Probs:
        """(N, C) calibrated from (N, C) as the model says them; the order of classes stays."""
        return self.calibration(logits_of(probs))


def write_calibration(folder: Path, found: AuditedCalibration | None) -> None:
    """Keep it beside the prompt it belongs to; None takes an earlier one away.

    OSError: the folder may not be written.
    """
    path = folder / NAME
    if found is None:
        path.unlink(missing_ok=True)
        return
    content = {
        "format": FORMAT,
        "prompt": _prompt_digest(folder),
        "calibration": found.calibration.to_dict(),
        "evidence": found.evidence,
    }
    write_text_atomic(path, json.dumps(sealed(content), indent=1, allow_nan=False) + "\n")


def read_calibration(folder: Path) -> AuditedCalibration | None:
    """What is kept beside the prompt of a folder; None where there is none, or it belongs to another prompt.

    PromptError: the file is not what was written.
    """
    path = folder / NAME
    if not path.is_file() or not (folder / checkpoint.NAME).is_file():
        return None
    try:
        content = json.loads(path.read_text("utf-8"))
        if not (is_whole(content) and content["format"] == FORMAT):
            raise ValueError("its content is not what was written")
        found = AuditedCalibration(
            Temperature.from_dict(content["calibration"]), content["evidence"]
        )
    except (OSError, ValueError, KeyError, AttributeError, TypeError, ClipgripError) as error:
        raise PromptError(
            "{path} cannot be used: {error}. Read the audit again (clipgrip audit read), which "
            "writes it anew, or remove the file: confidence is then as the model says it.",
            path=path,
            error=error,
        ) from None
    return found if content["prompt"] == _prompt_digest(folder) else None


def calibration_before(folder: Path) -> AuditedCalibration | None:
    """As `read_calibration`, where it is about to be written anew: a damaged one is none."""
    try:
        return read_calibration(folder)
    except PromptError:
        return None


def _prompt_digest(folder: Path) -> str:
    return hashlib.sha256((folder / checkpoint.NAME).read_bytes()).hexdigest()
