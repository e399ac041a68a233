"""What counts as normal after the answer to an alarm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from clipgrip_line.trust.drift import Monitors
from clipgrip_line.trust.line import SeenImage
from clipgrip_line.trust.ranks import Codes, Counts, counted

Verdict = Literal["fixed", "normal", "nothing"]


def after(verdict: Verdict, monitors: Monitors, since: Sequence[SeenImage]) -> Monitors:
    """Monitors at their beginning; ``since``: the images since the change, as far as they are kept."""
    if verdict == "nothing" or not since:
        return monitors.again()
    seen, labels = _of(since, len(monitors.labels))
    if verdict == "normal":
        return Monitors.of(seen, labels)
    return Monitors.of(np.maximum(monitors.seen - seen, 0), np.maximum(monitors.labels - labels, 0))


def _of(images: Sequence[SeenImage], classes: int) -> tuple[Counts, Counts]:
    codes: Codes = np.stack([one.codes for one in images])
    labels = np.bincount([one.label for one in images], minlength=classes)
    return counted(codes), labels.astype(np.int64)
