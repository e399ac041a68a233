"""The pool and the test images in the form that a prompt consumes: embeddings or pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from torch import Tensor

from clipgrip.backbone.base import Backbone
from clipgrip.backbone.cache import cache_for
from clipgrip.backbone.embed import embed_images
from clipgrip.backbone.pixels import read_pixels
from clipgrip.backbone.prompted import seen_through
from clipgrip.prompts.base import Prompt
from clipgrip.runs.embedding import Embeds, items_of


@dataclass(frozen=True)
class Inputs:
    """Inputs (N, ...) of the pool and (n, ...) of the test images."""

    pool: Tensor = field(repr=False)
    test: Tensor = field(repr=False)
    test_beside: Tensor | None = field(default=None, repr=False)
    """(n, e) the eyes' embeddings of the test images, where the inputs are pixels."""


def inputs_of(
    prompt: Prompt,
    backbone: Backbone,
    embeds: Embeds,
    on_progress: Callable[[int, int], None] = lambda *_: None,
) -> Inputs:
    """The inputs for a prompt; no other code asks what it consumes.

    Raises:
        DataError: an image has gone or changed.
        CacheError: there is no room for the pixels.
    """
    if prompt.consumes == "embeds":
        return Inputs(embeds.pool_joined, embeds.test_joined)
    return Inputs(
        read_pixels(backbone, items_of(embeds.pool_rows), on_progress=on_progress),
        read_pixels(backbone, items_of(embeds.test_rows)),
        embeds.test_beside,
    )


def embeds_through(
    prompt: Prompt,
    backbone: Backbone,
    embeds: Embeds,
    on_progress: Callable[[int, int], None] | None = None,
) -> Embeds:
    """The embeddings with a visual prompt in the image tower, from the cache if possible; unchanged without one.

    DataError: an image has gone or changed.
    """
    seen = seen_through(prompt, backbone)
    if seen.image_key == backbone.image_key:
        return embeds
    rows = embeds.pool_rows.and_(embeds.test_rows)
    cache = cache_for(seen.image_key, seen.embed_dim)
    found = embed_images(seen, items_of(rows), cache=cache, on_progress=on_progress)
    for _, error in found.failures:
        raise error
    split = len(embeds.pool_rows)
    return replace(embeds, pool=found.embeds[:split], test=found.embeds[split:])
