"""A manifest's images as embeddings, pool and test apart."""

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
from clipgrip.backbone.given import NO_PICTURES, GivenBank, GivenModel
from clipgrip.backbone.names import EMBEDDINGS
from clipgrip.backbone.registry import load_backbone
from clipgrip.config import Settings
from clipgrip.data.columns import Listed
from clipgrip.data.images import UndecodableImage
from clipgrip.data.issues import Issue, Issues
from clipgrip.data.manifest import Manifest
from clipgrip.data.reading import open_picture, open_row
from clipgrip.data.rows import Row, Rows
from clipgrip.data.sources import ImageSource
from clipgrip.errors import BackboneError, DataError
from clipgrip.mapped import Space, is_large, is_mapped, picked, side_by_side, zeros
from clipgrip.runs.events import Listener
from clipgrip.runs.given import check_kind, vectors_of
from clipgrip.sentences import Sentence, combined, mark
from clipgrip.training import memory
from clipgrip.types import ImageEmbeds, Labels, WideEmbeds


@dataclass(frozen=True)
class Embeds:
    """Unit vectors of the pool (N, D) and of the test images (n, D), with their rows."""

    pool: ImageEmbeds
    test: Float[Tensor, "n D"]
    pool_rows: Rows
    """Given as any rows."""
    test_rows: Rows
    pool_beside: Float[Tensor, "N e"] | None = field(default=None, repr=False)
    """What eyes see of the pool beside the model (`runs.eyes`); None where none counts."""
    test_beside: Float[Tensor, "n e"] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name in ("pool_rows", "test_rows"):
            object.__setattr__(self, name, Rows.of(getattr(self, name)))

    @cached_property
    def pool_joined(self) -> WideEmbeds:
        """(N, D + e) what refinement and heads see; texts read the first D columns."""
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
    """The rows that could be decoded, their embeddings, and an issue for each file that could not."""

    manifest: Manifest
    embeds: Embeds
    issues: Issues
    read_from: tuple[object, ...] = field(default=(), repr=False)
    """As `Embedded.read_from`."""


NO_ROOM = mark(
    "{folder} has no room for {size} GB of embeddings and what is made of them, so all of it is held in memory. "
    "TMPDIR names a folder on another disk."
)


def model_of(settings: Settings) -> ClipBackbone:
    """The model as the settings want it; BackboneError where embeddings stand in its place."""
    if settings.backbone == EMBEDDINGS:
        raise BackboneError(NO_PICTURES)
    return load_backbone(settings.backbone, precision=settings.precision, engine=settings.engine)


def with_engine(settings: Settings, model: Model) -> Settings:
    """The same settings with the engine that computes the model; torch where embeddings stand in its place."""
    engine = model.engine if isinstance(model, ClipBackbone) else "torch"
    return settings.model_copy(update={"engine": engine})


def embedded(
    backbone: Eye, manifest: Manifest, listener: Listener, *, stage: str = ""
) -> EmbeddedManifest:
    """As `embed_manifest`, with the cache in the user's folder, saying how far it is and who looks."""
    given = isinstance(backbone, GivenModel | GivenBank)
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
    """Embed all rows, reading from the cache what it holds; DataError where no pool image is left."""
    needed = _room_for(len(manifest), backbone.embed_dim, len(manifest.classes))
    found = _seen(backbone, manifest.rows, cache, on_progress, partial(zeros, needed=needed))
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
    """Bytes of all files at most: vectors and answers of all images, and what is made of those learned from."""
    learned = min(images, memory.TUNED_ROWS)
    return 4 * (images * (width + 3 * classes) + learned * (2 * width + 10 * classes))


def _seen(
    backbone: Eye,
    rows: Sequence[Row],
    cache: EmbeddingCache | None,
    on_progress: Callable[[int, int], None] | None,
    room: Space,
) -> Embedded:
    """What an eye sees of images, or what a file of embeddings holds of them."""
    given = isinstance(backbone, GivenModel | GivenBank)
    check_kind(rows, EMBEDDINGS if given else backbone.name)
    if not isinstance(backbone, GivenModel | GivenBank):
        return embed_images(
            backbone,
            items_of(rows),
            cache=cache,
            on_progress=on_progress,
            hashes=list(Rows.of(rows).sha256s()),
            room=room,
        )
    bank = backbone.banks[0] if isinstance(backbone, GivenModel) else backbone
    return vectors_of(rows, bank, room=room)


def item(row: Row) -> Item:
    """What the embedding room needs of a row."""
    return row.sha256, partial(open_row, row)


def items_of(rows: Sequence[Row], item_of: Callable[[Row], Item] = item) -> Sequence[Item]:
    """The same of many, each made when it is asked for."""
    return Listed(len(rows), lambda place: item_of(rows[place]))


def source_item(source: ImageSource) -> Item:
    """The same for an image that is in no manifest: its content is hashed now."""
    sha256 = hashlib.sha256(source.read()).hexdigest()
    return sha256, partial(open_picture, source, sha256)


def undecodable(path: str, error: DataError) -> Issue:
    """The issue of a file that is no image after all."""
    reason = error.reason if isinstance(error, UndecodableImage) else "corrupt"
    return Issue(path, reason, error.sentence)


def nothing_left(usable: Manifest, issues: Issues) -> DataError:
    """There are only test images, or only damaged ones."""
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
        mark("{reasons}. Give a folder that holds {wanted}."),
        reasons=combined(reasons),
        wanted=wanted,
    )
