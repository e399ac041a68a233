"""The files of a finished run, each whole or not there."""

from __future__ import annotations

import io
import json
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import torch

from clipgrip.data.issues import Issues, issues_bytes
from clipgrip.data.rows import HashIndex, Row
from clipgrip.data.tables import csv_bytes
from clipgrip.data.texts import Texts
from clipgrip.files import utf8, write_text_atomic
from clipgrip.runs import checkpoint
from clipgrip.runs.calibrated import NAME as CALIBRATION
from clipgrip.runs.calibrated import AuditedCalibration, read_calibration, write_calibration
from clipgrip.runs.events import Listener
from clipgrip.runs.outcome import Outcome
from clipgrip.runs.rounds import best_round
from clipgrip.sentences import Sentence
from clipgrip.trust.honesty import AUDITED, honesty
from clipgrip.types import Labels, Probs
from clipgrip.written import write_dated

PREDICTIONS = "predictions.csv"
TOP = ("label", "confidence", "label_2", "confidence_2", "label_3", "confidence_3")
DECIDED_BY = "decided_by"
"""Column of predictions.csv: whether a person or the model gave the label."""
CALIBRATED = "calibrated"
"""Column: whether audited answers calibrated the confidence (yes, no); empty beside a person's label."""
MODEL_CONFIDENCE = "model_confidence"
"""Column: the confidence without calibration, to which the thresholds of a promise apply."""
PARQUET = "predictions.parquet"
MANY = 1_000_000
"""Lines from which predictions are written as Parquet too, and pseudolabels of the best round only."""
LINES = 16_384
"""Lines of predictions that are computed together."""
COLUMNS = ("path", *TOP, DECIDED_BY, CALIBRATED, MODEL_CONFIDENCE)
NUMBERS = ("confidence", "confidence_2", "confidence_3", MODEL_CONFIDENCE)
"""The numeric columns."""
GROUP = 131_072
"""Rows of a row group in Parquet."""


def write_outputs(outcome: Outcome, issues: Issues, listener: Listener) -> None:
    """Write predictions.csv, pseudolabels.csv, issues.csv, metrics.json and the files of the prompt.

    A table that a person changed stays; the new one gets a dated name, of which the listener gets a note.
    """
    folder = outcome.folder
    pseudolabels = (
        ("round", "path", "label", "confidence"),
        _pseudolabel_rows(outcome, listener.note),
    )
    _write_predictions(outcome, read_calibration(folder), listener.note)
    for name, table in (
        ("pseudolabels.csv", csv_bytes(*pseudolabels)),
        ("issues.csv", issues_bytes(issues, listener.say)),
    ):
        write_dated(folder / name, table, "run", listener.note)
    write_text_atomic(folder / "metrics.json", json_text(outcome.metrics))
    class_embeds = outcome.start.class_embeds(outcome.learned)
    beside = outcome.ready.beside if outcome.joint else None
    parts = outcome.learned, outcome.prompt, class_embeds, outcome.joint, beside
    checkpoint.PromptFiles(*parts).write(folder)


def _write_predictions(
    outcome: Outcome, calibrated: AuditedCalibration | None, note: Callable[[str], None]
) -> None:
    """Write predictions.csv, and beside it predictions.parquet for many images."""
    if len(outcome.manifest) > MANY:
        _write_parquet(outcome, calibrated, note)
    table = csv_bytes(COLUMNS, prediction_lines(outcome, calibrated))
    write_dated(outcome.folder / PREDICTIONS, table, "run", note)


def _write_parquet(
    outcome: Outcome, calibrated: AuditedCalibration | None, note: Callable[[str], None]
) -> None:
    """Write predictions.parquet, as few programs open a CSV of that size; without pyarrow only a note is given."""
    data = parquet_bytes(COLUMNS, NUMBERS, prediction_lines(outcome, calibrated))
    if data is None:
        note(
            Sentence(
                "{n} images make a large CSV. With pip install 'clipgrip[parquet]' they are written as Parquet too.",
                n=f"{len(outcome.manifest):,}",
            )
        )
        return
    write_dated(outcome.folder / PARQUET, data, "run", note)


def recalibrate(
    outcome: Outcome, truth: Labels, note: Callable[[str], None] = lambda _: None
) -> AuditedCalibration | None:
    """Calibrate a finished run by audited classes (N,), -1 for images that were not audited, and rewrite its answers.

    calibration.json stores the temperature for `predict`. None with fewer than `AUDITED` answers, or where a
    temperature gains nothing; then an earlier file is removed. OSError: the folder may not be written.
    """
    found = honesty(outcome.answers.pool, truth, least=AUDITED)
    calibrated = AuditedCalibration.of(found) if found is not None and found.gains else None
    if calibrated is not None or (outcome.folder / CALIBRATION).is_file():
        _write_predictions(outcome, calibrated, note)
    write_calibration(outcome.folder, calibrated)  # last, so that a stop before it repeats both
    return calibrated


