"""Images to embeddings: each is decoded and encoded once, then read from the cache."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from types import TracebackType

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from PIL import Image

from clipgrip.backbone.base import Eye
from clipgrip.backbone.cache import MAX_ROWS, EmbeddingCache
from clipgrip.errors import CacheError, DataError
from clipgrip.types import ImageEmbeds

Loader = Callable[[], Image.Image]
Item = tuple[str, Loader]
"""The SHA-256 of an image's content, and what decodes it to RGB; it may raise a DataError."""

Decoded = tuple[str, "UInt8[np.ndarray, 'H W 3'] | DataError"]

BATCH_SIZE = 32
NORMALISED = 8192
"""Rows that are brought to length one together."""
STORE_SECONDS = 30.0
"""Encoded rows are stored at least this often, so a crash loses no more work than this."""
BATCHES_AHEAD = 2
"""How many batches are decoded while one is encoded; bounds the memory."""


@dataclass(frozen=True)
class Embedded:
    """The embeddings of all images that could be read."""

    embeds: ImageEmbeds
    """(N, D) float32 unit vectors on the CPU, rounded to float16 before normalisation."""
    hashes: list[str]
    """N content hashes, in the order of the items; a repeated item is repeated here."""
    failures: list[tuple[str, DataError]]
    """Images that could not be decoded, each hash once. They are not cached: a next run tries them again."""


def embed_images(
    backbone: Eye,
    items: Sequence[Item],
    *,
    cache: EmbeddingCache | None = None,
    batch_size: int = BATCH_SIZE,
    on_progress: Callable[[int, int], None] | None = None,
) -> Embedded:
    """Embed ``items``, reading from ``cache`` what it holds and storing there what it does not.

    Interrupted by Ctrl-C, an error or a kill, it keeps the batches stored so far, and run again it gives the same
    bytes as an uninterrupted run: a batch is a fixed range of the distinct items (not of the missing ones), and only
    whole batches are stored, so no image ever meets other neighbours in its batch than it would have met.

    ``on_progress(done, total)`` counts distinct images, cached and failed ones included.
    """
    loaders: dict[str, Loader] = {}
    for sha256, loader in items:
        loaders.setdefault(sha256, loader)
    table = _Table.read(list(loaders), cache, backbone.embed_dim)
    failures: list[tuple[str, DataError]] = []
    report = on_progress or _silent
    done = len(loaders) - sum(map(len, batches := table.missing(batch_size)))
    report(done, len(loaders))
    decoded = decode_ahead(backbone, loaders, batches)
    with _Shelf(cache) as shelf, closing(decoded):
        for batch in decoded:
            failures += [
                (sha256, result) for sha256, result in batch if isinstance(result, DataError)
            ]
            good = {sha256: result for sha256, result in batch if isinstance(result, np.ndarray)}
            embeds = _encode(backbone, list(good.values()))
            table.fill(list(good), embeds)
            shelf.add(list(good), embeds)
            done += len(batch)
            report(done, len(loaders))
    return table.embedded([sha256 for sha256, _ in items], failures)


@dataclass(frozen=True)
class _Table:
    """One row per distinct image, known or not yet."""

    rows: dict[str, int]
    embeds: Float[np.ndarray, "N D"]
    known: np.ndarray

    @classmethod
    def read(cls, hashes: list[str], cache: EmbeddingCache | None, width: int) -> _Table:
        rows = {sha256: row for row, sha256 in enumerate(hashes)}
        if cache is None:
            return cls(
                rows, np.zeros((len(hashes), width), np.float32), np.zeros(len(hashes), np.bool_)
            )
        found = cache.get(hashes)
        return cls(rows, found.embeds, ~found.missing)

    def missing(self, batch_size: int) -> list[list[str]]:
        """What is not known of each range of ``batch_size`` rows; ranges that are known are left out."""
        hashes = list(self.rows)
        ranges = (
            range(s, min(s + batch_size, len(hashes))) for s in range(0, len(hashes), batch_size)
        )
        batches = ([hashes[row] for row in part if not self.known[row]] for part in ranges)
        return [batch for batch in batches if batch]

    def fill(self, hashes: list[str], embeds: Float[np.ndarray, "B D"]) -> None:
        rows = [self.rows[sha256] for sha256 in hashes]
        self.embeds[rows] = embeds
        self.known[rows] = True

    def embedded(self, hashes: list[str], failures: list[tuple[str, DataError]]) -> Embedded:
        good = [sha256 for sha256 in hashes if self.known[self.rows[sha256]]]
        all_once = good == list(self.rows)  # then nothing is copied: a million rows are gigabytes
        rows = self.embeds if all_once else self.embeds[[self.rows[sha256] for sha256 in good]]
        unit = torch.from_numpy(rows)
        for part in unit.split(NORMALISED):
            part.copy_(F.normalize(part, dim=-1))
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


def _encode(backbone: Eye, pixels: list[np.ndarray]) -> Float[np.ndarray, "B D"]:
    """float16, as the cache stores it, so that fresh and cached rows are equal."""
    if not pixels:
        return np.zeros((0, backbone.embed_dim), np.float16)
    return backbone.encode_image(np.stack(pixels)).cpu().numpy().astype(np.float16)


def decode_ahead(
    backbone: Eye, loaders: dict[str, Loader], batches: list[list[str]]
) -> Generator[list[Decoded]]:
    """Decoded batches in order, made by threads that end with this generator."""

    def decode(sha256: str) -> Decoded:
        try:
            return sha256, backbone.preprocess(loaders[sha256]())
        except DataError as error:
            return sha256, error

    pool = ThreadPoolExecutor(min(8, os.cpu_count() or 1), thread_name_prefix="clipgrip-decode")
    ahead: deque[list[Future[Decoded]]] = deque()
    try:
        for batch in batches:
            ahead.append([pool.submit(decode, sha256) for sha256 in batch])
            if len(ahead) > BATCHES_AHEAD:
                yield [future.result() for future in ahead.popleft()]
        while ahead:
            yield [future.result() for future in ahead.popleft()]
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _silent(done: int, total: int) -> None:
    """No progress wanted."""
