"""Several banks of embeddings of the same images as one matrix: the text's own bank first, then those of the eyes.

The text answers from the first bank alone, so its vectors stand in the first columns as they are. Each other bank is
centred, projected on its principal directions and normalised; its rows are then scaled to the root mean square distance
of the first bank's vectors from their mean, times the square root of the bank's weight. So the dot product of two rows
is the weighted sum of the banks' similarities, and whatever compares images reads whole rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from clipgrip.errors import DataError
from clipgrip.mapped import like, side_by_side
from clipgrip.pseudolabel.bank_weights import DEFAULT, BankSettings, bank_weights
from clipgrip.pseudolabel.refine.chunks import CHUNK, chunk_slices, even_sample, leave
from clipgrip.types import Labels, Probs, WideEmbeds

SAMPLE = 20_000
"""Images at least from which a bank's mean and directions are taken, where there are so many."""
CONSTANT = 1e-3
"""A bank is constant if its unit vectors' mean distance from their mean is below this: rounding makes such gaps."""


@dataclass(frozen=True)
class Column:
    """The linear map of one bank (N, E) to its columns (N, e) of the joint matrix."""

    mean: Float[Tensor, " E"] = field(repr=False)
    axes: Float[Tensor, "E e"] = field(repr=False)
    """Principal directions; none where the bank does not count."""
    length: float
    """Length of each row of the columns."""

    def of(self, bank: Float[Tensor, "N E"]) -> Float[Tensor, "N e"]:
        """(N, e) rows of length ``length``; zero for an image that lies at the mean."""
        made = like(bank, (len(bank), self.axes.shape[1]), dtype=torch.float32)
        if not self.axes.shape[1]:
            return made
        for rows in chunk_slices(len(bank), CHUNK):
            unit = F.normalize(bank[rows].float(), dim=1)
            made[rows] = self.length * F.normalize((unit - self.mean) @ self.axes, dim=1)
            leave((bank, made), rows)
        return made


@dataclass(frozen=True)
class BankMap:
    """Makes one matrix of several banks; fitted on a pool by `fit_bank_map`, then applied to new images."""

    width: int
    """D of the first bank."""
    columns: tuple[Column, ...] = field(repr=False)
    """One for each bank beside the first."""
    weights: tuple[float, ...] = (1.0,)
    """Of every bank; 1 for the first, 0 for one that does not count and adds no column."""

    @property
    def joins(self) -> bool:
        """Whether any bank counts beside the first."""
        return any(self.weights[1:])

    def joined(self, banks: Sequence[Tensor]) -> WideEmbeds:
        """(N, W) from as many banks as the map was fitted on, each (N, ...); the first itself where no other counts.

        DataError: the number of banks, their rows or their widths do not fit.
        """
        check_banks(banks, [self.width, *(len(one.mean) for one in self.columns)])
        if not self.joins:
            return banks[0]
        eyes = [one.of(bank) for one, bank in zip(self.columns, banks[1:], strict=True)]
        return side_by_side([banks[0], *eyes])

    def shares(self) -> tuple[float, ...]:
        """The weights normalised to a sum of one, as they are shown to people."""
        return tuple(weight / sum(self.weights) for weight in self.weights)

    def tensors(self) -> dict[str, Tensor]:
        """Everything, as tensors for a file."""
        found = {"width": torch.tensor(self.width)}
        found["weights"] = torch.tensor(self.weights, dtype=torch.float64)
        for number, one in enumerate(self.columns):
            found[f"{number}.mean"] = one.mean.contiguous()
            found[f"{number}.axes"] = one.axes.contiguous()
            found[f"{number}.length"] = torch.tensor(one.length, dtype=torch.float64)
        return found

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor]) -> BankMap:
        """The map that ``tensors()`` wrote; KeyError where something is missing."""
        weights = tuple(tensors["weights"].tolist())
        columns = [
            Column(tensors[f"{n}.mean"], tensors[f"{n}.axes"], float(tensors[f"{n}.length"]))
            for n in range(len(weights) - 1)
        ]
        return cls(int(tensors["width"]), tuple(columns), weights)


