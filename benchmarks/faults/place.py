"""A small project to break, and commands in processes of their own that may be killed."""

from __future__ import annotations

import csv
import os
import resource
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from clipgrip import method
from clipgrip.cli.main import main
from clipgrip.review.session import ReviewSession
from clipgrip.review.store import Answer, open_review

CLASSES = ("scratch", "dent", "good part", "steel")
IMAGES = 12
PATIENCE = 120.0
"""Seconds after which a command hangs."""


@dataclass(frozen=True)
class Ended:
    """The exit code (minus the signal) of a command, and all that it said."""

    code: int
    said: str
    seconds: float = 0.0
    """Of the processor."""
    megabytes: float = 0.0
    """The most that was in memory at once."""

    @property
    def is_sentence(self) -> bool:
        """Whether it ended well, or refused with a sentence."""
        return self.code in (0, 2) and "Traceback" not in self.said

    @property
    def end(self) -> str:
        """What it said last."""
        return f"exit code {self.code}, {self.said[-300:]}"


def nothing() -> None:
    """Done before a command that is not disturbed."""


def given(number: int, image: str, klass: int, person: str) -> Answer:
    """One answer of a person."""
    when = "2026-01-01T00:00:00.000+00:00"
    token = f"token-{number:06d}"
    return Answer(token, image, "class", klass, "review", person, when, 1.0, 1)


