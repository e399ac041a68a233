"""The cache where it can be used; where it cannot, the work goes on without it, which is said once."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from clipgrip.backbone.base import Eye
from clipgrip.backbone.cache import ROOT_VARIABLE, EmbeddingCache, default_root
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


def _say(folder: str, error: CacheError) -> None:
    if folder not in _warned:
        _warned.add(folder)
        log.warning(
            "%s Until then the work goes on without it, and each image is encoded anew. Set %s to a folder that can "
            "be written.",
            error,
            ROOT_VARIABLE,
        )
