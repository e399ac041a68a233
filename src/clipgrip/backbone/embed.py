"""Image embeddings: each distinct image is decoded and encoded once, then read from the cache."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from types import TracebackType

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float

from clipgrip.backbone.base import Eye
from clipgrip.backbone.cache import MAX_ROWS, EmbeddingCache, cache_for
from clipgrip.backbone.encode import Item, Loader, encoded
from clipgrip.errors import CacheError, DataError
from clipgrip.mapped import Allocate, gathered, release_pages
from clipgrip.types import ImageEmbeds

BATCH_SIZE = 32
NORMALISED = 8192
"""Rows that are normalised together."""
STORE_SECONDS = 30.0
"""How often encoded rows are stored, so the most work that a crash may cost."""


@dataclass(frozen=True)
class Embedded:
    """The embeddings of all images that could be read."""

    embeds: ImageEmbeds
    """(N, D) float32 unit vectors on the CPU, rounded to float16 before normalisation."""
    hashes: list[str]
    """N content hashes, in the order of the items; a repeated item is repeated here."""
    failures: list[tuple[str, DataError]]
    """Images that could not be decoded, each hash once. They are not cached: the next run tries them again."""
    read_from: tuple[object, ...] = field(default=(), repr=False)
    """The files of embeddings that were read. Keeping them here keeps them from being read again."""


def embed_images(
    backbone: Eye,
    items: Sequence[Item],
    *,
    cache: EmbeddingCache | None = None,
    batch_size: int = BATCH_SIZE,
    on_progress: Callable[[int, int], None] | None = None,
    hashes: list[str] | None = None,
    allocate: Allocate = torch.zeros,
) -> Embedded:
    """Embed ``items``, reading from ``cache`` what it holds and storing there what it does not.

    After Ctrl-C, an error or a kill, the batches that were stored remain, and the next call gives the same bytes as one
    that was not interrupted: a batch is a fixed range of the distinct items (not of the missing ones), and only whole
    batches are stored, so an image always shares its batch with the same others. For the same reason the executor
    (`clipgrip.executors`) makes no difference.

    Args:
        on_progress: called with done and total, which count distinct images, cached and failed ones included;
            not called where the cache holds all, as nothing is encoded then.
        hashes: content hashes of the items, where they are known without making the items.
        allocate: makes the array of zeros that becomes the embeddings.
    """
    hashes = [sha256 for sha256, _ in items] if hashes is None else hashes
    loaders = _Loaders(items, hashes)
    table = _EmbedTable.read(loaders.rows, cache, allocate((len(loaders), backbone.embed_dim)))
    failures: list[tuple[str, DataError]] = []
    report = on_progress or (lambda *_: None)
    done = len(loaders) - sum(map(len, batches := table.missing(batch_size)))
    if batches:
        report(done, len(loaders))
    with _CacheWriter(cache) as writer, closing(encoded(backbone, loaders, batches)) as parts:
        for part in parts:
            failures += part.failures
            table.fill(part.hashes, part.embeds)
            writer.add(part.hashes, part.embeds)
            done += len(part.hashes) + len(part.failures)
            report(done, len(loaders))
    failures.sort(key=lambda failure: table.rows[failure[0]])  # workers end in any order
    return table.embedded(hashes, failures)


def embed_cached(
    key: str,
    width: int,
    items: Sequence[Item],
    load: Callable[[], Eye],
    on_progress: Callable[[int, int], None] | None = None,
) -> Embedded:
    """As `embed_images`, by an `image_key` and width D; ``load`` reads the eye only if the cache lacks an image."""
    cache = cache_for(key, width)
    hashes = [content for content, _ in items]
    known = None if cache is None else cache.get(hashes)
    if known is not None and not known.missing.any():
        return Embedded(F.normalize(torch.from_numpy(known.embeds), dim=-1), hashes, [])
    return embed_images(load(), items, cache=cache, on_progress=on_progress)


class _Loaders(Mapping[str, Loader]):
    """Content hash -> loader for each distinct image. Lazy items are made on access and not kept."""

    def __init__(self, items: Sequence[Item], hashes: Sequence[str]) -> None:
        self.rows: dict[str, int] = {}
        self._items, self._first = items, array("q")
        for number, sha256 in enumerate(hashes):
            if sha256 not in self.rows:
                self.rows[sha256] = len(self.rows)
                self._first.append(number)

    def __getitem__(self, sha256: str) -> Loader:
        return self._items[self._first[self.rows[sha256]]][1]

    def __iter__(self) -> Iterator[str]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class _EmbedTable:
    """One row for each distinct image; ``known`` (N,) says which are filled."""

    rows: dict[str, int]
    embeds: ImageEmbeds
    known: np.ndarray

    @classmethod
    def read(
        cls, rows: dict[str, int], cache: EmbeddingCache | None, embeds: ImageEmbeds
    ) -> _EmbedTable:
        """Fill ``embeds`` with what the cache holds."""
        if cache is None:
            return cls(rows, embeds, np.zeros(len(rows), np.bool_))
        return cls(rows, embeds, ~cache.get(list(rows), embeds.numpy()).missing)

    def missing(self, batch_size: int) -> list[list[str]]:
        """The missing hashes of each range of ``batch_size`` rows that has any."""
        if self.known.all():
            return []
        hashes = list(self.rows)
        ranges = (
            range(s, min(s + batch_size, len(hashes))) for s in range(0, len(hashes), batch_size)
        )
        batches = ([hashes[row] for row in part if not self.known[row]] for part in ranges)
        return [batch for batch in batches if batch]

    def fill(self, hashes: list[str], embeds: Float[np.ndarray, "B D"]) -> None:
        rows = [self.rows[sha256] for sha256 in hashes]
        self.embeds.numpy()[rows] = embeds
        self.known[rows] = True

    def embedded(self, hashes: list[str], failures: list[tuple[str, DataError]]) -> Embedded:
        good = hashes
        if not self.known.all():
            good = [sha256 for sha256 in hashes if self.known[self.rows[sha256]]]
        all_once = good == list(self.rows)  # then the rows need no copy, which may be gigabytes
        unit = self.embeds
        if not all_once:
            unit = gathered(unit, torch.tensor([self.rows[sha256] for sha256 in good]))
        for start in range(0, len(unit), NORMALISED):
            rows = slice(start, min(start + NORMALISED, len(unit)))
            unit[rows] = F.normalize(unit[rows], dim=-1)
            release_pages(unit, rows)
        return Embedded(unit, good, failures)


@dataclass
class _CacheWriter:
    """Collects encoded batches and writes them to the cache now and then, and at the end even after an error."""

    cache: EmbeddingCache | None
    _hashes: list[str] = field(default_factory=list)
    _embeds: list[Float[np.ndarray, "B D"]] = field(default_factory=list)
    _since: float = field(default_factory=time.monotonic)

    def add(self, hashes: list[str], embeds: Float[np.ndarray, "B D"]) -> None:
        self._hashes += hashes
        self._embeds.append(embeds)
        if time.monotonic() - self._since >= STORE_SECONDS or len(self._hashes) >= MAX_ROWS:
            self._store()

    def _store(self) -> None:
        if self.cache is not None and self._hashes:
            self.cache.put(self._hashes, np.concatenate(self._embeds))
        self._hashes, self._embeds, self._since = [], [], time.monotonic()

    def __enter__(self) -> _CacheWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not isinstance(error, CacheError):
            self._store()
