"""Images to embeddings: each is decoded and encoded once, then read from the cache."""

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
from clipgrip.mapped import Space, gathered, let_go
from clipgrip.types import ImageEmbeds

BATCH_SIZE = 32
NORMALISED = 8192
"""Rows that are brought to length one together."""
STORE_SECONDS = 30.0
"""Encoded rows are stored at least this often, so a crash loses no more work than this."""


@dataclass(frozen=True)
class Embedded:
    """The embeddings of all images that could be read."""

    embeds: ImageEmbeds
    """(N, D) float32 unit vectors on the CPU, rounded to float16 before normalisation."""
    hashes: list[str]
    """N content hashes, in the order of the items; a repeated item is repeated here."""
    failures: list[tuple[str, DataError]]
    """Images that could not be decoded, each hash once. They are not cached: a next run tries them again."""
    read_from: tuple[object, ...] = field(default=(), repr=False)
    """Files of embeddings, which nobody reads again as long as they are held."""


def embed_images(
    backbone: Eye,
    items: Sequence[Item],
    *,
    cache: EmbeddingCache | None = None,
    batch_size: int = BATCH_SIZE,
    on_progress: Callable[[int, int], None] | None = None,
    hashes: list[str] | None = None,
    room: Space = torch.zeros,
) -> Embedded:
    """Embed ``items``, reading from ``cache`` what it holds and storing there what it does not.

    Interrupted by Ctrl-C, an error or a kill, it keeps the batches stored so far, and run again it gives the same
    bytes as an uninterrupted run: a batch is a fixed range of the distinct items (not of the missing ones), and only
    whole batches are stored, so no image ever meets other neighbours in its batch than it would have met. For the same
    reason the executor at work (`clipgrip.executors`) does not change them.

    ``on_progress(done, total)`` counts distinct images, cached and failed ones included; where the cache holds all,
    nothing is encoded and nothing reported. ``hashes`` are those of the items, where they are known without making
    each; ``room`` makes what holds the embeddings.
    """
    hashes = [sha256 for sha256, _ in items] if hashes is None else hashes
    loaders = _Loaders(items, hashes)
    table = _Table.read(loaders.rows, cache, room((len(loaders), backbone.embed_dim)))
    failures: list[tuple[str, DataError]] = []
    report = on_progress or (lambda *_: None)
    done = len(loaders) - sum(map(len, batches := table.missing(batch_size)))
    if batches:
        report(done, len(loaders))
    with _Shelf(cache) as shelf, closing(encoded(backbone, loaders, batches)) as parts:
        for part in parts:
            failures += part.failures
            table.fill(part.hashes, part.embeds)
            shelf.add(part.hashes, part.embeds)
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
    """Embed images by what determines an embedding; an eye is loaded only where the cache does not hold them all."""
    cache = cache_for(key, width)
    hashes = [content for content, _ in items]
    known = None if cache is None else cache.get(hashes)
    if known is not None and not known.missing.any():
        return Embedded(F.normalize(torch.from_numpy(known.embeds), dim=-1), hashes, [])
    return embed_images(load(), items, cache=cache, on_progress=on_progress)


class _Loaders(Mapping[str, Loader]):
    """What decodes each distinct image; items may be made when they are asked for, and none is kept."""

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
class _Table:
    """One row per distinct image, known or not yet."""

    rows: dict[str, int]
    embeds: ImageEmbeds
    known: np.ndarray

    @classmethod
    def read(
        cls, rows: dict[str, int], cache: EmbeddingCache | None, embeds: ImageEmbeds
    ) -> _Table:
        """What the cache holds, put into ``embeds``."""
        if cache is None:
            return cls(rows, embeds, np.zeros(len(rows), np.bool_))
        return cls(rows, embeds, ~cache.get(list(rows), embeds.numpy()).missing)

    def missing(self, batch_size: int) -> list[list[str]]:
        """What is not known of each range of ``batch_size`` rows; ranges that are known are left out."""
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
        all_once = good == list(self.rows)  # then nothing is copied: a million rows are gigabytes
        unit = self.embeds
        if not all_once:
            unit = gathered(unit, torch.tensor([self.rows[sha256] for sha256 in good]))
        for start in range(0, len(unit), NORMALISED):
            rows = slice(start, min(start + NORMALISED, len(unit)))
            unit[rows] = F.normalize(unit[rows], dim=-1)
            let_go(unit, rows)
        return Embedded(unit, good, failures)


@dataclass
class _Shelf:
    """Encoded batches on their way to the cache; whatever ends the work, whole batches are stored."""

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

    def __enter__(self) -> _Shelf:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not isinstance(error, CacheError):
            self._store()