@dataclass(frozen=True)
class Place:
    """A folder of images with classes and labels, runs on them, and what commands write."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, seed: int) -> Place:
        """Noise in four colours; presets of a few steps; a cache and a folder of models of its own."""
        place = cls(folder)
        place._draw(seed)
        os.environ["CLIPGRIP_CACHE"] = str(folder / "cache")
        os.environ["CLIPGRIP_MODELS"] = str(folder / "models")
        for methods in method.PRESETS.values():
            for kind, one in methods.items():
                short = {"epochs": 1} if one.recipe.epochs else {"steps": 3}
                methods[kind] = replace(one, recipe=replace(one.recipe, **short), stop=())  # type: ignore[arg-type]
        run = ["run", "images", "--classes", "classes.txt", "--rounds", "3", "--out"]
        place.warm([*run, "whole"])
        place.warm([*run, "twin", "--seed", "1"])
        place.warm([*run, "labeled", "--labels", "labels.csv", "--candidates", "all"])
        place._review()
        place.warm(["audit", "draw", "whole", "--out", "drawn.csv"])
        place._fill("drawn.csv", "filled.csv")
        place._watch(seed)
        return place

    def _watch(self, seed: int) -> None:
        """A line that has begun, and one on which an alarm rings."""
        rng = np.random.default_rng(seed + 1)
        for folder, images, top in (("normal", 24, 140), ("new", 8, 140), ("dark", 60, 40)):
            (self.folder / folder).mkdir()
            for number in range(images):
                pixels = rng.integers(0, top, (40, 44, 3), np.uint8)
                Image.fromarray(pixels).save(self.folder / folder / f"{number:02d}.png")
        for line, shown in (("watched", "normal"), ("ringing", "dark")):
            shutil.copytree(self.folder / "whole", self.folder / line)
            look = ["watch", "look", line, shown, "--reference", "normal"]
            ended = self.command([*look, "--out", f"{line}/at work.csv"])
            assert ended.code == int(line == "ringing"), ended.said

    def _draw(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        truth = []
        for number in range(IMAGES):
            pixels = rng.integers(0, 100, (40, 44, 3), np.uint8)
            name, klass = f"part {number:02d}.png", number % len(CLASSES)
            pixels[..., number % 3] += np.uint8(40 * klass)
            truth.append((name, CLASSES[klass]))
            for folder in ("images", f"by class/{CLASSES[klass]}"):
                (self.folder / folder).mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(self.folder / folder / name)
        (self.folder / "classes.txt").write_text("\n".join(CLASSES) + "\n")
        for table, rows in (("truth.csv", truth), ("labels.csv", truth[:6])):
            with (self.folder / table).open("w", newline="") as file:
                csv.writer(file).writerows([("path", "label"), *rows])

    def _review(self) -> None:
        """A run that people have answered."""
        folder = Path(shutil.copytree(self.folder / "whole", self.folder / "reviewed"))
        with open_review(folder, create=True) as store:
            store.secret()
            session = ReviewSession(folder, store)
            for number, row in enumerate(session.snapshot.view.rows):
                answer = given(
                    number, row.sha256, session.snapshot.classes.stored[number % 4].id, "Ito"
                )
                store.add_answers([answer])

    def _fill(self, drawn: str, filled: str) -> None:
        with (self.folder / drawn).open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
        with (self.folder / filled).open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows([{**row, "answer": CLASSES[0]} for row in rows])

    def warm(self, words: list[str]) -> None:
        """A command in this process, so that forks find its modules imported."""
        before = os.getcwd()
        out, err = (os.dup(stream) for stream in (1, 2))
        try:
            code = self._in_child(partial(_clipgrip, words), nothing, self.folder.with_name("said"))
        finally:
            for kept, stream in ((out, 1), (err, 2)):
                os.dup2(kept, stream)
                os.close(kept)
            os.chdir(before)
        if code:
            raise AssertionError(self.folder.with_name("said").read_text("utf-8", "replace"))

    def command(self, words: list[str], **disturbed: Any) -> Ended:
        """``clipgrip`` with these words in a fork, in the place's folder; more as in `fork`."""
        return self.fork(partial(_clipgrip, words), **disturbed)

    def fork(
        self,
        work: Callable[[], object],
        *,
        before: Callable[[], object] = nothing,
        kill: float = 0.0,
        watch: Callable[[int], object] = lambda _: None,
    ) -> Ended:
        """Work in a process of its own; ``before`` is done there first, and after ``kill`` seconds it is killed.

        ``watch`` is given its process, in this one.
        """
        log = self.folder.with_name(f"said-{time.monotonic_ns()}")
        child = os.fork()
        if child == 0:
            os._exit(self._in_child(work, before, log))
        watch(child)
        status, usage = _waited(child, kill or PATIENCE)
        said = log.read_text("utf-8", "replace") if log.exists() else ""
        log.unlink(missing_ok=True)
        if status == -signal.SIGKILL and not kill:
            said += "\nTraceback: it hangs"
        return Ended(status, said, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)

    def _in_child(self, work: Callable[[], object], before: Callable[[], object], log: Path) -> int:
        os.chdir(self.folder)
        with log.open("w") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        code = 0
        try:
            before()
            _fresh_streams()
            work()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else bool(end.code)
        except BaseException:
            code = 1
            traceback.print_exc()
        finally:
            code = _flushed() or code
        return code

    def parts(self) -> list[str]:
        """What is not whole and stayed."""
        return [path.name for path in self.folder.rglob("*.part")]

    def gone(self, name: str) -> None:
        """Take away what a command wrote."""
        path = self.folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _clipgrip(words: list[str]) -> None:
    sys.argv = ["clipgrip", *words]
    main()


def _fresh_streams() -> None:
    """As a new process finds them: what this one's were opened on may be of another kind."""
    if sys.stdout is not None:
        sys.stdout = os.fdopen(1, "w", closefd=False)
    if sys.stderr is not None:
        sys.stderr = os.fdopen(2, "w", 1, errors="backslashreplace", closefd=False)


def _flushed() -> int:
    """As Python ends: 120 where what was printed cannot be written."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            return 120
    return 0


def _waited(child: int, patience: float) -> tuple[int, resource.struct_rusage]:
    """The exit status, and what it used; after ``patience`` seconds it is killed."""
    until, pause = time.monotonic() + patience, 0.002
    while time.monotonic() < until:
        ended, status, usage = os.wait4(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status), usage
        time.sleep(min(pause, max(0.0, until - time.monotonic())))
        pause = min(2 * pause, 0.02)
    os.kill(child, signal.SIGKILL)
    _, status, usage = os.wait4(child, 0)
    return os.waitstatus_to_exitcode(status), usage
