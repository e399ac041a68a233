"""A round that runs beside the review, in a process of its own, and tells in a file how far it is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from clipgrip.errors import ClipgripError, RunError
from clipgrip.files import write_text_atomic
from clipgrip.runs.events import Listener
from clipgrip.runs.lock import locked

NAME = "next-round.json"
LOG = "next-round.log"
EVERY = 0.4
"""Seconds between two reports."""
SHARES = {
    "hash": (0.0, 0.02),
    "embed": (0.02, 0.08),
    "pixels": (0.08, 0.12),
    "round": (0.12, 0.96),
    "answer": (0.96, 1.0),
}
"""Where each stage begins and ends in the whole work; most images are embedded already, so tuning takes the time."""
ENOUGH = 0.02
"""Share of the whole that the tuning must have done before its pace says when it ends."""


@dataclass(frozen=True)
class Progress:
    """How far the round is; ``stopped`` where its process has ended without a result."""

    state: Literal["none", "running", "done", "failed", "stopped"] = "none"
    pid: int = 0
    person: str = ""
    began: float = 0.0
    stage: str = ""
    done: int = 0
    total: int = 0
    rounds: int = 0
    planned: int = 0
    share: float = 0.0
    """Of the whole work, from 0 to 1; never goes back."""
    left: float | None = None
    """Seconds, once they can be told."""
    notes: tuple[str, ...] = ()
    error: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    round: int = 0


def progress(folder: Path) -> Progress:
    """What the file says, checked against whether its process lives."""
    try:
        values = json.loads((folder / NAME).read_text("utf-8"))
        told = Progress(**{**values, "notes": tuple(values["notes"])})
    except (OSError, ValueError, KeyError, TypeError):
        return Progress()
    if told.state == "running" and not _alive(folder):
        return Progress(**{**asdict(told), "state": "stopped", "notes": told.notes})
    return told


def start(folder: Path, person: str) -> None:
    """Begin the next round in a process of its own, which outlives this one.

    Raises:
        RunError: one is running.
    """
    with _starting:
        if progress(folder).state == "running":
            raise RunError("a round is running already. Wait until it is done, or stop it first.")
        with open(folder / LOG, "ab") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "clipgrip.review.job", os.fspath(folder), person],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        _children[folder.resolve()] = child
        write(folder, Progress("running", child.pid, person, time.time(), stage="begin"))


def stop(folder: Path) -> None:
    """Interrupt the round; what it has done is kept, and it goes on from there when it is started again.

    The signal is SIGTERM, since children of a server that a shell runs in the background ignore SIGINT.
    """
    told = progress(folder)
    if told.state == "running":
        os.kill(told.pid, signal.SIGTERM)


def write(folder: Path, told: Progress) -> None:
    """Keep how far it is; the file is whole at any moment."""
    write_text_atomic(folder / NAME, json.dumps(asdict(told), ensure_ascii=False))


class FileListener(Listener):
    """Writes what a run tells into the file."""

    def __init__(self, folder: Path, person: str) -> None:
        self.folder = folder
        self.told: dict[str, Any] = asdict(
            Progress("running", os.getpid(), person, time.time(), stage="begin")
        )
        self._wrote = 0.0
        self._tuning: tuple[float, float] | None = None
        """Time and share when tuning began."""

    def planned(self, rounds: int) -> None:
        """Kept."""
        self.told["planned"] = rounds

    def progress(self, stage: str, done: int, total: int) -> None:
        """Kept a few times a second."""
        self.told |= {"stage": stage, "done": done, "total": total}
        self._reckon(stage, done / max(1, total))
        if time.monotonic() - self._wrote > EVERY or done == total:
            self._write()

    def note(self, text: str) -> None:
        """Kept in full."""
        self.told["notes"] = (*self.told["notes"], text)[-5:]
        self._write()

    def round_done(self, facts: dict[str, Any]) -> None:
        """Counted."""
        self.told["rounds"] = facts["number"]
        self._write()

    def _reckon(self, stage: str, within: float) -> None:
        """How much of the whole is done and, from the pace of the tuning, when it ends."""
        if stage == "round":
            within = (self.told["rounds"] + within) / max(1, self.told["planned"])
        begin, end = SHARES.get(stage, (0.0, 0.0))
        share = max(self.told["share"], begin + (end - begin) * min(1.0, within))
        self.told["share"] = share
        if stage != "round":
            return
        now = time.monotonic()
        self._tuning = self._tuning or (now, share)
        since, before = self._tuning
        if share - before >= ENOUGH:
            self.told["left"] = (now - since) * (1 - share) / (share - before)

    def end(self, **values: Any) -> None:
        """The last report."""
        self.told |= values
        self._write()

    def _write(self) -> None:
        self._wrote = time.monotonic()
        write(self.folder, Progress(**self.told))


_starting = threading.Lock()
_children: dict[Path, subprocess.Popen[bytes]] = {}


def _alive(folder: Path) -> bool:
    """Whether the process lives: its own child that has not ended, or whoever holds the folder's lock."""
    child = _children.get(folder.resolve())
    if child is not None and child.poll() is None:
        return True
    try:
        with locked(folder):
            return False
    except RunError:
        return True


def main(folder: Path, person: str) -> int:
    """Run the round and say how it ended."""
    from clipgrip.review.rounds import next_round

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    hear = FileListener(folder, person)
    try:
        done = next_round(folder, person, hear)
    except ClipgripError as error:
        hear.end(state="failed", error=str(error))
        return error.exit_code
    except KeyboardInterrupt:
        hear.end(state="stopped")
        return 130
    except Exception as error:
        hear.end(state="failed", error=f"{type(error).__name__}: {error}")
        raise
    hear.end(state="done", facts=done.facts, round=done.number)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
