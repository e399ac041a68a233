"""The images of a pool as the cluster models read them: in blocks, what never changes summed once."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from clipgrip.pseudolabel.blocks import spans
from clipgrip.pseudolabel.neighbours import Graph, neighbour_graph
from clipgrip.pseudolabel.subspace import Subspace, discriminating
from clipgrip.types import ImageEmbeds, Labels, Mask, Probs

Scatter = Float[Tensor, "D D"]


@dataclass(frozen=True)
class PoolImages:
    """Embeddings (N, D) and what they say of each other, worked out once however often answers are refined."""

    embeds: ImageEmbeds = field(repr=False)

    @cached_property
    def graph(self) -> Graph:
        return neighbour_graph(self.embeds)

    @cached_property
    def subspace(self) -> Subspace:
        return discriminating(self.embeds, self.graph)

    @cached_property
    def projected(self) -> Float[Tensor, "N d"]:
        """Unit vectors in the subspace."""
        return self.subspace.project(self.embeds)


@dataclass(frozen=True)
class Pool:
    """Images (N, d) in their subspace, their neighbours, and what a person said of them."""

    images: Float[Tensor, "N d"] = field(repr=False)
    graph: Graph = field(repr=False)
    labels: Labels = field(repr=False)
    """-1 where nobody labeled."""

    @cached_property
    def fixed(self) -> Mask:
        """(N,) True where a person labeled."""
        return self.labels >= 0

    @cached_property
    def some_fixed(self) -> bool:
        return bool(self.fixed.any())

    def read(self, rows: slice | Tensor) -> Float[Tensor, "n d"]:
        """Some images in float32."""
        return self.images[rows].float()

    def weights(self, of_label: float) -> Float[Tensor, N]:
        """(N,) one per image, ``of_label`` per labeled one."""
        return torch.where(self.fixed, of_label, 1.0)

    def keep_labels(self, probs: Probs, rows: slice | Tensor) -> Probs:
        """Labeled rows are one-hot, whatever the answers for them."""
        if not self.some_fixed:
            return probs
        one_hot = F.one_hot(self.labels[rows].clamp_min(0), probs.shape[1]).to(probs.dtype)
        return torch.where(self.fixed[rows, None], one_hot, probs)

    def scatter(self, of_label: float) -> Scatter:
        """Σ w x xᵀ in float64. Each image is some class's with all its weight, so no answer changes it."""
        unlabeled, labeled = self._scatters
        return unlabeled + of_label * labeled

    @cached_property
    def _scatters(self) -> tuple[Scatter, Scatter]:
        """Of the unlabeled and of the labeled images."""
        width = self.images.shape[1]
        every = torch.zeros(width, width, dtype=torch.float64)
        labeled = torch.zeros_like(every)
        for rows in spans(len(self.images)):
            images = self.read(rows)
            every += images.T @ images
        for part in self.fixed.nonzero().squeeze(1).split(1024):
            images = self.read(part)
            labeled += images.T @ images
        return every - labeled, labeled
