"""calibration.json: the temperature that an audit found for a prompt's confidence, with the evidence."""

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
    """A temperature that was learned from audited answers, and the evidence for it."""

    calibration: Temperature
    evidence: dict[str, Any] = field(repr=False)
    """``n`` audited answers, figures before and after, and the diagram, as `Honesty.to_dict` gives them."""

    @classmethod
    def of(cls, found: Honesty) -> AuditedCalibration:
        """From what the answers of a random audit show."""
        return cls(found.temperature, {"answers": "final", "judged_by": "audit", **found.to_dict()})

    @property
    def n(self) -> int:
        """How many audited answers it was learned from."""
        return int(self.evidence["n"])

    def __call__(self, probs: Probs) -> Probs:
        """Calibrated probabilities (N, C); the ranking of the classes does not change."""
        return self.calibration(logits_of(probs))


def write_calibration(folder: Path, found: AuditedCalibration | None) -> None:
    """Write the file beside its prompt; None removes an earlier one.

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
    """Read the file of a folder; None where it is missing or belongs to another prompt.

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
    """As `read_calibration`, but None for a damaged file: it is about to be replaced."""
    try:
        return read_calibration(folder)
    except PromptError:
        return None


def _prompt_digest(folder: Path) -> str:
    return hashlib.sha256((folder / checkpoint.NAME).read_bytes()).hexdigest()
