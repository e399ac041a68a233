"""Look at each image once: content hash and header, in a few threads, in a fixed order."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from clipgrip.data.discover import Entry
from clipgrip.data.images import HEAD_BYTES, UndecodableImage, check_signature, shown_of
from clipgrip.data.issues import Issue
from clipgrip.data.sources import MAX_BYTES, EmbeddingSource, FileSource, ImageSource
from clipgrip.errors import DataError
from clipgrip.files import open_file, openable
from clipgrip.sentences import Sentence

Progress = Callable[[int, int], None]
"""Called with how many are done and how many there are."""

_THREADS = 4


@dataclass(frozen=True)
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
        reason = getattr(error, "strerror", None) or str(error)
        return Issue(entry.path, "unreadable", f"cannot be read ({reason})")
    remark = None if detail is None else Issue(entry.path, "first-page-only", detail)
    return Usable(hashlib.sha256(data).hexdigest(), remark)


def _embedded(entry: Entry, source: EmbeddingSource) -> Usable:
    """An embedding, whose file was checked when it was read; a picture that cannot be shown costs only the picture."""
    if not source.picture:
        return Usable(entry.sha256, None, source)
    shown = examine(replace(entry, source=FileSource(source.picture)))
    if isinstance(shown, Usable):
        return Usable(entry.sha256, None, replace(source, picture_sha256=shown.sha256))
    detail = Sentence("{picture}: {detail}", picture=source.picture, detail=shown.detail)
    return Usable(
        entry.sha256, Issue(entry.path, "no-picture", detail), replace(source, picture="")
    )


def examine_all(
    entries: Sequence[Entry], on_progress: Progress | None = None
) -> list[Usable | Issue]:
    """`examine` each entry; the answers stand in the order of the entries."""
    answers: list[Usable | Issue] = []
    pool = ThreadPoolExecutor(_THREADS)
    try:
        for answer in pool.map(examine, entries):
            answers.append(answer)
            if on_progress is not None:
                on_progress(len(answers), len(entries))
    finally:
        pool.shutdown(cancel_futures=True)
    return answers


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
        return head + file.read(MAX_BYTES)
