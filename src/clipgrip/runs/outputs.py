"""The files of a finished run, each whole or not there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from clipgrip.data.issues import Issue, issues_bytes
from clipgrip.data.manifest import Row
from clipgrip.data.tables import csv_bytes
from clipgrip.files import write_text_atomic
from clipgrip.runs import checkpoint
from clipgrip.runs.events import Listener
from clipgrip.runs.outcome import Outcome
from clipgrip.types import Probs
from clipgrip.written import write_dated

PREDICTIONS = "predictions.csv"
TOP = ("label", "confidence", "label_2", "confidence_2", "label_3", "confidence_3")
DECIDED_BY = "decided_by"
"""Column of predictions.csv: a person, whose label stands as it was given, or the model."""


def write_outputs(outcome: Outcome, issues: Iterable[Issue], hear: Listener) -> None:
    """predictions.csv, pseudolabels.csv, issues.csv, metrics.json and prompt.safetensors.

    A table that a person changed stays; the new one gets a dated name, which ``hear`` is told.
    """
    folder, names = outcome.folder, outcome.manifest.classes.display
    embeds, answers = outcome.embeds, outcome.answers
    given = outcome.task.labels.tolist()
    predictions = sorted(
        [
            *_decided(
                prediction_rows(embeds.pool_rows, as_given(answers.pool, given), names),
                embeds.pool_rows,
                given,
            ),
            *((*row, "model") for row in prediction_rows(embeds.test_rows, answers.test, names)),
        ]
    )
    pseudolabels = ("round", "path", "label", "confidence"), _pseudolabel_rows(outcome)
    for name, table in (
        (PREDICTIONS, csv_bytes(("path", *TOP, DECIDED_BY), predictions)),
        ("pseudolabels.csv", csv_bytes(*pseudolabels)),
        ("issues.csv", issues_bytes(issues)),
    ):
        write_dated(folder / name, table, "run", hear.note)
    write_text_atomic(folder / "metrics.json", json_text(outcome.metrics))
    checkpoint.write_folder(
        folder,
        outcome.learned,
        outcome.prompt,
        outcome.start.class_embeds(outcome.learned),
        outcome.joint,
        beside=outcome.ready.beside if outcome.joint else None,
    )


def as_given(probs: Probs, labels: Sequence[int]) -> Probs:
    """(N, C) where people's labels, -1 for none, have probability 1 and the model's answers stay behind them."""
    rows = [row for row, label in enumerate(labels) if label >= 0]
    if not rows:
        return probs
    certain = probs.clone()
    certain[rows] = certain[rows].clamp_max(1 - 1e-6)  # nothing the model says comes first
    certain[rows, [labels[row] for row in rows]] = 1.0
    return certain


def _decided(
    lines: Iterable[tuple[Any, ...]], rows: Sequence[Row], given: Sequence[int]
) -> Iterator[tuple[Any, ...]]:
    by = [
        "person" if label >= 0 else "model"
        for row, label in zip(rows, given, strict=True)
        for _ in row.paths
    ]
    for line, who in zip(lines, by, strict=True):
        yield (*line, who)


def prediction_rows(
    rows: Sequence[Row], probs: Probs, names: Sequence[str]
) -> Iterator[tuple[Any, ...]]:
    """(path, label, confidence, second, ..., third, ...) for each file, copies of one content included."""
    best = probs.topk(min(3, probs.shape[1]), dim=1)
    for row, labels, confidences in zip(
        rows, best.indices.tolist(), best.values.tolist(), strict=True
    ):
        pairs = [(names[c], f"{p:.6f}") for c, p in zip(labels, confidences, strict=True)]
        cells = [cell for pair in pairs for cell in pair]
        padded = cells + [""] * (len(TOP) - len(cells))
        for path in row.paths:
            yield (path, *padded)


def json_text(value: Any) -> str:
    """Readable JSON with the same bytes for the same value; a number that is none is an error."""
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _pseudolabel_rows(outcome: Outcome) -> Iterator[tuple[Any, ...]]:
    names = outcome.manifest.classes.display
    paths = {row.sha256: row.path for row in outcome.embeds.pool_rows}
    for done in outcome.rounds:
        for sha256, label, confidence in done.pseudolabels:
            yield done.number, paths[sha256], names[label], f"{confidence:.6f}"
