"""Embeds the images of a manifest: the pool and the test images."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from clipgrip.backbone.base import Eye, Model
from clipgrip.backbone.cache import EmbeddingCache, cache_for
from clipgrip.backbone.clip import ClipBackbone
from clipgrip.backbone.embed import Embedded, embed_images
from clipgrip.backbone.encode import Item
from clipgrip.backbone.names import EMBEDDINGS
from clipgrip.backbone.precomputed import NO_PICTURES, PrecomputedBank, PrecomputedModel
from clipgrip.backbone.registry import load_backbone
from clipgrip.config import Settings
from clipgrip.data.images import UndecodableImage
from clipgrip.data.issues import Issue, Issues
from clipgrip.data.lazy import LazyItems
from clipgrip.data.manifest import Manifest
from clipgrip.data.reading import open_picture, open_row
from clipgrip.data.rows import Row, Rows
from clipgrip.data.sources import ImageSource
from clipgrip.errors import BackboneError, DataError
from clipgrip.mapped import Allocate, is_large, is_mapped, picked, side_by_side, zeros
from clipgrip.runs.events import Listener
from clipgrip.runs.precomputed import check_source_kind, vectors_of
from clipgrip.sentences import Sentence, combined, mark
from clipgrip.training import memory
from clipgrip.types import ImageEmbeds, Labels, WideEmbeds


@dataclass(frozen=True)
class Embeds:
    """Unit vectors of the pool (N, D) and of the test images (n, D), with their rows."""

    pool: ImageEmbeds
    test: Float[Tensor, "n D"]
    pool_rows: Rows
    """Any sequence of rows is accepted, here and for the test."""
    test_rows: Rows
    pool_beside: Float[Tensor, "N e"] | None = field(default=None, repr=False)
    """Embeddings of the pool by the eyes (`runs.eyes`), weighted; None where no eye counts."""
    test_beside: Float[Tensor, "n e"] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name in ("pool_rows", "test_rows"):
            object.__setattr__(self, name, Rows.of(getattr(self, name)))

    @cached_property
    def pool_joined(self) -> WideEmbeds:
        """(N, D + e) model and eyes side by side, for refinement and heads; texts read the first D columns."""
        return side_by_side([one for one in (self.pool, self.pool_beside) if one is not None])

    @cached_property
    def test_joined(self) -> WideEmbeds:
        """(n, D + e) the same of the test images."""
        return side_by_side([one for one in (self.test, self.test_beside) if one is not None])

    @property
    def pool_labels(self) -> Labels:
        """(N,) labels that people gave; -1 elsewhere."""
        return torch.from_numpy(self.pool_rows.labels.copy())

    @property
    def test_labels(self) -> Labels:
        """(n,) the truth of the test images."""
        return torch.from_numpy(self.test_rows.labels.copy())


@dataclass(frozen=True)
class EmbeddedManifest:
    """The manifest without rows that could not be decoded, its embeddings, and an issue for each such file."""

    manifest: Manifest
    embeds: Embeds
    issues: Issues
    read_from: tuple[object, ...] = field(default=(), repr=False)
    """As `Embedded.read_from`."""


NO_ROOM = mark(
    "{folder} has no room for {size} GB of embeddings and what is made of them, so all of it is held in memory. "
    "TMPDIR names a folder on another disk."
)


def load_model(settings: Settings) -> ClipBackbone:
    """Load the model of the settings. BackboneError: it is not here, or is precomputed embeddings."""
    if settings.backbone == EMBEDDINGS:
        raise BackboneError(NO_PICTURES)
    return load_backbone(settings.backbone, precision=settings.precision, engine=settings.engine)


def with_engine(settings: Settings, model: Model) -> Settings:
    """The settings with the engine that computes the model, in the place of ``auto``; torch for embeddings."""
    engine = model.engine if isinstance(model, ClipBackbone) else "torch"
    return settings.model_copy(update={"engine": engine})


def embed_with_cache(
    backbone: Eye, manifest: Manifest, listener: Listener, *, stage: str = ""
) -> EmbeddedManifest:
    """As `embed_manifest`, with the cache in the user's folder, and progress and notes to the listener."""
    given = isinstance(backbone, PrecomputedModel | PrecomputedBank)
    named = "embed" if given else f"embed:{Path(backbone.name).name}"
    progress = partial(listener.progress, stage or named)
    cache = None if given else cache_for(backbone.image_key, backbone.embed_dim)
    found = embed_manifest(backbone, manifest, cache=cache, on_progress=progress)
    size = found.embeds.pool.nbytes
    if is_large(size) and not is_mapped(found.embeds.pool):
        folder = tempfile.gettempdir()
        listener.note(Sentence(NO_ROOM, folder=folder, size=f"{size / 1e9:.1f}"))
    return found


