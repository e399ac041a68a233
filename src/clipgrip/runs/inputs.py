"""Pool and test as a prompt consumes them: embeddings as they are, or pixels."""

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
    """(N, ...) of the pool and (n, ...) of the test images."""

    pool: Tensor = field(repr=False)
    test: Tensor = field(repr=False)
    test_beside: Tensor | None = field(default=None, repr=False)
    """(n, e) what eyes see of the test images, where the inputs are pixels."""


def inputs_of(
    prompt: Prompt,
    backbone: Backbone,
    embeds: Embeds,
    on_progress: Callable[[int, int], None] = lambda *_: None,
) -> Inputs:
    """The only place that asks what a prompt consumes.

    Raises:
        DataError: an image that was there has gone or changed.
        CacheError: the pixels find no room.
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
    """The embeddings as the prompt sees the images; each is encoded once and cached, like any other.

    DataError: an image that was there has gone or changed.
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