def banks_of(image_embeds: Any) -> list[Any]:
    """The banks: a list of matrices as it is; anything else (one matrix, a list of rows) as the only one."""
    is_list = isinstance(image_embeds, list | tuple) and len(image_embeds) > 0
    if is_list and all(len(getattr(bank, "shape", ())) == 2 for bank in image_embeds):
        return list(image_embeds)
    return [image_embeds]


def fit_bank_map(
    banks: Sequence[Tensor],
    probs: Probs | None = None,
    labels: Labels | None = None,
    settings: BankSettings = DEFAULT,
) -> BankMap:
    """Fit the map to a pool's banks, each (N, ...), the text's own first.

    Args:
        banks: embeddings of the same images in the same order; unit vectors in the first bank, any in the others.
        probs: (N, C) the text's answers for the pool; None where there is no text.
        labels: (N,) people's labels, -1 elsewhere.
        settings: every number that moves a weight.

    Raises:
        DataError: not the same number of rows, or values that are no numbers.
    """
    check_banks(banks)
    directions = [_directions(bank, settings) for bank in banks[1:]]
    plain = [Column(mean, axes, 1.0) for mean, axes in directions]
    seen = [banks[0], *(one.of(bank) for one, bank in zip(plain, banks[1:], strict=True))]
    weights = bank_weights(seen, probs, labels, settings)
    length = _spread(banks[0])
    columns = [
        Column(one.mean, one.axes if weight else one.axes[:, :0], length * weight**0.5)
        for one, weight in zip(plain, weights[1:], strict=True)
    ]
    return BankMap(banks[0].shape[1], tuple(columns), weights)


def check_banks(banks: Sequence[Tensor], widths: Sequence[int] | None = None) -> None:
    """DataError unless the banks are matrices of the same images, of these widths where they are known."""
    shapes = [tuple(bank.shape) for bank in banks]
    fits = bool(banks) and all(len(shape) == 2 for shape in shapes)
    if not fits or len({shape[0] for shape in shapes}) != 1:
        raise DataError(
            f"banks of embeddings have the shapes {shapes}; they must be (N, D), (N, E), ...: a row for the same "
            "image in each, in the same order."
        )
    if widths is not None and [shape[1] for shape in shapes] != list(widths):
        raise DataError(
            f"banks of embeddings have the widths {[shape[1] for shape in shapes]}; those that were learned from had "
            f"{list(widths)}. Give the same encoders' embeddings in the same order."
        )
    for number, bank in enumerate(banks):
        for rows in chunk_slices(len(bank), 16 * CHUNK):
            if not bool(torch.isfinite(bank[rows]).all()):
                raise DataError(
                    f"bank {number} of the embeddings holds NaN or infinite values. Embed these images anew, or "
                    "leave them out."
                )


def _directions(bank: Tensor, settings: BankSettings) -> tuple[Tensor, Tensor]:
    """Mean (E,) of the unit vectors and their principal directions (E, e); no direction for a constant bank."""
    unit = F.normalize(even_sample(bank, SAMPLE).float(), dim=1)
    mean = unit.double().mean(0)
    centred = unit.double() - mean
    if not len(unit) or float(centred.norm(dim=1).mean()) < CONSTANT:
        return mean.float(), torch.zeros(bank.shape[1], 0)
    values, axes = torch.linalg.eigh(centred.T @ centred)
    clear = int((values > 1e-7 * values[-1]).sum())
    return mean.float(), axes[:, -min(clear, settings.max_directions) :].float().contiguous()


def _spread(bank: Tensor) -> float:
    """Root mean square distance of unit vectors from their mean."""
    some = even_sample(bank, SAMPLE).double()
    return float((some - some.mean(0)).square().sum(1).mean().sqrt()) if len(some) else 0.0
