"""Preprocessed images as bytes, for visual prompts, which need the pixels at every training step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing

import torch
from jaxtyping import UInt8
from torch import Tensor

from clipgrip.backbone.base import Backbone
from clipgrip.backbone.cache import default_root, remove_older, what_to_do
from clipgrip.backbone.encode import Item, decode_ahead
from clipgrip.errors import CacheError, DataError
from clipgrip.files import system_words
from clipgrip.mapped import mapped

IN_MEMORY = 2**30
"""Bytes up to which pixels stay in memory; more are put into a file in the cache folder, removed with the array."""
BATCH = 32


def read_pixels(
    backbone: Backbone,
    items: Sequence[Item],
    *,
    on_progress: Callable[[int, int], None] = lambda *_: None,
) -> UInt8[Tensor, "N H W 3"]:
    """Decode and preprocess each image once, in the order of the items.

    Raises:
        DataError: an image cannot be read or decoded.
        CacheError: there is no room for the file.
    """
    if not items:
        return torch.zeros(0, 1, 1, 3, dtype=torch.uint8)
    first = backbone.preprocess(items[0][1]())
    pixels = _allocate((len(items), *first.shape))
    rows: dict[str, list[int]] = {}
    for row, (sha256, _) in enumerate(items):
        rows.setdefault(sha256, []).append(row)
    distinct, done = list(rows), 0
    parts = [distinct[start : start + BATCH] for start in range(0, len(distinct), BATCH)]
    with closing(decode_ahead(backbone, dict(items), parts)) as decoded:
        for batch in decoded:
            for sha256, result in batch:
                if isinstance(result, DataError):
                    raise result
                pixels[rows[sha256]] = torch.from_numpy(result)
            done += len(batch)
            on_progress(done, len(distinct))
    return pixels


def _allocate(shape: tuple[int, ...]) -> Tensor:
    """An uninitialised uint8 array, in a file if it is larger than `IN_MEMORY`."""
    size = torch.Size(shape).numel()
    if size <= IN_MEMORY:
        return torch.empty(shape, dtype=torch.uint8)
    root = default_root()
    try:
        root.mkdir(parents=True, exist_ok=True)
        remove_older(root, "pixels", "pixels-v2")  # an older clipgrip kept them for ever
        return mapped(root, shape, torch.uint8)
    except OSError as error:
        raise CacheError(
            "{parent} cannot hold {needed} GB of preprocessed images: {reason}. {todo}, or set "
            "CLIPGRIP_CACHE to a folder on another disk; textual prompts need no such file.",
            parent=root,
            needed=f"{size / 2**30:.1f}",
            reason=system_words(error),
            todo=what_to_do(error),
        ) from error
