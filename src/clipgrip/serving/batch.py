"""Many files at once: each is labeled, or listed with the reason why not."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from clipgrip.data.ingest import ingest
from clipgrip.data.issues import Issue, write_issues
from clipgrip.data.manifest import Row
from clipgrip.data.tables import write_csv
from clipgrip.errors import RunError
from clipgrip.runs.embedding import item, undecodable
from clipgrip.runs.outputs import PREDICTIONS, TOP, prediction_rows
from clipgrip.runs.store import NAME as RUN
from clipgrip.serving.predictor import Predictor
from clipgrip.types import Probs


@dataclass(frozen=True)
class FileAnswers:
    """Rows with their probabilities (N, C), and what could not be used."""

    rows: tuple[Row, ...]
    probs: Probs
    issues: tuple[Issue, ...]


def predict_files(
    predictor: Predictor,
    images: Path,
    on_progress: Callable[[str, int, int], None] = lambda *_: None,
    *,
    encoding: str | None = None,
) -> FileAnswers:
    """Label what lies under a place.

    Raises:
        DataError: the place does not exist or holds no image.
    """
    found = ingest(
        images,
        classes=predictor.classes,
        encoding=encoding,
        on_progress=lambda done, total: on_progress("hash", done, total),
    )
    embedded = predictor.embed(
        [item(row) for row in found.manifest.rows],
        on_progress=lambda done, total: on_progress("embed", done, total),
    )
    reasons = dict(embedded.failures)
    rows = tuple(row for row in found.manifest.rows if row.sha256 not in reasons)
    failed = [
        undecodable(path, reasons[row.sha256])
        for row in found.manifest.rows
        if row.sha256 in reasons
        for path in row.paths
    ]
    probs = predictor.predict_proba(embedded.embeds)
    return FileAnswers(rows, probs, tuple(sorted({*found.issues, *failed})))


def write_predictions(path: Path, predictor: Predictor, answers: FileAnswers) -> None:
    """The answers as CSV, and the issues, if any, in a file beside it."""
    names = predictor.classes.display
    write_csv(path, ("path", *TOP), sorted(prediction_rows(answers.rows, answers.probs, names)))
    if answers.issues:
        write_issues(issues_path(path), answers.issues)
    else:
        issues_path(path).unlink(missing_ok=True)  # an earlier prediction's


def issues_path(path: Path) -> Path:
    """Where the issues stand that belong to a file of answers."""
    return path.with_suffix(".issues.csv")


def check_answers_place(path: Path) -> None:
    """RunError where the answers cannot be written, or would replace those of a run."""
    folder = path.absolute().parent
    if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        reason = "is a folder" if path.is_dir() else f"cannot be written: see {folder}"
        raise RunError(f"{path} {reason}. Give --out the name of a file in a folder that is there.")
    if path.name == PREDICTIONS and (folder / RUN).is_file():
        raise RunError(f"{path} holds the answers of the run in {folder}. Give --out another name.")