def embed_manifest(
    backbone: Eye,
    manifest: Manifest,
    *,
    cache: EmbeddingCache | None,
    on_progress: Callable[[int, int], None] | None = None,
) -> EmbeddedManifest:
    """Embed all rows, by the cache where it holds them. DataError: no image of the pool is left."""
    needed = _room_for(len(manifest), backbone.embed_dim, len(manifest.classes))
    found = _embed_rows(backbone, manifest.rows, cache, on_progress, partial(zeros, needed=needed))
    reasons = dict(found.failures)
    failed = manifest.rows.among(reasons)
    issues = Issues(
        undecodable(path, reasons[row.sha256])
        for row in manifest.rows.take(failed)
        for path in row.paths
    )
    usable = manifest.without(reasons)
    if len(usable.pool) == 0:
        raise nothing_left(usable, issues)
    of_pool, of_test = (
        picked(found.embeds, torch.from_numpy(part)) for part in (usable.pool, usable.test)
    )
    embeds = Embeds(of_pool, of_test, usable.rows.take(usable.pool), usable.rows.take(usable.test))
    return EmbeddedManifest(usable, embeds, issues, found.read_from)


def _room_for(images: int, width: int, classes: int) -> int:
    """The most bytes of arrays in files: vectors and answers of all images, and copies of those learned from."""
    learned = min(images, memory.TUNED_ROWS)
    return 4 * (images * (width + 3 * classes) + learned * (2 * width + 10 * classes))


def _embed_rows(
    backbone: Eye,
    rows: Sequence[Row],
    cache: EmbeddingCache | None,
    on_progress: Callable[[int, int], None] | None,
    allocate: Allocate,
) -> Embedded:
    """Encode the rows' images, or read their vectors from files of embeddings."""
    given = isinstance(backbone, PrecomputedModel | PrecomputedBank)
    check_source_kind(rows, EMBEDDINGS if given else backbone.name)
    if not isinstance(backbone, PrecomputedModel | PrecomputedBank):
        return embed_images(
            backbone,
            items_of(rows),
            cache=cache,
            on_progress=on_progress,
            hashes=list(Rows.of(rows).sha256s()),
            allocate=allocate,
        )
    bank = backbone.banks[0] if isinstance(backbone, PrecomputedModel) else backbone
    return vectors_of(rows, bank, allocate=allocate)


def item(row: Row) -> Item:
    """A row as an item to embed."""
    return row.sha256, partial(open_row, row)


def items_of(rows: Sequence[Row], item_of: Callable[[Row], Item] = item) -> Sequence[Item]:
    """Rows as items to embed, each made when it is read."""
    return LazyItems(len(rows), lambda place: item_of(rows[place]))


def source_item(source: ImageSource) -> Item:
    """An image outside any manifest as an item to embed; its content is hashed now."""
    sha256 = hashlib.sha256(source.read()).hexdigest()
    return sha256, partial(open_picture, source, sha256)


def undecodable(path: str, error: DataError) -> Issue:
    """The issue for a file that turned out to be no readable image."""
    reason = error.reason if isinstance(error, UndecodableImage) else "corrupt"
    return Issue(path, reason, error.sentence)


def nothing_left(usable: Manifest, issues: Issues) -> DataError:
    """The error of a pool without images: all are for testing, or damaged."""
    reasons: list[str] = [Sentence("no image is left to learn from")]
    if issues:
        reasons.append(
            Sentence(
                "{n} of the files cannot be decoded, first {path}: {detail}",
                n=len(issues),
                path=issues[0].path,
                detail=issues[0].detail,
            )
        )
    if len(usable.test):
        reasons.append(Sentence("{n} images are for the test, copies included", n=len(usable.test)))
    others = Sentence("other images than the test")
    wanted = others if len(usable.test) else Sentence("images that can be read")
    return DataError(
        "{reasons}. Give a folder that holds {wanted}.",
        reasons=combined(reasons),
        wanted=wanted,
    )
