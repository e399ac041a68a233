"""Refining a pool that does not fit into memory: embeddings and answers lie in files that every pass reads in order.

The computation is that of `refine`, on images sorted by cell (`ordered`); between the steps answers are stored in half
precision. Memory holds the graph (some 60 bytes per image) and a few numbers per row.
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
from clipgrip.pseudolabel.refine.ordered import Allocate, leave_all, ordered
from clipgrip.pseudolabel.refine.settings import Refinement
from clipgrip.types import ClassEmbeds, ImageEmbeds, Labels, Mask, Probs

Classes = tuple[ClassEmbeds, Labels, Mask]
"""Class embeddings (C, D), labels (N,), -1 for none, and candidates (C,): what `checked_classes` returns."""


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
    classes: Classes,
    logit_scale: float,
    settings: Refinement,
    apply: Callable[[RefineInput], Refined],
    allocate: Allocate,
) -> Refined:
    """As `refined`; the answers (N, C) lie in float32 in a file that ``allocate`` makes. OSError: the disk is full.

    ``apply`` is the method: it gets each distinct image once, in the order of the cells.
    """
    class_embeds, labels, candidates = classes
    copies, n = copies_among(image_embeds), len(image_embeds)
    rows, row_of = torch.arange(n), torch.arange(n)
    if copies is not None:
        chosen = copies.representatives(labels >= 0)
        rows, row_of = chosen.sort().values, chosen[copies.image_of]
    pool = ordered(image_embeds, rows, settings, allocate)
    given = input_of(
        pool.images.embeds, class_embeds, logit_scale, labels[pool.order], candidates, settings
    )
    found = apply(replace(given, images=pool.images))
    position = torch.full((n,), -1)
    position[pool.order] = torch.arange(len(rows))
    return replace(found, probs=_in_pool_order(found.probs, position[row_of], labels, allocate))


def _in_pool_order(
    answers: Tensor, position: Int[Tensor, " N"], labels: Labels, allocate: Allocate
) -> Probs:
    """(N, C) from answers (n, C) in the order of the cells; a labeled copy keeps its own label."""
    made = allocate((len(position), answers.shape[1]), torch.float32)

    def answer(rows: slice) -> None:
        found, own = answers[position[rows]].float(), labels[rows]
        found /= found.sum(1, keepdim=True)
        one_hot = F.one_hot(own.clamp_min(0), found.shape[1]).float()
        made[rows] = torch.where(own[:, None] >= 0, one_hot, found)
        if rows.stop % (1024 * CHUNK) == 0:
            leave_all(answers)

    put(answer, chunk_slices(len(position), 16 * CHUNK), over=(made,))
    return made
