"""Answers and issues as Parquet, a shard at a time."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from clipgrip.data.arrow import arrow
from clipgrip.data.issues import Issue, Issues, detail_from_json, detail_to_json
from clipgrip.files import openable, utf8, write_bytes_atomic
from clipgrip.runs.calibrated import AuditedCalibration
from clipgrip.runs.outputs import COLUMNS
from clipgrip.types import Probs
from clipgrip.words import ENGLISH, Words

Decide = Callable[[Sequence[int], Sequence[float]], Sequence[bool]]
"""From labels and confidences to whether a person has to decide each image."""
ISSUES = b"issues"
"""Key of a shard's issues, as JSON, in the metadata of its file."""


@dataclass(frozen=True)
class ShardAnswers:
    """A shard's table, with the columns of predictions.csv but ``decided_by``, and its issues."""

    table: Any
    issues: Issues


@dataclass
class Counted:
    """How much was written, and the first issue as (path, reason, detail)."""

    images: int = 0
    people: int = 0
    issues: int = 0
    first_issue: Sequence[str] | None = None


def answers_of(
    paths: Sequence[str],
    probs: Probs,
    names: Sequence[str],
    calibrated: AuditedCalibration | None,
    issues: Issues,
) -> ShardAnswers:
    """A shard's answers: the three likeliest classes of each image, with calibrated confidence if there is any."""
    pa, _ = arrow()
    best = probs.topk(min(3, probs.shape[1]), dim=1)
    shown = probs if calibrated is None else calibrated(probs)
    confidences = shown.gather(1, best.indices).double()
    columns: dict[str, Any] = {"path": pa.array([utf8(path) for path in paths], pa.string())}
    for rank in range(3):
        ending = "" if rank == 0 else f"_{rank + 1}"
        there = rank < best.indices.shape[1]
        labels = best.indices[:, rank].numpy() if there else torch.zeros(len(paths)).numpy()
        coded = pa.DictionaryArray.from_arrays(
            pa.array(labels.astype("int32")), pa.array(list(names), pa.string())
        )
        nothing = pa.nulls(len(paths))
        columns[f"label{ending}"] = coded if there else nothing.cast(coded.type)
        values = pa.array(confidences[:, rank].numpy()) if there else nothing.cast(pa.float64())
        columns[f"confidence{ending}"] = values
    columns["calibrated"] = pa.array([calibrated is not None] * len(paths), pa.bool_())
    columns["model_confidence"] = pa.array(best.values[:, 0].double().numpy())
    return ShardAnswers(pa.table(columns), issues)


def write_part(path: Path, answers: ShardAnswers) -> None:
    """Write the file of a shard, whole or not at all."""
    _, parquet = arrow()
    out = io.BytesIO()
    issues = json.dumps(_issue_rows(answers.issues))
    parquet.write_table(answers.table.replace_schema_metadata({ISSUES: issues.encode()}), out)
    write_bytes_atomic(path, out.getvalue())


def join(
    parts: Iterable[Path],
    issues: Issues,
    answers_to: str,
    issues_to: str,
    decide: Decide | None,
    say: Words = ENGLISH,
) -> Counted:
    """Join the files of shards into one of answers and one of issues, with one shard in memory at a time.

    ``issues`` are those of the listing; all details are written in the language of ``say``.
    """
    pa, parquet = arrow()
    columns = ("path", "reason", "detail")
    schema = pa.schema([(name, pa.string()) for name in columns])
    counted = Counted()
    with ExitStack() as stack:
        listed = stack.enter_context(parquet.ParquetWriter(openable(issues_to), schema))
        answered = None
        _write_issues(listed, _issue_rows(issues), schema, counted, say)
        for path in parts:
            table = parquet.read_table(openable(path))
            rows = json.loads(table.schema.metadata[ISSUES])
            _write_issues(listed, rows, schema, counted, say)
            marks = _marks(table, decide)
            table = _complete(table, marks)
            counted.people += sum(marks)
            counted.images += len(table)
            if answered is None:
                answered = parquet.ParquetWriter(openable(answers_to), table.schema)
                stack.enter_context(answered)
            answered.write_table(table)
    return counted


def _marks(table: Any, decide: Decide | None) -> list[bool]:
    if decide is None or not len(table):
        return [False] * len(table)
    labels = table["label"].combine_chunks().indices.to_pylist()
    return list(decide(labels, table["model_confidence"].to_pylist()))


def _complete(table: Any, people: Sequence[bool]) -> Any:
    """The table with the columns of predictions.csv in their order, and confidences rounded as there."""
    pa, _ = arrow()
    import pyarrow.compute as pc

    by = pa.array(["person" if mark else "model" for mark in people], pa.string())
    table = table.append_column("decided_by", by.dictionary_encode())
    for name in COLUMNS:
        if "confidence" in name:
            column = table.schema.get_field_index(name)
            table = table.set_column(column, name, pc.round(table[name], 6))
    return table.select(list(COLUMNS)).replace_schema_metadata(None)


def _issue_rows(issues: Iterable[Issue]) -> list[list[Any]]:
    return [[one.path, one.reason, detail_to_json(one.detail)] for one in issues]


def _write_issues(
    writer: Any, rows: Sequence[Sequence[Any]], schema: Any, counted: Counted, say: Words
) -> None:
    pa, _ = arrow()
    if rows:
        whole = [(path, reason, detail_from_json(detail)) for path, reason, detail in rows]
        cells = [[utf8(path), reason, utf8(say.translated(why))] for path, reason, why in whole]
        columns = [list(column) for column in zip(*cells, strict=True)]
        writer.write_table(pa.table(columns, schema=schema))
        counted.issues += len(rows)
        counted.first_issue = counted.first_issue or whole[0]
