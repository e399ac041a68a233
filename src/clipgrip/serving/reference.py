"""The reference of a drift watch: images that show what is normal, from the run itself or from a folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from clipgrip.backbone.encode import Item
from clipgrip.clock import now
from clipgrip.data.places import place_of
from clipgrip.data.reading import open_row
from clipgrip.data.rows import Row
from clipgrip.errors import DataError, RunError
from clipgrip.runs.store import open_store
from clipgrip.runs.watch.store import WatchedLine, open_watch
from clipgrip.serving.batch import predict_files
from clipgrip.serving.predictor import Predictor
from clipgrip.types import ImageEmbeds, Probs
from clipgrip_line.colours import Numbers
from clipgrip_line.pictures.appearance import WIDTH, appearance_of
from clipgrip_line.pictures.looks import Looks, looks_of
from clipgrip_line.trust.ranks import Codes
from clipgrip_line.trust.reference import monitors_of
from clipgrip_line.trust.scores import Anchors, scores_of

ANCHORS, COMPARED = 1000, 2000
"""How many images are anchors, to which distances are measured, and how many others are compared with them."""
FEWEST = 20
"""The fewest images of a reference."""
SHOWN = 24
"""How many images of the reference an alarm can show."""
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class ReferenceImages:
    """Rows with embeddings (N, D) and probabilities (N, C); ``held_out``: the run did not learn from the image."""

    rows: Sequence[Row]
    embeds: ImageEmbeds = field(repr=False)
    probs: Probs = field(repr=False)
    held_out: Sequence[bool] = field(repr=False)
    contents: Sequence[str] = field(repr=False)
    """Content hashes of all known images, of the rows and others."""


@dataclass(frozen=True)
class ReferenceScores:
    """N images that show what is normal, as scores."""

    rows: Sequence[Row]
    codes: Codes = field(repr=False)
    """(N, M) the scores of `clipgrip_line.trust.scores` as codes."""
    labels: np.ndarray = field(repr=False)
    """(N,) the model's answers."""
    held_out: np.ndarray = field(repr=False)
    """(N,) whether the model did not learn from it, so that its confidence is comparable."""
    far: np.ndarray = field(repr=False)
    """(N,) whether it is no anchor, so that its distance is comparable."""
    anchors: Anchors = field(repr=False)
    """The images that distances are measured to."""
    contents: Sequence[str] = field(repr=False)
    """Content hashes of all known images."""


def begin(
    run: Path, predictor: Predictor, place: Path | None, alpha: float, on_progress: Progress
) -> None:
    """Begin a watch: store its reference in the run's folder, from ``place`` or from the run's own images.

    The confidence on images that the model learned from is not comparable with that on new ones. So confidence and
    class shares refer to held-out images: all of a folder, or the test images of a run, if it has any. RunError: too
    few images can still be read.
    """
    sample = reference_scores(run, predictor, place, on_progress)
    monitors = monitors_of(
        sample.codes, sample.labels, sample.held_out, sample.far, len(predictor.classes)
    )
    shown = sample.rows[:: max(1, len(sample.rows) // SHOWN)][:SHOWN]
    facts = {
        "reference": len(sample.rows),
        "from": str(place or ""),
        "held_out": int(sample.held_out.sum()),
        "pictures": [{"path": place_of(row), "sha256": row.sha256} for row in shown],
    }
    with open_watch(run, create=True) as store:
        line = WatchedLine(predictor.facts.run, alpha, now(), facts, sample.anchors)
        store.begin(line, monitors, sample.contents)


def reference_scores(
    run: Path, predictor: Predictor, place: Path | None, on_progress: Progress
) -> ReferenceScores:
    """The reference as scores, from the images of a run or of a place.

    RunError: too few of them can still be read.
    """
    glances = Glances()
    found = (
        _run_images(run, predictor, glances, on_progress)
        if place is None
        else _folder_images(place, predictor, glances, on_progress)
    )
    looks, appearances, readable = glances.of(found.rows)
    if len(readable) < FEWEST:
        raise RunError(
            "only {n_readable} images of {place} can be read, and what is normal needs {fewest}. "
            "Give a folder of images that show it: --reference IMAGES.",
            n_readable=len(readable),
            place=place or run,
            fewest=FEWEST,
        )
    rows, held_out = [found.rows[i] for i in readable], np.array(found.held_out)[readable]
    half = np.arange(len(readable)) % 2 == 0
    embeds = found.embeds[readable].numpy()
    anchors = Anchors.of(embeds[half][:ANCHORS], appearances[half][:ANCHORS])
    confidence, labels = (values.numpy() for values in found.probs[readable].max(1))
    codes = scores_of(looks, confidence, anchors.distances(embeds, appearances))
    return ReferenceScores(rows, codes, labels, held_out, ~half, anchors, found.contents)


def _folder_images(
    place: Path, predictor: Predictor, glances: Glances, on_progress: Progress
) -> ReferenceImages:
    answers = predict_files(predictor, place, on_progress, item_of=glances.item_of)
    some = slice(0, ANCHORS + COMPARED)
    rows, contents = answers.rows[some], [row.sha256 for row in answers.rows]
    everything = [True] * len(rows)
    return ReferenceImages(rows, answers.embeds[some], answers.probs[some], everything, contents)


def _run_images(
    run: Path, predictor: Predictor, glances: Glances, on_progress: Progress
) -> ReferenceImages:
    """The first images of the run by content hash, embedded by the predictor."""
    with open_store(run) as store:
        everything = store.manifest(store.begun_run(run).id).rows
    some = everything[: ANCHORS + COMPARED]
    embedded = predictor.embed_rows(
        some, glances.item_of, on_progress=lambda done, total: on_progress("embed", done, total)
    )
    failed = {sha256 for sha256, _ in embedded.failures}
    rows = [row for row in some if row.sha256 not in failed]
    held_out = [row.split == "test" for row in rows]
    contents = [row.sha256 for row in everything]
    probs = predictor.predict_proba(embedded.embeds)
    return ReferenceImages(rows, embedded.embeds, probs, held_out, contents)


@dataclass
class Glances:
    """Caches the looks and the appearance of images, which are computed while they are opened for embedding."""

    found: dict[str, tuple[Looks, Numbers]] = field(default_factory=dict)

    def item_of(self, row: Row) -> Item:
        """A row as an item to embed; opening its image fills the cache."""

        def opened() -> Image.Image:
            picture = open_row(row)
            self.found[row.sha256] = _glance(picture)
            return picture

        return row.sha256, opened

    def of(self, rows: Sequence[Row]) -> tuple[list[Looks], Numbers, list[int]]:
        """Looks, appearances (n, `WIDTH`) and positions of the rows whose images can be read.

        An image whose embedding was cached is opened now.
        """
        found, positions = [], []
        for position, row in enumerate(rows):
            try:
                known = self.found.get(row.sha256)
                found.append(_glance(open_row(row)) if known is None else known)
            except DataError:  # moved or changed since: the embedding is known, the picture is not
                continue
            positions.append(position)
        appearances = np.array([appearance for _, appearance in found], np.float32)
        return [looks for looks, _ in found], appearances.reshape(-1, WIDTH), positions


def _glance(picture: Image.Image) -> tuple[Looks, Numbers]:
    return looks_of(picture), appearance_of(picture)
