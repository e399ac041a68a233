"""Look at each image once: content hash and header, in a few threads, in a fixed order."""

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
"""Called with how many are done and how many there are."""

_THREADS = 4
PART = 512
"""Files that a worker gets at a time."""
UNREACHED = mark(
    "a worker cannot read an image that is read here ({error}). Put the images where every machine of the cluster "
    "finds them at the same path, or into an object store."
)


@dataclass(frozen=True, slots=True)
class Usable:
    """An image that can be used: SHA-256 of its bytes, and a remark where they hold more than one picture."""

    sha256: str
    remark: Issue | None
    source: ImageSource | None = None
    """Where it is read from now on, if otherwise than the entry says."""


def examine(entry: Entry) -> Usable | Issue:
    """A usable image, or what is wrong with it."""
    if isinstance(entry.source, EmbeddingSource):
        return _embedded(entry, entry.source)
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


def _embedded(entry: Entry, source: EmbeddingSource) -> Usable:
    """An embedding, whose file was checked when it was read; a picture that cannot be shown costs only the picture."""
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
    """Whether nothing has to be read: an embedding without a picture."""
    return isinstance(entry.source, EmbeddingSource) and not entry.source.picture


def examine_part(entries: Sequence[Entry]) -> list[Usable | Issue]:
    """`examine` each of a part of the entries: the work of a worker."""
    return [examine(entry) for entry in entries]


def examine_all(
    entries: Sequence[Entry], on_progress: Progress | None = None
) -> Iterator[Usable | Issue]:
    """`examine` each entry, in their order.

    By a few threads, or by the executor at work once it is worth that.
    """
    executor, began, done = current(), time.monotonic(), 0
    report = on_progress or (lambda *_: None)
    pool = ThreadPoolExecutor(_THREADS)
    try:
        while left := len(entries) - done:
            if executor.is_worth(done, left, time.monotonic() - began):
                yield from _by_workers(executor, entries, done, report)
                return
            part = entries[done : done + PART]
            # threads wait for disks; what is in memory is sooner looked at than handed over
            mapped = map if all(map(_is_known, part)) else pool.map
            for answer in mapped(examine, part):
                done += 1
                report(done, len(entries))
                yield answer
    finally:
        pool.shutdown(cancel_futures=True)


def _by_workers(
    executor: Executor, entries: Sequence[Entry], first: int, report: Progress
) -> Iterator[Usable | Issue]:
    """The answers of the entries from ``first`` on, which come in any order and are given in that of the entries."""
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
    """DataError where a worker does not reach a file that this process reads, that of an embedding's picture too."""
    for entry, answer in zip(entries, answers, strict=True):
        lost = _remark(answer)
        if lost is None or lost.reason not in ("unreadable", "no-picture"):
            continue
        here = _remark(examine(entry))
        if here is None or here.reason != lost.reason:
            raise DataError(UNREACHED, error=lost.detail)


def _remark(answer: Usable | Issue) -> Issue | None:
    return answer.remark if isinstance(answer, Usable) else answer


def _read(source: ImageSource) -> bytes:
    return _read_file(source.path) if isinstance(source, FileSource) else source.read()


def _read_file(path: str) -> bytes:
    """The bytes of a file whose head may be an image; nothing else is read to the end."""
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