def prediction_lines(
    outcome: Outcome, calibrated: AuditedCalibration | None
) -> Iterator[tuple[str, ...]]:
    """A line of `COLUMNS` for each file, in the order of the paths; computed a part at a time to bound the memory."""
    embeds, answers, names = outcome.embeds, outcome.answers, outcome.manifest.classes.display
    rows, n_pool = embeds.pool_rows.and_(embeds.test_rows), len(embeds.pool_rows)
    paths, row_of_path = Texts(), array("q")
    for number, copies in enumerate(rows.paths()):
        for path in copies:
            paths.append(path)
            row_of_path.append(number)
    order, row_of = paths.order(), np.array(row_of_path)
    for start in range(0, len(order), LINES):
        part = order[start : start + LINES]
        numbers = torch.from_numpy(row_of[part])
        probs = answers.pool.new_empty(len(part), answers.pool.shape[1])
        in_pool = numbers < n_pool
        probs[in_pool] = answers.pool[numbers[in_pool]]
        probs[~in_pool] = answers.test[numbers[~in_pool] - n_pool].to(probs.dtype)
        person_labels = torch.where(
            in_pool, outcome.task.labels[numbers.clamp_max(n_pool - 1)], -1
        ).tolist()
        cells = prediction_cells(probs, names, calibrated, person_labels)
        yield from ((paths[at], *line) for at, line in zip(part.tolist(), cells, strict=True))


def as_given(probs: Probs, labels: Sequence[int]) -> Probs:
    """(N, C) in which people's ``labels``, -1 for none, have probability 1 and rank first."""
    rows = [row for row, label in enumerate(labels) if label >= 0]
    if not rows:
        return probs
    certain = probs.clone()
    certain[rows] = certain[rows].clamp_max(1 - 1e-6)  # so that no class ties with the label
    certain[rows, [labels[row] for row in rows]] = 1.0
    return certain


def prediction_rows(
    rows: Sequence[Row],
    probs: Probs,
    names: Sequence[str],
    calibrated: AuditedCalibration | None = None,
) -> Iterator[tuple[str, ...]]:
    """A line of `COLUMNS` for each file; copies of one content get a line each."""
    for row, cells in zip(rows, prediction_cells(probs, names, calibrated), strict=True):
        for path in row.paths:
            yield (path, *cells)


def prediction_cells(
    probs: Probs,
    names: Sequence[str],
    calibrated: AuditedCalibration | None = None,
    person_labels: Sequence[int] | None = None,
) -> Iterator[tuple[str, ...]]:
    """The cells after the path, for each image."""
    by_person = person_labels or [-1] * len(probs)
    shown = as_given(probs if calibrated is None else calibrated(probs), by_person)
    own = as_given(probs, by_person)
    best = own.topk(min(3, probs.shape[1]), dim=1)
    lines = zip(
        best.indices.tolist(),
        shown.gather(1, best.indices).tolist(),
        best.values[:, 0].tolist(),
        by_person,
        strict=True,
    )
    for labels, confidences, as_model, label in lines:
        pairs = [(names[c], f"{p:.6f}") for c, p in zip(labels, confidences, strict=True)]
        cells = [cell for pair in pairs for cell in pair]
        padded = cells + [""] * (len(TOP) - len(cells))
        state = "" if label >= 0 else "no" if calibrated is None else "yes"
        by = "person" if label >= 0 else "model"
        yield (*padded, by, state, f"{as_model:.6f}")


def json_text(value: Any) -> str:
    """Readable JSON, with equal bytes for equal values; NaN and infinity are a ValueError."""
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _pseudolabel_rows(outcome: Outcome, note: Callable[[str], None]) -> Iterator[tuple[Any, ...]]:
    """The pseudolabels of all rounds, or of the best round alone where they are too many for a table."""
    names, rounds = outcome.manifest.classes.display, outcome.rounds
    rows = outcome.embeds.pool_rows
    paths, at = rows.shown(), HashIndex(rows.hashes)
    best = best_round(rounds)
    if len(rounds) > 1 and best and sum(len(done.pseudolabels) for done in rounds) > MANY:
        rounds = (best,)
        note(
            Sentence(
                "pseudolabels.csv holds those of round {number} alone, which is kept: all rounds have too many for a "
                "table. runs.db holds them all.",
                number=best.number,
            )
        )
    for done in rounds:
        places = at.of(done.pseudolabels.hashes).tolist()
        for place, (_, label, confidence) in zip(places, done.pseudolabels, strict=True):
            if place >= 0:  # else the image has gone since
                yield done.number, paths[place], names[label], f"{confidence:.6f}"


def parquet_bytes(
    columns: Sequence[str], numbers: Collection[str], lines: Iterable[Sequence[str]]
) -> bytes | None:
    """The bytes of a Parquet file, whose columns ``numbers`` are numeric; None without pyarrow."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        return None
    schema = pa.schema(
        [(name, pa.float64() if name in numbers else pa.string()) for name in columns]
    )
    rest, out = iter(lines), io.BytesIO()
    with pq.ParquetWriter(out, schema) as writer:
        while part := list(islice(rest, GROUP)):
            values = (
                [_number(cell) if name in numbers else utf8(cell) for cell in column]
                for name, column in zip(columns, zip(*part, strict=True), strict=True)
            )
            arrays: list[Any] = [
                pa.array(column, one.type) for one, column in zip(schema, values, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
    return out.getvalue()


def _number(cell: str) -> float | None:
    return float(cell) if cell else None
