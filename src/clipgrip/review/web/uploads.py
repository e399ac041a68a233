"""Files that come in pieces, so that neither a proxy's limit nor a lost connection ends a large import."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from clipgrip.errors import DataError, RunError
from clipgrip.files import system_words
from clipgrip.sentences import Sentence, mark

MOST_BYTES = 2 << 30
"""Bytes of a whole file."""
AT_ONCE = 4
"""Files that come at the same time; the one that was silent longest gives way."""
LONGER = mark("the file is longer than was said before. Bring the file in again.")
TOKEN = r"^[\w-]{8,64}$"


@dataclass
class _Upload:
    file: IO[bytes]
    heard: float
    size: int = 0
    done: dict[str, Any] | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class Uploads:
    """Files that are coming. A piece that comes twice, because its answer was lost, is taken once."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._lock = folder, threading.Lock()
        self._coming: dict[str, _Upload] = {}

    def add(
        self, token: str, at: int, of: int, piece: bytes, use: Callable[[bytes], dict[str, Any]]
    ) -> dict[str, Any]:
        """Keep a piece; with the last one the whole file goes to ``use``, whose result is returned.

        Raises:
            DataError: the file is too long, or a piece before this one never came.
            RunError: the disk has no room for it.
        """
        if at + len(piece) > of:
            raise DataError(LONGER)
        if of > MOST_BYTES:
            raise DataError(
                "files of more than {size} GB are not taken. Split it.", size=MOST_BYTES >> 30
            )
        one = self._upload(token, at)
        with one.lock:
            if one.done is not None:
                return one.done
            if at > one.size:
                raise DataError(
                    mark("a piece of the file did not arrive. Bring the file in again.")
                )
            try:
                one.file.seek(at)
                one.file.write(piece)
                one.size, one.heard = max(one.size, at + len(piece)), time.monotonic()
                if one.size < of:
                    return {"received": one.size}
                one.file.seek(0)
                whole = one.file.read()
            except (OSError, ValueError) as error:
                self._drop(token)
                gone = Sentence("another file took its place")
                reason = system_words(error) if isinstance(error, OSError) else gone
                raise RunError(
                    "the file could not be kept for reading: {reason}. Make room on the disk, then send it again.",
                    reason=reason,
                ) from None
            try:
                one.done = use(whole)
            except Exception:
                self._drop(token)
                raise
            one.file.close()
            return one.done

    def close(self) -> None:
        """Let go of what never became whole."""
        with self._lock:
            while self._coming:
                self._coming.popitem()[1].file.close()

    def _upload(self, token: str, at: int) -> _Upload:
        with self._lock:
            if token in self._coming:
                return self._coming[token]
            if at:
                raise DataError(
                    mark("the beginning of the file is not here. Bring the file in again.")
                )
            while len(self._coming) >= AT_ONCE:
                oldest = min(self._coming, key=lambda key: self._coming[key].heard)
                self._coming.pop(oldest).file.close()
            try:
                file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - closed when whole, dropped or ended
            except OSError as error:
                raise RunError(
                    "the file could not be kept for reading: {reason}. Make room on the disk, then send it again.",
                    reason=system_words(error),
                ) from None
            self._coming[token] = _Upload(file, time.monotonic())
            return self._coming[token]

    def _drop(self, token: str) -> None:
        with self._lock:
            found = self._coming.pop(token, None)
        if found is not None:
            found.file.close()
