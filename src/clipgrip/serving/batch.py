"""Many files at once: each is labeled, or listed with the reason why not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clipgrip.backbone.encode import Item
from clipgrip.data.ingest import ingest
from clipgrip.data.issues import Issues, issues_bytes
from clipgrip.data.rows import Row
from clipgrip.data.tables import csv_bytes
from clipgrip.errors import DataError, RunError
from clipgrip.runs.embedding import item, undecodable
from clipgrip.runs.outputs import COLUMNS, DECIDED_BY, PREDICTIONS, prediction_rows
from clipgrip.runs.store import NAME as RUN
from clipgrip.sentences import mark
from clipgrip.serving.predictor import Predictor
from clipgrip.types import ImageEmbeds, Probs
from clipgrip.words import ENGLISH, Words
from clipgrip.written import check_output, check_table, remove_output, write_output

PREDICT = "predict"
NONE = mark(
    "{images}: none of the files can be labeled. The first: {path}: {detail}. All are listed in {listed}."
)


@dataclass(frozen=True)
class FileAnswers:
    """Rows with their probabilities (N, C) and embeddings (N, D), and what could not be used."""

    rows: tuple[Row, ...]
    probs: Probs
    issues: Issues
    embeds: ImageEmbeds = field(repr=False)


def predict_files(
    predictor: Predictor,
    images: Path,
    on_progress: Callable[[str, int, int], None] = lambda *_: None,
    *,
    encoding: str | None = None,
    item_of: Callable[[Row], Item] = item,
) -> FileAnswers:
    """Label what lies under a place; ``item_of`` opens the picture of a row that was not embedded yet.

    DataError: the place does not exist or holds no image.
    """
    found = ingest(
        images,
        classes=predictor.classes,
        encoding=encoding,
        on_progress=lambda done, total: on_progress("hash", done, total),
    )
    embedded = predictor.embed_rows(
        found.manifest.rows,
        item_of,
        on_progress=lambda done, total: on_progress("embed", done, total),
    )
    reasons = dict(embedded.failures)
    rows = tuple(row for row in found.manifest.rows if row.sha256 not in reasons)
    failed = (
        undecodable(path, reasons[row.sha256])
        for row in found.manifest.rows
        if row.sha256 in reasons
        for path in row.paths
    )
    probs = predictor.predict_proba(embedded.embeds)
    issues = Issues(found.issues, failed).in_order()
    return FileAnswers(rows, probs, issues, embedded.embeds)


def write_predictions(
    path: Path,
    predictor: Predictor,
    answers: FileAnswers,
    people: Sequence[bool] | None = None,
    say: Words = ENGLISH,
) -> None:
    """The answers as CSV, and the issues, if any, in a file beside it; ``people`` marks rows that a person decides.

    Raises:
        RunError: as `check_answers_place`.
        OSError: the system refused.
    """
    names, beside = predictor.classes.display, issues_path(path)
    lines = prediction_rows(answers.rows, answers.probs, names, predictor.calibrated)
    marks = people or [False] * len(answers.rows)
    by_person = (mark for row, mark in zip(answers.rows, marks, strict=True) for _ in row.paths)
    at = COLUMNS.index(DECIDED_BY)
    decided = [
        (*line[:at], "person", *line[at + 1 :]) if mark else line
        for line, mark in zip(lines, by_person, strict=True)
    ]
    table = csv_bytes(COLUMNS, sorted(decided))
    write_output(path, table, PREDICT)
    if answers.issues:
        write_output(beside, issues_bytes(answers.issues, say), PREDICT)
    else:
        remove_output(beside, PREDICT)  # an earlier prediction's


def check_any_labeled(answers: FileAnswers, images: Path, out: Path) -> None:
    """DataError where there were files and none could be labeled."""
    if not answers.rows:
        first, listed = answers.issues[0], issues_path(out)
        raise DataError(NONE, images=images, path=first.path, detail=first.detail, listed=listed)


def issues_path(path: Path) -> Path:
    """Where the issues stand that belong to a file of answers."""
    return path.with_suffix(".issues.parquet" if is_parquet(path) else ".issues.csv")


def is_parquet(path: Path) -> bool:
    """Whether answers are wanted as Parquet, a shard at a time (`serving.stream`)."""
    return path.suffix.lower() == ".parquet"


def check_answers_place(path: Path, images: Path) -> None:
    """RunError where the answers, or the issues beside them, cannot be written or would replace what is no answer."""
    folder = path.absolute().parent
    if path.name == PREDICTIONS and (folder / RUN).is_file():
        raise RunError(
            "{path} holds the answers of the run in {folder}. Give --out another name.",
            path=path,
            folder=folder,
        )
    check = check_output if is_parquet(path) else check_table
    check(path, PREDICT, reads=(images,))
    check_output(issues_path(path), PREDICT, reads=(images,))
