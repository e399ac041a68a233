"""A round that runs beside the review, in a process of its own, and tells in a file how far it is."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from clipgrip.errors import ClipgripError, RunError
from clipgrip.files import system_sentence, write_text_atomic
from clipgrip.runs.events import Listener
from clipgrip.runs.lock import locked
from clipgrip.words import ENGLISH, Language, Words, in_every_language, mark

NAME = "next-round.json"
LOG = "next-round.log"
STOP = "next-round.stop"
"""Holds the token of the round that shall stop: no other process can ever be meant, as it could by a number."""
LOCK = ".clipgrip-round.lock"
"""Held by the process of a round as long as it lives. The run's own lock is for those who change the run."""
EVERY = 0.4
"""Seconds between two reports."""
PATIENCE = 10.0
"""Seconds in which a round waits for those who only look whether another one lives."""
SHARES = {
    "hash": (0.0, 0.02),
    "embed": (0.02, 0.08),
    "pixels": (0.08, 0.12),
    "round": (0.12, 0.96),
    "answer": (0.96, 1.0),
}
"""Where each stage begins and ends in the whole work; most images are embedded already, so tuning takes the time."""
BUSY = mark("a round is running already. Wait until it is done, or stop it first.")
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
    errors: dict[str, str] = field(default_factory=dict)
    """The error by language: whoever reads it is not known where it arises."""
    facts: dict[str, Any] = field(default_factory=dict)
    round: int = 0
    token: str = ""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)


_progress = TypeAdapter(Progress)


def progress(folder: Path) -> Progress:
    """What the file says, checked against whether its process lives."""
    try:
        values = json.loads((folder / NAME).read_text("utf-8"), parse_constant=_no_number)
        current = _progress.validate_json(json.dumps({**values, "notes": list(values["notes"])}))
    except (OSError, ValidationError, ValueError, KeyError, TypeError):
        return Progress()
    if current.state == "running" and not _alive(folder):
        return Progress(**{**asdict(current), "state": "stopped", "notes": current.notes})
    return current


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")


def start(folder: Path, person: str, language: Language = "en") -> None:
    """Begin the next round in a process of its own, which outlives this one; its tables are in the person's language.

    RunError: one is running, or the folder cannot be written.
    """
    with _starting:
        if progress(folder).state == "running":
            raise RunError(BUSY)
        token = secrets.token_hex(8)
        current = Progress("running", 0, person, time.time(), stage="begin", token=token)
        try:
            write(folder, current)  # on a full disk nothing begins
            with open(folder / LOG, "ab") as log:
                child = _begun(folder, person, token, language, log)
            _children[folder.resolve()] = child
            write(folder, Progress(**{**asdict(current), "notes": (), "pid": child.pid}))
        except OSError as error:
            raise RunError(
                "the round cannot begin: {error}", error=system_sentence(error)
            ) from None


def _begun(
    folder: Path, person: str, token: str, language: str, log: Any
) -> subprocess.Popen[bytes]:
    """The process; ``-P`` keeps files of the current folder from being imported in the place of modules."""
    words = [sys.executable, "-P", "-m", __name__, os.fspath(folder), person, token, language]
    return subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
    )


def stop(folder: Path) -> None:
    """Interrupt the round; what it has done is kept, and it goes on from there when it is started again.

    It looks for its token in a file: a number of a process may be another one's by now. RunError: the folder cannot be
    written.
    """
    current = progress(folder)
    if current.state == "running":
        try:
            write_text_atomic(folder / STOP, current.token)
        except OSError as error:
            raise RunError(
                "the round cannot be stopped: {error}", error=system_sentence(error)
            ) from None


def write(folder: Path, current: Progress) -> None:
    """Keep how far it is; the file is whole at any moment."""
    write_text_atomic(folder / NAME, json.dumps(asdict(current), ensure_ascii=False))


