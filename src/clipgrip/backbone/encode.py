"""Encodes batches of images, in this process or in workers, with equal bytes."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from clipgrip.backbone.base import Eye
from clipgrip.backbone.recipe import EyeRecipe, recipe_for
from clipgrip.data.hashing import UNREACHED
from clipgrip.data.images import UndecodableImage
from clipgrip.errors import DataError
from clipgrip.executors.base import current, cut

Loader = Callable[[], Image.Image]
Item = tuple[str, Loader]
"""Content hash, and a function that decodes the image to RGB or raises a DataError."""

Decoded = tuple[str, "UInt8[np.ndarray, 'H W 3'] | DataError"]

BATCHES_AHEAD = 2
"""How many batches are decoded while one is encoded, which bounds the memory."""
PART_BATCHES = 4
"""Batches that a worker gets at a time: seconds of work, so that a lost worker costs little and all end together."""


class Encoded(NamedTuple):
    """A batch of images after encoding."""

    hashes: list[str]
    """The images that could be read."""
    embeds: Float[np.ndarray, "B D"]
    """(B, D) in float16, as the cache stores them, so that fresh and cached rows are equal."""
    failures: list[tuple[str, DataError]]
    """The other images, and why each could not be read."""


@dataclass(frozen=True)
class EncodeBatches:
    """The function that workers run: a pure function from batches of items to encoded batches."""

    recipe: EyeRecipe

    def __call__(self, batches: Sequence[Sequence[Item]]) -> list[Encoded]:
        loaders = {sha256: loader for batch in batches for sha256, loader in batch}
        names = [[sha256 for sha256, _ in batch] for batch in batches]
        return list(_encoded_here(self.recipe.eye(), loaders, names, threads=1))


def encoded(
    backbone: Eye, loaders: Mapping[str, Loader], batches: Sequence[Sequence[str]]
) -> Generator[Encoded]:
    """Encode each batch: here and in order at first, then by the current executor in any order, once that pays.

    DataError: a worker cannot read an image that this process can.
    """
    executor, began = current(), time.monotonic()
    left, done = sum(map(len, batches)), 0
    here = 0
    with closing(_encoded_here(backbone, loaders, batches)) as own:
        while left and not executor.is_worth(done, left, time.monotonic() - began):
            yield (part := next(own))
            size = len(part.hashes) + len(part.failures)
            done, left, here = done + size, left - size, here + 1
    rest = (
        [[(sha256, loaders[sha256]) for sha256 in batch] for batch in part]
        for part in cut(batches[here:], PART_BATCHES)
    )
    answers = executor.answers(EncodeBatches(recipe_for(backbone)), rest)
    for answer in answers:
        for part in answer.value:
            _check_readable(part, loaders)
            yield part


def _check_readable(part: Encoded, loaders: Mapping[str, Loader]) -> None:
    """DataError where a worker failed to read an image that this process can read: it is not damaged."""
    for sha256, error in part.failures:
        if isinstance(error, UndecodableImage) and error.reason == "unreadable":
            try:
                loaders[sha256]()
            except DataError:
                continue
            raise DataError(UNREACHED, error=error)


def _encoded_here(
    backbone: Eye,
    loaders: Mapping[str, Loader],
    batches: Sequence[Sequence[str]],
    threads: int | None = None,
) -> Generator[Encoded]:
    with closing(decode_ahead(backbone, loaders, batches, threads)) as decoded:
        for batch in decoded:
            failures = [(name, result) for name, result in batch if isinstance(result, DataError)]
            good = {name: result for name, result in batch if isinstance(result, np.ndarray)}
            yield Encoded(list(good), _encode(backbone, list(good.values())), failures)


def _encode(backbone: Eye, pixels: list[np.ndarray]) -> Float[np.ndarray, "B D"]:
    if not pixels:
        return np.zeros((0, backbone.embed_dim), np.float16)
    return backbone.encode_image(np.stack(pixels)).cpu().numpy().astype(np.float16)


def decode_ahead(
    backbone: Eye,
    loaders: Mapping[str, Loader],
    batches: Sequence[Sequence[str]],
    threads: int | None = None,
) -> Generator[list[Decoded]]:
    """Decoded and preprocessed batches in order; the threads that make them end with this generator."""

    def decode(sha256: str) -> Decoded:
        try:
            return sha256, backbone.preprocess(loaders[sha256]())
        except DataError as error:
            return sha256, error

    most = threads or min(8, os.cpu_count() or 1)
    pool = ThreadPoolExecutor(most, thread_name_prefix="clipgrip-decode")
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
