"""What a report is built from: values only, nothing that reads a run or a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from clipgrip.report.accuracy import AuditedFigure
from clipgrip.report.audited import Audited
from clipgrip.runs.watch.status import Status
from clipgrip.types import Labels, Probs


@dataclass(frozen=True)
class MeasuredAnswers:
    """Test images with their truth (n,), CLIP's zero-shot answers (n, C) and the tuned answers (n, C)."""

    paths: Sequence[str]
    labels: Labels
    zero_shot: Probs
    probs: Probs
    open_image: Callable[[int], Image.Image]


@dataclass(frozen=True)
class RunFacts:
    """One finished run. ``metrics`` is the content of metrics.json; rows are the pool's N images."""

    metrics: dict[str, Any]
    class_names: tuple[str, ...]
    paths: Sequence[str]
    labels: Labels
    """(N,) what people labeled, -1 elsewhere."""
    zero_shot: Probs
    probs: Probs
    open_image: Callable[[int], Image.Image]
    """Row of the pool to its picture; may raise DataError when the file is gone."""
    test: MeasuredAnswers | None
    folder: str
    """Where the run lies, as the user would type it."""
    audited: Audited | None = None
    """What people answered for images drawn at random."""
    history: tuple[AuditedFigure, ...] = ()
    """Every audited figure, oldest first."""
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Column name to the group of each test image, or of each image of the pool where there is no test."""
    lost: int = 0
    """Images of the run that cannot be read any more: no figure is about them."""
    unseen: int = 0
    """Images that are in the figures, by what is kept of them, while their files are gone."""
    row_of: Mapping[str, int] = field(default_factory=dict)
    """Content hash of an image to its row of the pool."""
    work: Status | None = None
    """How its line at work stands; None where nothing is watched."""
