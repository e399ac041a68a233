"""Small projects for the tests of runs, serving, commands and the estimator."""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from clipgrip import config, method
from clipgrip.runs.events import Listener

CLASSES = ("scratch", "dent", "good part", "steel")
SEEN = CLASSES[:2]
COMPARED = ("predictions.csv", "pseudolabels.csv", "issues.csv", "prompt.safetensors")


@dataclass(frozen=True)
class Place:
    """A folder with ``images``, ``classes.txt`` and the truth."""

    folder: Path
    truth: dict[str, str]

    @property
    def images(self) -> Path:
        return self.folder / "images"

    @property
    def classes(self) -> Path:
        return self.folder / "classes.txt"

    @property
    def test(self) -> Path:
        return self.folder / "test.csv"

    @property
    def test_paths(self) -> list[str]:
        return [path for number, path in enumerate(self.truth) if number % 4 == 3]

    def table(self, name: str, paths: Sequence[str]) -> Path:
        """A CSV ``path,label`` of some images."""
        target = self.folder / name
        with target.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(
                [("path", "label"), *((path, self.truth[path]) for path in paths)]
            )
        return target

    def labels(self, paradigm: str) -> Path | None:
        """Two labels per class for SSL, all of the seen classes for TRZSL."""
        pool = [path for path in self.truth if path not in self.test_paths]
        if paradigm == "UL":
            return None
        if paradigm == "SSL":
            chosen = [p for name in CLASSES for p in [q for q in pool if self.truth[q] == name][:2]]
        else:
            chosen = [path for path in pool if self.truth[path] in SEEN]
        return self.table(f"labels-{paradigm}.csv", chosen)


def make_place(folder: Path, per_class: int = 8) -> Place:
    """Noise in a colour for each class, every fourth image listed in test.csv."""
    (folder / "images").mkdir(parents=True)
    truth = {}
    for number in range(per_class * len(CLASSES)):
        position = number // per_class
        path = f"part {number:02d}.png"
        picture(number, 50 * position).save(folder / "images" / path)
        truth[path] = CLASSES[position]
    (folder / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    place = Place(folder, truth)
    place.table("test.csv", place.test_paths)
    return place


def picture(seed: int, tint: int = 0) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 100, (36, 40, 3), np.uint8)
    noise[..., 0] += np.uint8(tint)
    return Image.fromarray(noise)


@contextmanager
def quick(
    cache: Path, stop_below: float = 0.0, stop: tuple[str, ...] = ()
) -> Iterator[pytest.MonkeyPatch]:
    """Presets of a few steps that stop early only where asked to, and a cache of its own."""
    with pytest.MonkeyPatch.context() as patch:
        for name, methods in list(method.PRESETS.items()):
            short = {kind: _short(of_kind, stop_below, stop) for kind, of_kind in methods.items()}
            patch.setitem(method.PRESETS, name, short)
        patch.setenv("CLIPGRIP_CACHE", str(cache))
        yield patch


def _short(full: method.Method, stop_below: float, stop: tuple[str, ...]) -> method.Method:
    steps = {"epochs": 1} if full.recipe.epochs else {"steps": 3}
    return replace(full, recipe=replace(full.recipe, **steps), stop_below=stop_below, stop=stop)


def project(place: Place, model: Path, out: Path, **more: Any) -> config.Project:
    """Three rounds on the tiny model unless said otherwise."""
    options = {
        "images": place.images,
        "classes": place.classes,
        "test": place.test,
        "backbone": str(model),
        "rounds": 3,
        "out": out,
    }
    return config.project(options | more)


def outputs(folder: Path) -> dict[str, Any]:
    """Everything that must be equal between two equal runs."""
    return {name: (folder / name).read_bytes() for name in COMPARED} | {
        "metrics": json.dumps(timeless(json.loads((folder / "metrics.json").read_text("utf-8"))))
    }


def timeless(value: Any) -> Any:
    """JSON without ``created`` and seconds."""
    if isinstance(value, dict):
        gone = ("created", "seconds")
        return {key: timeless(inner) for key, inner in value.items() if key not in gone}
    return [timeless(inner) for inner in value] if isinstance(value, list) else value


def assert_the_models_own(made: Path, of_run: Path) -> None:
    """New answers are the run's, but for images whose label a person gave: there the run keeps the person's."""
    again = {row["path"]: row for row in rows(made)}
    kept = {row["path"]: row for row in rows(of_run)}
    assert again.keys() == kept.keys()
    for path, row in kept.items():
        if row["decided_by"] == "model":
            assert again[path] == row
        else:
            assert (row["decided_by"], row["confidence"]) == ("person", "1.000000")


def rows(path: Path) -> list[dict[str, str]]:
    """A CSV that clipgrip wrote."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


class Log(Listener):
    """Remembers what it hears."""

    def __init__(self) -> None:
        self.rounds: list[dict[str, Any]] = []
        self.notes: list[str] = []
        self.stages: list[tuple[str, int, int]] = []

    def progress(self, stage: str, done: int, total: int) -> None:
        self.stages.append((stage, done, total))

    def note(self, text: str) -> None:
        self.notes.append(text)

    def round_done(self, facts: dict[str, Any]) -> None:
        self.rounds.append(facts)


@dataclass
class Dying(Listener):
    """Calls ``die`` at the given event."""

    at: int
    die: Any
    heard: int = 0

    def _hear(self) -> None:
        self.heard += 1
        if self.heard == self.at:
            self.die()

    def progress(self, stage: str, done: int, total: int) -> None:
        self._hear()

    def note(self, text: str) -> None:
        self._hear()

    def round_done(self, facts: dict[str, Any]) -> None:
        self._hear()


@dataclass(frozen=True)
class Told:
    """What a command answered."""

    code: int
    out: str
    err: str


def command(capsys: pytest.CaptureFixture[str], *arguments: object) -> Told:
    """``clipgrip ARGUMENTS`` in this process."""
    from clipgrip.cli.main import main

    capsys.readouterr()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["clipgrip", *map(str, arguments)])
        patch.setattr(logging.getLogger("transformers"), "level", logging.ERROR)
        patch.setenv("TRANSFORMERS_VERBOSITY", "error")  # as the command sets it before the import
        try:
            main()
            code: object = 0
        except SystemExit as end:
            code = end.code or 0
    told = capsys.readouterr()
    assert isinstance(code, int)
    return Told(code, told.out, told.err)
