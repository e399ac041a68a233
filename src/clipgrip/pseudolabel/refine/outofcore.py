"""Refining a pool that memory does not hold: embeddings and answers lie in files, and every pass reads them in a row.

The sums are those of `refine`, in the order of the cells; answers lie in half precision between the steps. Memory holds
the graph (some 60 bytes an image) and a few numbers a row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Int
from torch import Tensor

from clipgrip.errors import ConfigError
from clipgrip.mapped import FileRows, opened
from clipgrip.pseudolabel.banks import banks_of
from clipgrip.pseudolabel.refine.answers import Refined, RefineInput, input_of
from clipgrip.pseudolabel.refine.chunks import CHUNK, chunk_slices, put
from clipgrip.pseudolabel.refine.copies import copies_among
from clipgrip.pseudolabel.refine.ordered import Room, leave_all, ordered
from clipgrip.pseudolabel.refine.settings import Refinement
from clipgrip.types import ClassEmbeds, ImageEmbeds, Labels, Mask, Probs

Known = tuple[ClassEmbeds, Labels, Mask]
"""Class embeddings (C, D), labels (N,), -1 for none, and candidates (C,)."""


def embeds_of(image_embeds: Tensor | Sequence[Tensor] | FileRows) -> ImageEmbeds:
    """The one matrix (N, D), a memory-mapped file among them. ConfigError: there are several banks."""
    banks = banks_of(image_embeds)
    if len(banks) > 1:
        raise ConfigError(
            f"scratch: {len(banks)} banks of embeddings are given, and a pool is refined out of memory by one. Join "
            "them first (clipgrip.pseudolabel.banks.fit_bank_map), or leave scratch out."
        )
    return opened(banks[0]) if isinstance(banks[0], np.memmap) else torch.as_tensor(banks[0])


def in_memory(image_embeds: Tensor | Sequence[Tensor] | FileRows) -> list[Tensor]:
    """The banks, read where they are files."""
    return [
        torch.from_numpy(np.array(bank)) if isinstance(bank, np.memmap) else torch.as_tensor(bank)
        for bank in banks_of(image_embeds)
    ]


def refined_out_of_core(
    image_embeds: ImageEmbeds,
    known: Known,
    logit_scale: float,
    settings: Refinement,
    apply: Callable[[RefineInput], Refined],
    room: Room,
) -> Refined:
    """As `refined`, with the answers (N, C) in float32 in a file that ``room`` makes. OSError: there is no room."""
    classes, given_labels, candidates = known
    copies, n = copies_among(image_embeds), len(image_embeds)
    rows, shown_by = torch.arange(n), torch.arange(n)
    if copies is not None:
        chosen = copies.representatives(given_labels >= 0)
        rows, shown_by = chosen.sort().values, chosen[copies.image_of]
    pool = ordered(image_embeds, rows, settings, room)
    labels = given_labels[pool.order]
    given = input_of(pool.images.embeds, classes, logit_scale, labels, candidates, settings)
    found = apply(replace(given, images=pool.images))
    position = torch.full((n,), -1)
    position[pool.order] = torch.arange(len(rows))
    probs = _in_the_order_of_the_pool(found.probs, position[shown_by], given_labels, room)
    return replace(found, probs=probs)


def _in_the_order_of_the_pool(
    answers: Tensor, position: Int[Tensor, " N"], labels: Labels, room: Room
) -> Probs:
    """(N, C) from answers in the order of the cells; a labeled copy keeps its own label."""
    made = room((len(position), answers.shape[1]), torch.float32)

    def answer(rows: slice) -> None:
        found, given = answers[position[rows]].float(), labels[rows]
        found /= found.sum(1, keepdim=True)
        one_hot = F.one_hot(given.clamp_min(0), found.shape[1]).float()
        made[rows] = torch.where(given[:, None] >= 0, one_hot, found)
        if rows.stop % (1024 * CHUNK) == 0:
            leave_all(answers)

    put(answer, chunk_slices(len(position), 16 * CHUNK), over=(made,))
    return made
