"""The demo sets as embeddings, with the truth of pool and test kept apart."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import torch

from clipgrip.backbone.cache import EmbeddingCache
from clipgrip.backbone.clip import ClipBackbone
from clipgrip.cli.demo import TEMPLATES
from clipgrip.data import samples
from clipgrip.data.classes import ClassNames
from clipgrip.data.ingest import ingest
from clipgrip.runs.embedding import embed_manifest
from clipgrip.seeds import generator
from clipgrip.task import Task, ssl, trzsl, ul
from clipgrip.types import ImageEmbeds, Labels


@dataclass(frozen=True)
class DemoSet:
    """Embeddings (N, D) and true labels (N,) of pool and test."""

    name: str
    classes: ClassNames
    template: str
    pool: ImageEmbeds
    pool_truth: Labels
    test: ImageEmbeds
    test_truth: Labels


def load(name: str, folder: Path, backbone: ClipBackbone) -> DemoSet:
    """Make the set where it is missing, and embed it."""
    paths = getattr(samples, name)(folder / name)
    classes = ClassNames.read(paths.classes)
    manifest = ingest(paths.images, classes=classes, test=paths.test).manifest
    embedded = embed_manifest(
        backbone, manifest, cache=EmbeddingCache.for_backbone(backbone, folder / "cache")
    )
    with open(paths.truth, encoding="utf-8-sig", newline="") as file:
        truth = {row["path"]: classes.index(row["label"]) for row in csv.DictReader(file)}
    embeds = embedded.embeds
    pool_truth = torch.tensor([truth[row.path] for row in embeds.pool_rows])
    return DemoSet(
        name, classes, TEMPLATES[name], embeds.pool, pool_truth, embeds.test, embeds.test_labels
    )


def task(paradigm: str, demo: DemoSet, seed: int, shots: int = 2, seen_share: float = 0.62) -> Task:
    """UL, SSL with ``shots`` labels a class, or TRZSL with all labels of a share of the classes, as the seed draws."""
    truth, classes = demo.pool_truth, len(demo.classes)
    draw = generator(seed, "labels")
    if paradigm == "UL":
        return ul(len(truth), classes)
    labels = torch.full_like(truth, -1)
    if paradigm == "SSL":
        for c in range(classes):
            rows = (truth == c).nonzero().squeeze(1)
            picked = rows[torch.randperm(len(rows), generator=draw)[:shots]]
            labels[picked] = c
        return ssl(labels, classes)
    seen = torch.randperm(classes, generator=draw)[: int(seen_share * classes)].tolist()
    labeled = torch.isin(truth, torch.tensor(seen))
    labels[labeled] = truth[labeled]
    return trzsl(labels, classes, seen)
