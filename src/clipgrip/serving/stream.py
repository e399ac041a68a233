"""Answers any number of images, a shard at a time, into a Parquet file; after a stop it resumes at the next shard.

A folder beside the output holds a file for each finished shard, named by a hash over the shard and the prompt. When all
shards are finished, their files are joined and the folder is removed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from clipgrip.data.entries import Entry
from clipgrip.data.hashing import Usable, examine_all
from clipgrip.data.issues import Issue, Issues
from clipgrip.data.listing import ImageListing, Shard, listing
from clipgrip.data.rows import Row
from clipgrip.errors import DataError
from clipgrip.executors import current
from clipgrip.files import naming, openable, part_name
from clipgrip.runs import checkpoint
from clipgrip.runs.calibrated import NAME as CALIBRATION
from clipgrip.runs.embedding import undecodable
from clipgrip.runs.lock import NAME as LOCK
from clipgrip.runs.lock import locked
from clipgrip.sentences import Sentence
from clipgrip.serving.batch import NONE, PREDICT, issues_path
from clipgrip.serving.predictor import Predictor
from clipgrip.serving.tables import Counted, Decide, ShardAnswers, answers_of, join, write_part
from clipgrip.types import Probs
from clipgrip.words import ENGLISH, Words
from clipgrip.written import remove_output, take_output

FILES = (checkpoint.NAME, checkpoint.CLASS_EMBEDS, checkpoint.HEAD, checkpoint.EYES, CALIBRATION)
"""The files in a run's folder that determine an answer."""
SHARDS_A_WORKER = 1 / 8
"""How many shards are answered together for each worker, so that few workers wait for the last one."""


@dataclass(frozen=True)
class Streamed:
    """Counts: answered images, those answered in this call, those left to a person, and issues."""

    images: int
    fresh: int
    people: int
    issues: int


def predict_stream(
    folder: Path,
    images: Path,
    out: Path,
    *,
    encoding: str | None = None,
    decide: Decide | None = None,
    on_progress: Callable[[str, int, int], None] = lambda *_: None,
    say: Words = ENGLISH,
) -> Streamed:
    """Answer the images under a place by the prompt in a run's folder, into the Parquet file ``out``.

    Only a window of shards is in memory. After a stop or kill, the next call answers only the missing shards.

    Raises:
        DataError: the place does not exist or holds no image, or holds embeddings where the model sees images, or the
            other way round.
        MissingPackage: pyarrow is not installed.
    """
    found = listing(images, encoding)
    predictor, parts = Predictor.open(folder), parts_folder(out)
    with naming(parts):
        parts.mkdir(parents=True, exist_ok=True)
    with locked(parts):
        names, fresh = _answer_missing(predictor, folder, parts, found, on_progress)
        counted = _join_parts([parts / name for name in names], found, out, decide, say)
    _remove_parts(parts)
    if not counted.images:
        first, listed = counted.first_issue, issues_path(out)
        path, _, detail = first or ("", "", Sentence("there is no image"))
        raise DataError(NONE, images=images, path=path, detail=detail, listed=listed)
    return Streamed(counted.images, fresh, counted.people, counted.issues)


def _answer_missing(
    predictor: Predictor,
    folder: Path,
    parts: Path,
    found: ImageListing,
    on_progress: Callable[[str, int, int], None],
) -> tuple[list[str], int]:
    """Write the missing files of shards; returns the names of all, and how many images were answered now."""
    done, fresh, names = 0, 0, list[str]()
    for window in _windows(found.shards()):
        keyed = [(_name(shard, folder), shard) for shard in window]
        missing = [(name, shard) for name, shard in keyed if not (parts / name).is_file()]
        rows = sum(len(shard.entries) for shard in window)
        fresh += sum(len(shard.entries) for _, shard in missing)
        for name, answers in _answer_shards(predictor, missing):
            write_part(parts / name, answers)
        names += [name for name, _ in keyed]
        done += rows
        on_progress("answer", done, max(done, found.count or 0))
    return names, fresh


def _remove_parts(parts: Path) -> None:
    """Remove the folder of shards; other files in it stay, and then so does the folder."""
    for path in parts.iterdir():
        if re.fullmatch(r"[0-9a-f]{40}\.parquet", path.name) or path.name == LOCK:
            path.unlink()
    with contextlib.suppress(OSError):
        parts.rmdir()


def parts_folder(out: Path) -> Path:
    """The folder of finished shards beside the output."""
    return out.with_name(f"{out.name}.parts")


def _windows(shards: Iterator[Shard]) -> Iterator[list[Shard]]:
    while window := list(islice(shards, max(1, round(current().workers * SHARDS_A_WORKER)))):
        yield window


def _name(shard: Shard, folder: Path) -> str:
    digest = hashlib.sha256(shard.key.encode())
    for file in FILES:
        path = folder / file
        digest.update(hashlib.sha256(path.read_bytes()).digest() if path.is_file() else b"-")
    return f"{digest.hexdigest()[:40]}.parquet"


def _answer_shards(
    predictor: Predictor, shards: Sequence[tuple[str, Shard]]
) -> Iterator[tuple[str, ShardAnswers]]:
    """The answers of several shards, whose images are read and encoded together, by file name."""
    entries = [entry for _, shard in shards for entry in shard.entries]
    examined = list(examine_all(entries))
    images = {
        found.sha256: Row(found.sha256, (entry.path,), -1, "pool", found.source or entry.source)
        for entry, found in zip(entries, examined, strict=True)
        if isinstance(found, Usable)
    }
    embedded = predictor.embed_rows(list(images.values()))
    failures = dict(embedded.failures)
    rows = {sha256: row for row, sha256 in enumerate(embedded.hashes)}
    probs = predictor.predict_proba(embedded.embeds)
    start = 0
    for name, shard in shards:
        part = examined[start : start + len(shard.entries)]
        start += len(part)
        yield name, _shard_answers(predictor, shard, part, rows, probs, failures)


def _shard_answers(
    predictor: Predictor,
    shard: Shard,
    examined: Sequence[Usable | Issue],
    rows: dict[str, int],
    probs: Probs,
    failures: dict[str, Any],
) -> ShardAnswers:
    paths: list[str] = []
    answered: list[int] = []
    issues = Issues()
    for entry, found in zip(shard.entries, examined, strict=True):
        issue = _issue(entry, found, failures)
        if issue is not None:
            issues.append(issue)
        if isinstance(found, Usable) and found.sha256 in rows:
            paths.append(entry.path)
            answered.append(rows[found.sha256])
    names = predictor.classes.display
    return answers_of(paths, probs[answered], names, predictor.calibrated, issues)


def _issue(entry: Entry, found: Usable | Issue, failures: dict[str, Any]) -> Issue | None:
    if isinstance(found, Issue):
        return found
    if found.sha256 in failures:
        return undecodable(entry.path, failures[found.sha256])
    return found.remark


def _join_parts(
    parts: Iterable[Path], found: ImageListing, out: Path, decide: Decide | None, say: Words
) -> Counted:
    """Join the shards into one file of answers and one of issues, each whole or not at all."""
    folder, beside = out.absolute().parent, issues_path(out)
    answers, issues = part_name(folder), part_name(folder)
    try:
        counted = join(parts, found.issues, answers, issues, decide, say)
        if counted.images:
            take_output(out, answers, PREDICT)
        if counted.issues:
            take_output(beside, issues, PREDICT)
        else:
            remove_output(beside, PREDICT)  # of an earlier prediction
    finally:
        for path in (answers, issues):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(openable(path))
    return counted
