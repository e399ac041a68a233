"""Thumbnails inside the page: the surest and the least sure images of each class, and the worst errors."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from PIL import Image

from clipgrip.errors import DataError
from clipgrip.report.facts import MeasuredAnswers
from clipgrip.report.mixups import confident_errors
from clipgrip.report.reading import Reading

SIDE = 144
QUALITY = 78
SHOWN = 30
"""Classes that are shown in pictures, at most."""


@dataclass(frozen=True)
class Picture:
    """One image; ``source`` is a data URI, or None where the file cannot be opened."""

    source: str | None
    path: str
    confidence: float
    answer: str
    other: str
    """The truth of an error, else the second most probable class."""


@dataclass(frozen=True)
class Gallery:
    """The pictures of one class."""

    name: str
    answers: int
    surest: list[Picture]
    doubtful: list[Picture]


def thumbnail(image: Image.Image) -> str:
    """A JPEG of at most ``SIDE`` pixels a side as a data URI."""
    small = image.convert("RGB")
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    small.save(out, "JPEG", quality=QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode("ascii")


def galleries(run: Reading, order: Iterable[int]) -> list[Gallery]:
    """The first ``SHOWN`` classes of ``order`` that got answers from unlabeled images."""
    filled = [(c, rows) for c in order if (rows := _by_confidence(run, c))]
    shown = filled[:SHOWN]
    each = 5 if len(shown) <= 15 else 4
    return [_gallery(run, c, rows, each) for c, rows in shown]


def _by_confidence(run: Reading, c: int) -> list[int]:
    rows = run.rows[run.answers[run.rows] == c]
    return rows[run.confidence[rows].argsort(descending=True, stable=True)].tolist()


def _gallery(run: Reading, c: int, rows: list[int], each: int) -> Gallery:
    surest, rest = rows[:each], rows[each:]
    return Gallery(
        name=run.names[c],
        answers=len(rows),
        surest=[of_pool(run, row) for row in surest],
        doubtful=[of_pool(run, row) for row in rest[::-1][:each]],
    )


def of_pool(run: Reading, row: int) -> Picture:
    """An image of the pool with its answer and the runner-up."""
    top, second = run.facts.probs[row].topk(2).indices.tolist()
    return Picture(
        source=_source(run.facts.open_image, row),
        path=run.facts.paths[row],
        confidence=float(run.confidence[row]),
        answer=run.names[top],
        other=run.names[second],
    )


def errors(run: Reading) -> list[Picture]:
    """The wrong answers on test images that were given most surely."""
    test = run.facts.test
    if test is None:
        return []
    return [error_picture(run, test, place) for place in confident_errors(run)]


def error_picture(run: Reading, test: MeasuredAnswers, place: int) -> Picture:
    """A test image with its answer and its truth."""
    return Picture(
        source=_source(test.open_image, place),
        path=test.paths[place],
        confidence=float(test.probs[place].max()),
        answer=run.names[int(test.probs[place].argmax())],
        other=run.names[int(test.labels[place])],
    )


def _source(open_image: Callable[[int], Image.Image], row: int) -> str | None:
    try:
        return thumbnail(open_image(row))
    except (DataError, OSError):
        return None
