"""One flipped bit in each kind of file that an answer depends on: the same is read, or a sentence is said."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.faults.place import Place
from benchmarks.faults.trials import Case, Outcome
from benchmarks.faults.works import BENCH, MODEL, PILOT, STRESS, bets
from clipgrip.backbone.cache import NAME as CACHE
from clipgrip.backbone.cache import EmbeddingCache
from clipgrip.backbone.registry import load_backbone
from clipgrip.bench.results import CELLS, Finished
from clipgrip.bench.stress import RESULTS, finished_rows
from clipgrip.data.rows import Rows
from clipgrip.errors import ClipgripError
from clipgrip.pilot.store import read_versions
from clipgrip.review.store import open_review
from clipgrip.review.web import thumbs
from clipgrip.runs import checkpoint
from clipgrip.runs.store import open_store
from clipgrip.runs.watch.store import NAME

ANEW = "found, made anew"
NAMED = "named in a sentence"


@dataclass
class Flip:
    """A file, and what is read of it; ``read`` is None where a damage was found that is mended without a word."""

    find: Callable[[], Path]
    read: Callable[[], Any]
    known: Any = field(default=None)
    data: bytes = b""
    path: Path = field(default_factory=Path)

    def __call__(self, chance: random.Random, number: int) -> Outcome:
        if not number:
            self.path = self.find()
            self.data, self.known = self.path.read_bytes(), self.read()
            self.path.write_bytes(self.data)
        changed = bytearray(self.data)
        bit = chance.randrange(8 * len(changed))
        changed[bit // 8] ^= 1 << bit % 8
        for beside in self.path.parent.glob(f"{self.path.name}-*"):
            beside.unlink()
        self.path.write_bytes(changed)
        try:
            found = self.read()
        except ClipgripError:
            return Outcome(seen=NAMED)
        finally:
            self.path.write_bytes(self.data)
        if found is None:
            return Outcome(seen=ANEW)
        return Outcome("" if found == self.known else f"bit {bit}: another result without a word")


def cases(place: Place, quick: bool) -> Iterator[Case]:
    """Each kind of file; weights and caches, which are made anew, take longest."""
    for name, flip in flips(place).items():
        slow = name.startswith(("an added model", "the cache", "watch.db"))
        times = 30 if quick else 200 if slow else 2000
        yield Case("flips", f"one flipped bit of {name}", times, flip)


def flips(place: Place) -> dict[str, Flip]:
    """By what the file is called."""
    run = place.folder / "labeled"
    review, line = place.folder / "reviewed", place.folder / "ringing"
    return {
        "runs.db": Flip(lambda: run / "runs.db", lambda: _run(run)),
        "review.db": Flip(lambda: review / "review.db", lambda: _review(review)),
        "watch.db": Flip(lambda: line / NAME, lambda: bets(line)),
        "prompt.safetensors": Flip(lambda: run / checkpoint.NAME, lambda: _prompt(run)),
        "class_embeds.safetensors": Flip(
            lambda: run / checkpoint.CLASS_EMBEDS, lambda: _embeds(run)
        ),
        "head.safetensors": Flip(lambda: run / checkpoint.HEAD, lambda: _head(run)),
        "the cache's embeddings": Flip(lambda: _filled(place), lambda: _cached(place)),
        "the cache's small pictures": Flip(lambda: _thumb(place), lambda: _read_thumb(place)),
        "pilot.json": Flip(lambda: _pilot(place), lambda: read_versions(_pilot(place))),
        "bench's finished cells": Flip(lambda: _cells(place), lambda: _read_cells(place)),
        "stress's results.json": Flip(lambda: _noise(place), lambda: _read_noise(place)),
        **{
            f"an added model's {name}": Flip(lambda name=name: _model() / name, _fingerprint)  # type: ignore[misc]
            for name in ("model.safetensors", "config.json", "preprocessor_config.json")
        },
        "an added model's tokenizer.json": Flip(lambda: _model() / "tokenizer.json", _fingerprint),
    }


def _run(folder: Path) -> Any:
    with open_store(folder) as store:
        run = store.run()
        if run is None:
            return "no run"
        rounds = [
            (one.number, one.facts, one.pseudolabels, sorted(one.learned))
            for one in store.rounds(run.id)
        ]
        learned = [
            {name: value.tolist() for name, value in one.learned.items()}
            for one in store.rounds(run.id)
        ]
        return run, store.manifest(run.id), rounds, learned


def _review(folder: Path) -> Any:
    with open_review(folder) as store:
        return store.answers(), store.undone(), store.classes(), store.rounds(), store.changes()


def _prompt(folder: Path) -> Any:
    learned, facts = checkpoint.read(folder / checkpoint.NAME)
    return {name: value.tolist() for name, value in learned.items()}, facts


def _embeds(folder: Path) -> Any:
    prompt = (folder / checkpoint.NAME).read_bytes()
    found = checkpoint.read_class_embeds(folder / checkpoint.CLASS_EMBEDS, prompt)
    return None if found is None else found.tolist()


def _head(folder: Path) -> Any:
    joint = checkpoint.read_head(folder, checkpoint.read(folder / checkpoint.NAME)[1])
    assert joint is not None
    return {name: value.tolist() for name, value in joint.tensors().items()}


def _rows(place: Place) -> Rows:
    with open_store(place.folder / "whole") as store:
        run = store.run()
        assert run is not None
        return store.manifest(run.id).rows


def _cache(place: Place) -> EmbeddingCache:
    return EmbeddingCache.for_backbone(load_backbone("nano"), place.folder / "flipped")


def _filled(place: Place) -> Path:
    cache, hashes = _cache(place), [row.sha256 for row in _rows(place)]
    values = np.random.default_rng(0).normal(size=(len(hashes), cache.width))
    cache.put(hashes, values.astype(np.float32))
    return cache.folder / CACHE


def _cached(place: Place) -> Any:
    found = _cache(place).get([row.sha256 for row in _rows(place)])
    return None if found.missing.any() else found.embeds.tolist()


def _thumb(place: Place) -> Path:
    row = _rows(place)[0]
    thumbs.thumbnail(row)
    return thumbs.place_of(row.sha256)


def _read_thumb(place: Place) -> Any:
    return thumbs.thumbnail(_rows(place)[0])


def _pilot(place: Place) -> Path:
    path = place.folder / "kept.json"
    if not path.exists():
        place.warm([*PILOT, "--out", path.name])
    return path


def _cells(place: Place) -> Path:
    path = place.folder / "kept-grid" / CELLS
    if not path.exists():
        place.warm([*BENCH, "--out", "kept-grid"])
    return path


def _read_cells(place: Place) -> Any:
    path = _cells(place)
    count = len(path.read_bytes().splitlines())
    known = [
        json.loads(line)["id"]
        for line in path.read_text("utf-8", "replace").splitlines()
        if _is_json(line)
    ]
    finished = Finished(path.parent)
    found = {one: finished.get(one) for one in known}
    return None if None in found.values() or len(found) < count else found


def _is_json(line: str) -> bool:
    try:
        return "id" in json.loads(line)
    except (ValueError, TypeError):
        return False


def _noise(place: Place) -> Path:
    path = place.folder / "kept-noise" / RESULTS
    if not path.exists():
        place.warm([*STRESS, "--out", "kept-noise"])
    return path


def _read_noise(place: Place) -> Any:
    path = _noise(place)
    try:
        settings = json.loads(path.read_text("utf-8"))["settings"]
    except (ValueError, KeyError, TypeError):
        settings = {}
    return finished_rows(path.parent, settings)


def _model() -> Path:
    from clipgrip.backbone.adding import add_model

    return add_model(Path(MODEL), "kept/model").model.folder


def _fingerprint() -> Any:
    return load_backbone("kept/model").fingerprint
