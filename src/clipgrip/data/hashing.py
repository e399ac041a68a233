"""Reads each image once: its content hash and whether its header is that of a usable image."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from clipgrip.data.entries import Entry
from clipgrip.data.images import HEAD_BYTES, UndecodableImage, check_signature, shown_of
from clipgrip.data.issues import Issue
from clipgrip.data.sources import (
    MAX_BYTES,
    EmbeddingSource,
    FileSource,
    ImageSource,
    picture_at,
    reason_of,
)
from clipgrip.errors import DataError
from clipgrip.executors.base import Executor, current
from clipgrip.files import open_file, openable
from clipgrip.sentences import Sentence, mark

Progress = Callable[[int, int], None]
"""Called with the number of finished images and the total."""

_THREADS = 4
PART = 512
"""Images that a worker gets at a time."""
UNREACHED = mark(
    "a worker cannot read an image that is read here ({error}). Put the images where every machine of the cluster "
    "finds them at the same path, or into an object store."
)


@dataclass(frozen=True, slots=True)
class Usable:
    """An image that can be used: SHA-256 of its bytes, and a remark, such as on pages that are not used."""

    sha256: str
    remark: Issue | None
    source: ImageSource | None = None
    """Replaces the entry's source, where the check changed it (embeddings with a picture)."""


def examine(entry: Entry) -> Usable | Issue:
    """Read and check one image."""
    if isinstance(entry.source, EmbeddingSource):
        return _examine_embedding(entry, entry.source)
    try:
        data = _read(entry.source)
        detail = shown_of(data)
    except UndecodableImage as error:
        return Issue(entry.path, error.reason, error.detail)
    except (OSError, DataError) as error:
        detail = Sentence("cannot be read ({reason})", reason=reason_of(error))
        return Issue(entry.path, "unreadable", detail)
    remark = None if detail is None else Issue(entry.path, "first-page-only", detail)
    return Usable(hashlib.sha256(data).hexdigest(), remark)


def _examine_embedding(entry: Entry, source: EmbeddingSource) -> Usable:
    """Check the picture of an embedding; the vectors were checked with their file. A bad picture is left out."""
    if not source.picture:
        return Usable(entry.sha256, None, source)
    shown = examine(replace(entry, source=picture_at(source.picture)))
    if isinstance(shown, Usable):
        return Usable(entry.sha256, None, replace(source, picture_sha256=shown.sha256))
    detail = Sentence("{picture}: {detail}", picture=source.picture, detail=shown.detail)
    return Usable(
        entry.sha256, Issue(entry.path, "no-picture", detail), replace(source, picture="")
    )


def _is_known(entry: Entry) -> bool:
    """Whether nothing has to be read: the hash of an embedding is known, and it has no picture."""
    return isinstance(entry.source, EmbeddingSource) and not entry.source.picture


def examine_part(entries: Sequence[Entry]) -> list[Usable | Issue]:
    """`examine` several entries: the function that workers run."""
    return [examine(entry) for entry in entries]


def examine_all(
    entries: Sequence[Entry], on_progress: Progress | None = None
) -> Iterator[Usable | Issue]:
    """`examine` each entry and yield the answers in order.

    Begins in a few threads here; the current executor takes over once it says that the rest is worth it.
    """
    executor, began, done = current(), time.monotonic(), 0
    report = on_progress or (lambda *_: None)
    pool = ThreadPoolExecutor(_THREADS)
    try:
        while left := len(entries) - done:
            if executor.is_worth(done, left, time.monotonic() - began):
                yield from _examine_by_workers(executor, entries, done, report)
                return
            part = entries[done : done + PART]
            # threads help where a disk is waited for; for what is in memory they only cost time
            mapped = map if all(map(_is_known, part)) else pool.map
            for answer in mapped(examine, part):
                done += 1
                report(done, len(entries))
                yield answer
    finally:
        pool.shutdown(cancel_futures=True)


def _examine_by_workers(
    executor: Executor, entries: Sequence[Entry], first: int, report: Progress
) -> Iterator[Usable | Issue]:
    """The answers for the entries from ``first`` on, in their order, whatever order the parts arrive in."""
    starts = range(first, len(entries), PART)
    waiting: dict[int, list[Usable | Issue]] = {}
    done, following = first, 0
    parts = (entries[start : start + PART] for start in starts)
    for number, answers in executor.answers(examine_part, parts):
        _check_reached(entries[starts[number] : starts[number] + PART], answers)
        waiting[number] = answers
        done += len(answers)
        report(done, len(entries))
        while following in waiting:
            yield from waiting.pop(following)
            following += 1


def _check_reached(entries: Sequence[Entry], answers: Sequence[Usable | Issue]) -> None:
    """DataError where a worker could not read a file that this process can: its machine lacks the files."""
    for entry, answer in zip(entries, answers, strict=True):
        lost = _issue_of(answer)
        if lost is None or lost.reason not in ("unreadable", "no-picture"):
            continue
        here = _issue_of(examine(entry))
        if here is None or here.reason != lost.reason:
            raise DataError(UNREACHED, error=lost.detail)


def _issue_of(answer: Usable | Issue) -> Issue | None:
    return answer.remark if isinstance(answer, Usable) else answer


def _read(source: ImageSource) -> bytes:
    return _read_file(source.path) if isinstance(source, FileSource) else source.read()


def _read_file(path: str) -> bytes:
    """The bytes of a file. UndecodableImage, before the rest is read, where its head is that of no image."""
    state = os.stat(openable(path))
    if not stat.S_ISREG(state.st_mode):
        raise UndecodableImage("not-an-image", Sentence("not a regular file"))
    if state.st_size > MAX_BYTES:
        raise UndecodableImage(
            "too-large", Sentence("more than {max_bytes} MiB", max_bytes=MAX_BYTES >> 20)
        )
    with open_file(path) as file:
        head = file.read(HEAD_BYTES)
        check_signature(head)
        return head + file.read()
