"""Labels all files under a place at once; each gets an answer, or an issue says why not."""

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
    """Rows with their probabilities (N, C) and embeddings (N, D), and issues for the files without an answer."""

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
    """Label the images under a place; ``item_of`` makes the items of rows, whose images are opened if not cached.

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
    """Write the answers as CSV, and any issues into a file beside it; ``people`` marks rows for a person to decide.

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
        remove_output(beside, PREDICT)  # of an earlier prediction


def check_any_labeled(answers: FileAnswers, images: Path, out: Path) -> None:
    """DataError where none of the files could be labeled."""
    if not answers.rows:
        first, listed = answers.issues[0], issues_path(out)
        raise DataError(NONE, images=images, path=first.path, detail=first.detail, listed=listed)


def issues_path(path: Path) -> Path:
    """The file of issues beside a file of answers."""
    return path.with_suffix(".issues.parquet" if is_parquet(path) else ".issues.csv")


def is_parquet(path: Path) -> bool:
    """Whether the answers go to Parquet, which `serving.stream` writes a shard at a time."""
    return path.suffix.lower() == ".parquet"


def check_answers_place(path: Path, images: Path) -> None:
    """RunError where answers or issues cannot be written, or would replace a file that is not of `predict`."""
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
