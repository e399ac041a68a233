"""A stress test with its files: images in, results out, and a stopped one goes on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clipgrip import __version__
from clipgrip.backbone.registry import load_backbone
from clipgrip.config import Settings
from clipgrip.data.ingest import ingest
from clipgrip.data.rows import NO_ROWS
from clipgrip.data.tables import csv_bytes
from clipgrip.errors import DataError, RunError
from clipgrip.files import write_text_atomic
from clipgrip.method import PRESETS
from clipgrip.metrics import accuracy
from clipgrip.runs import lock
from clipgrip.runs.embedding import Embeds, embed_with_cache
from clipgrip.runs.events import Listener
from clipgrip.runs.outputs import json_text
from clipgrip.runs.untuned_model import UntunedModel
from clipgrip.sealed import is_whole, sealed
from clipgrip.seeds import generator
from clipgrip.stress.trial import NoiseBench, block, blocks, is_tried, measure
from clipgrip.written import check_folder, write_dated

RESULTS = "results.json"
STRESS = "stress"
"""Which command wrote a file."""
DATA = "data"
"""Folder in ``out`` where a demo set may lie."""
TEST_SHARE = 0.3
LEAST = 2
"""Images of a class in the pool, below which nothing can be planted in it."""


@dataclass(frozen=True)
class StressInput:
    """Where the images lie, what is known of them, and the model."""

    images: Path
    classes: Path
    labels: Path
    test: Path | None = None
    backbone: str = "nano"
    template: str = "a photo of a {}."
    encoding: str | None = None
    """That of the tables."""


def prepared(given: StressInput, listener: Listener) -> tuple[NoiseBench, dict[str, Any]]:
    """The bench, and what determines its results.

    Without test images, three in ten of the labeled are kept for measuring, the same ones each time. ClipgripError: the
    input cannot be used; DataError where too few images are labeled.
    """
    backbone = load_backbone(given.backbone, engine="auto")
    ingested = ingest(
        given.images,
        classes=given.classes,
        labels=given.labels,
        test=given.test,
        encoding=given.encoding,
        on_progress=lambda done, total: listener.progress("hash", done, total),
    )
    found = embed_with_cache(backbone, ingested.manifest, listener)
    names, method = found.manifest.classes, PRESETS["default"]["textual"]
    pool, truth, test, test_truth = _parts(found.embeds)
    _check_enough(truth, test_truth, len(names))
    start = UntunedModel.of(backbone, names, Settings(template=given.template), method)
    own = start.answers({}, Embeds(pool, test, NO_ROWS, NO_ROWS))
    settings = {
        "clipgrip": __version__,
        "data": found.manifest.fingerprint,
        "images": backbone.image_key,
        "template": given.template,
        "recipe": repr(method.recipe),
    }
    facts = {
        "settings": settings,
        "classes": len(names),
        "pool": len(truth),
        "test": len(test_truth),
        "zero_shot": round(accuracy(own.test, test_truth), 6),
        "zero_shot_pool": round(accuracy(own.pool, truth), 6),
    }
    return NoiseBench(start.prompt, pool, truth, test, test_truth, own.pool, method.recipe), facts


def stress(given: StressInput, out: Path, seeds: int, listener: Listener) -> dict[str, Any]:
    """Try everything that ``out`` does not hold yet, keep each block of trials, and return all results.

    Rows of rules and losses that went since stay in ``results.json``; "gone" names them.
    RunError: ``out`` holds something else, or is in use.
    """
    check_place(out)
    bench, facts = prepared(given, listener)
    out.mkdir(parents=True, exist_ok=True)
    with lock.locked(out):
        rows = finished_rows(out, facts["settings"])
        done = {(row["seed"], row["kind"], row["rate"]) for row in rows}
        wanted = [one for one in blocks(seeds) if one not in done]
        tried, total = 0, sum(len(block(*one)) for one in wanted)
        for one in wanted:
            fresh = []
            for row in measure(bench, block(*one)):
                fresh.append(row)
                tried += 1
                listener.progress("stress", tried, total)
            rows += fresh
            write_text_atomic(out / RESULTS, json_text(sealed({**facts, "rows": rows})))
        gone = sorted({row["rule"] + ", " + row["loss"] for row in rows if not is_tried(row)})
        rows = [row for row in rows if row["seed"] < seeds and is_tried(row)]
        table = csv_bytes(tuple(rows[0]), [tuple(row.values()) for row in rows])
        write_dated(out / "results.csv", table, STRESS, listener.note)
    return {**facts, "seeds": seeds, "rows": rows, "gone": gone}


def _parts(embeds: Embeds) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Images and truth of the pool's labeled rows, and of the test."""
    labeled = embeds.pool_labels >= 0
    pool, truth = embeds.pool[labeled], embeds.pool_labels[labeled]
    if len(embeds.test):
        return pool, truth, embeds.test, embeds.test_labels
    order = torch.randperm(len(truth), generator=generator(0, "stress", "test"))
    test, rest = (
        part.sort().values for part in order.tensor_split([round(TEST_SHARE * len(order))])
    )
    return pool[rest], truth[rest], pool[test], truth[test]


def _check_enough(truth: Tensor, test_truth: Tensor, classes: int) -> None:
    counts = torch.bincount(truth, minlength=classes)
    if int((counts >= LEAST).sum()) < 2 or not len(test_truth):
        raise DataError(
            "{n_truth} labeled images and {n_test_truth} test images are too few to plant noise "
            "in. A stress test needs the truth of all its images: give --labels for some dozens "
            "of each class.",
            n_truth=len(truth),
            n_test_truth=len(test_truth),
        )


def check_place(out: Path) -> None:
    """RunError where a folder of other things would be written into, or nothing may be written."""
    check_folder(out, RESULTS, "stress test", beside=(lock.NAME, DATA))


def finished_rows(out: Path, settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of the same test that were measured before."""
    path = out / RESULTS
    if not path.exists():
        return []
    try:
        found = json.loads(path.read_text("utf-8"))
        whole, same = is_whole(found), found["settings"] == settings
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        whole = same = False
    if not (whole and same):
        raise RunError(
            "{path} is of another stress test, of another version of clipgrip, or damaged. "
            "Choose another --out, or delete it.",
            path=path,
        )
    return list(found["rows"])