class FileListener(Listener):
    """Writes what a run tells into the file."""

    def __init__(self, folder: Path, person: str, token: str = "", say: Words = ENGLISH) -> None:
        self.folder, self.say = folder, say
        self.current: dict[str, Any] = asdict(
            Progress("running", os.getpid(), person, time.time(), stage="begin", token=token)
        )
        self._wrote = 0.0
        self._tuning: tuple[float, float] | None = None
        """Time and share when tuning began."""

    def planned(self, rounds: int) -> None:
        """Kept."""
        self.current["planned"] = rounds

    def progress(self, stage: str, done: int, total: int) -> None:
        """Kept a few times a second."""
        stage = stage.partition(":")[0]  # whichever eye is at work
        self.current |= {"stage": stage, "done": done, "total": total}
        self._reckon(stage, done / max(1, total))
        if time.monotonic() - self._wrote > EVERY or done == total:
            self._write()

    def note(self, text: str) -> None:
        """Kept in full."""
        self.current["notes"] = (*self.current["notes"], text)[-5:]
        self._write()

    def round_done(self, facts: dict[str, Any]) -> None:
        """Counted."""
        self.current["rounds"] = facts["number"]
        self._write()

    def _reckon(self, stage: str, within: float) -> None:
        """How much of the whole is done and, from the pace of the tuning, when it ends."""
        if stage == "round":
            within = (self.current["rounds"] + within) / max(1, self.current["planned"])
        begin, end = SHARES.get(stage, (0.0, 0.0))
        share = max(self.current["share"], begin + (end - begin) * min(1.0, within))
        self.current["share"] = share
        if stage != "round":
            return
        now = time.monotonic()
        self._tuning = self._tuning or (now, share)
        since, before = self._tuning
        if share - before >= ENOUGH:
            self.current["left"] = (now - since) * (1 - share) / (share - before)

    def end(self, **values: Any) -> None:
        """The last report."""
        self.current |= values
        self._write()

    def _write(self) -> None:
        self._wrote = time.monotonic()
        write(self.folder, Progress(**self.current))


_starting = threading.Lock()
_children: dict[Path, subprocess.Popen[bytes]] = {}


def _alive(folder: Path) -> bool:
    """Whether the process lives: its own child that has not ended, or whoever holds the lock of rounds."""
    child = _children.get(folder.resolve())
    if child is not None and child.poll() is None:
        return True
    if not (folder / LOCK).exists():
        return False
    try:
        with locked(folder, LOCK):
            return False
    except RunError:
        return True
    except OSError:  # a folder that cannot be written is nobody's place of work
        return False


@contextmanager
def _living(folder: Path) -> Iterator[None]:
    """Hold the lock of rounds; who only looks at it holds it for a moment, too. RunError: another round runs."""
    until = time.monotonic() + PATIENCE
    while True:
        with suppress(RunError):
            only_one = locked(folder, LOCK)
            only_one.__enter__()
            break
        if time.monotonic() > until:
            raise RunError(BUSY)
        time.sleep(0.02)
    try:
        yield
    finally:
        only_one.__exit__(None, None, None)


def _listen(folder: Path, token: str, ended: threading.Event) -> None:
    """Interrupt the main thread where the token stands in the file."""
    while not ended.wait(EVERY):
        with suppress(OSError, ValueError):
            if (folder / STOP).read_text("utf-8") == token:
                (folder / STOP).unlink()
                os.kill(os.getpid(), signal.SIGTERM)  # the children of a shell may ignore SIGINT
                return


def main(folder: Path, person: str, token: str = "", language: Language = "en") -> int:
    """Run the round and say how it ended."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    listener, ended = FileListener(folder, person, token, Words(language)), threading.Event()
    try:
        with _living(folder):
            threading.Thread(target=_listen, args=(folder, token, ended), daemon=True).start()
            try:
                return _carried_out(folder, person, listener)
            finally:
                ended.set()
    except RunError as error:  # the other round writes the file
        print(error, file=sys.stderr)
        return error.exit_code


def _carried_out(folder: Path, person: str, listener: FileListener) -> int:
    from clipgrip.review.rounds import next_round

    try:
        done = next_round(folder, person, listener)
    except (OSError, ClipgripError) as error:
        sentence = system_sentence(error) if isinstance(error, OSError) else error.sentence
        listener.end(state="failed", error=str(sentence), errors=in_every_language(sentence))
        return 2
    except KeyboardInterrupt:
        listener.end(state="stopped")
        return 130
    except Exception as error:
        listener.end(state="failed", error=f"{type(error).__name__}: {error}")
        raise
    listener.end(state="done", facts=done.facts, round=done.number)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))  # type: ignore[arg-type]
