"""The cache where it can be used; where it cannot, the work goes on without it, which is said once."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float

from clipgrip.backbone.base import Eye
from clipgrip.backbone.cache import ROOT_VARIABLE, EmbeddingCache, default_root
from clipgrip.backbone.embed import Embedded, embed_images
from clipgrip.backbone.encode import Item
from clipgrip.errors import CacheError
from clipgrip.files import sweep

log = logging.getLogger(__name__)
_warned: set[str] = set()


class OptionalCache(EmbeddingCache):
    """A cache that keeps no more once the system refuses."""

    def __init__(self, root: Path, key: str, width: int) -> None:
        super().__init__(root, key, width)
        sweep(self.folder)

    def put(self, hashes: Sequence[str], embeds: Float[np.ndarray, "N D"]) -> None:
        """Store rows where that is possible."""
        if str(self.folder) in _warned:
            return
        try:
            super().put(hashes, embeds)
        except CacheError as error:
            if not isinstance(error.__cause__, OSError | sqlite3.Error):
                raise
            _say(str(self.folder), error)


def cache_of(backbone: Eye) -> EmbeddingCache | None:
    """The cache of a backbone's image embeddings in the user's folder; None where that cannot be used."""
    return cache_for(backbone.image_key, backbone.embed_dim)


def cache_for(key: str, width: int) -> EmbeddingCache | None:
    """As `cache_of`, by what determines an embedding and its width."""
    root = default_root()
    try:
        return OptionalCache(root, key, width)
    except CacheError as error:
        _say(str(root), error)
        return None


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


def _say(folder: str, error: CacheError) -> None:
    if folder not in _warned:
        _warned.add(folder)
        log.warning(
            "%s Until then the work goes on without it, and each image is encoded anew. Set %s to a folder that can "
            "be written.",
            error,
            ROOT_VARIABLE,
        )
