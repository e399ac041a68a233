"""A small project to break, and commands in processes of their own that may be killed."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

import clipgrip.report.build
import clipgrip.report.from_run
import clipgrip.runs.auditing
import clipgrip.runs.pipeline
import clipgrip.serving.batch  # noqa: F401  (imported once, before the forks)
from clipgrip import method
from clipgrip.cli.main import main

CLASSES = ("scratch", "dent", "good part", "steel")
COMPARED = ("predictions.csv", "pseudolabels.csv", "issues.csv", "prompt.safetensors")


@dataclass(frozen=True)
class Trial:
    """A kind of fault, how often it was tried, and what should not have happened."""

    kind: str
    trials: int
    bad: tuple[str, ...]


@dataclass(frozen=True)
class Ended:
    """The exit code (minus the signal) of a command, and all that it said."""

    code: int
    said: str

    @property
    def is_sentence(self) -> bool:
        """Whether it ended well, or refused with a sentence."""
        return self.code in (0, 2) and "Traceback" not in self.said


@dataclass(frozen=True)
class Place:
    """A folder of images, and one for what commands write."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, seed: int, count: int = 24) -> Place:
        """Noise in four colours; presets of a few steps; a cache of its own."""
        (folder / "images").mkdir(parents=True)
        rng = np.random.default_rng(seed)
        for number in range(count):
            pixels = rng.integers(0, 100, (40, 44, 3), np.uint8)
            pixels[..., number % 3] += np.uint8(40 * (number % len(CLASSES)))
            Image.fromarray(pixels).save(folder / "images" / f"part {number:02d}.png")
        (folder / "classes.txt").write_text("\n".join(CLASSES) + "\n")
        os.environ["CLIPGRIP_CACHE"] = str(folder / "cache")
        for methods in method.PRESETS.values():
            for kind, one in methods.items():
                short = {"epochs": 1} if one.recipe.epochs else {"steps": 3}
                methods[kind] = replace(one, recipe=replace(one.recipe, **short))  # type: ignore[arg-type]
        return cls(folder)

    def run(self, out: str, **hooks: object) -> Ended:
        """``clipgrip run``."""
        words = ["run", "images", "--classes", "classes.txt", "--rounds", "3", "--out", out]
        return self.command(words, **hooks)  # type: ignore[arg-type]

    def command(
        self, words: list[str], *, before: Callable[[], object] = lambda: None, kill: float = 0.0
    ) -> Ended:
        """A command in a fork; ``before`` is done there first, and after ``kill`` seconds it is killed."""
        log = self.folder / f"said-{time.monotonic_ns()}"
        child = os.fork()
        if child == 0:
            os._exit(self._in_child(words, before, log))
        if kill:
            time.sleep(kill)
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        said = log.read_text("utf-8", "replace") if log.exists() else ""
        log.unlink(missing_ok=True)
        return Ended(os.waitstatus_to_exitcode(status), said)

    def _in_child(self, words: list[str], before: Callable[[], object], log: Path) -> int:
        os.chdir(self.folder)
        with log.open("w") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        sys.argv = ["clipgrip", *words]
        try:
            before()
            main()
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else 1
        except BaseException:
            traceback.print_exc()
            return 1
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
        return 0

    def outputs(self, out: str) -> dict[str, bytes]:
        """What must be equal between two equal runs."""
        return {name: (self.folder / out / name).read_bytes() for name in COMPARED}

    def parts(self) -> list[str]:
        """What is not whole and stayed."""
        return [path.name for path in self.folder.rglob("*.part")]

    def gone(self, out: str) -> None:
        """Take away what a command wrote."""
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.folder / out)
