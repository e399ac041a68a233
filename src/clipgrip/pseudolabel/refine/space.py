"""The images of a pool as the cluster models read them: their neighbours, and the subspace that tells classes apart.

The subspace is a discriminant analysis without labels, in which an image's neighbours stand for its class: locality
preserving projections (He, Niyogi, NeurIPS 2003), which maximise total variance over variance among neighbours. What
differs among neighbours (light, framing, view) is left out before clusters are sought.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from clipgrip.mapped import gathered, like
from clipgrip.pseudolabel.refine.chunks import chunk_slices, computed, put
from clipgrip.pseudolabel.refine.copies import Copies, copies_among
from clipgrip.pseudolabel.refine.graph import Cell, Graph, neighbour_graph
from clipgrip.pseudolabel.refine.settings import DEFAULT, Refinement
from clipgrip.types import ImageEmbeds, Labels, Probs, RowMask

TINY = 1e-9
Scatter = Float[Tensor, "D D"]
Columns = slice
"""The columns of one bank among those of all banks."""


@dataclass(frozen=True)
class Subspace:
    """d directions in which neighbours differ less than images in general, and the mean of the images."""

    mean: Float[Tensor, " D"] = field(repr=False)
    directions: Float[Tensor, "D d"] = field(repr=False)

    def project(self, embeds: Float[Tensor, "N D"]) -> Float[Tensor, "N d"]:
        """(N, d) unit vectors in the subspace, of the same floating type."""
        width = self.directions.shape[1]
        projected, offset = like(embeds, (len(embeds), width)), self.mean @ self.directions

        def project(rows: slice) -> None:
            projected[rows] = F.normalize(embeds[rows].float() @ self.directions - offset, dim=1)

        put(project, chunk_slices(len(embeds)), over=(embeds, projected))
        return projected


@dataclass(frozen=True)
class PoolImages:
    """Embeddings (N, D) with their copies, graph and subspace, computed once however often answers are refined."""

    embeds: ImageEmbeds = field(repr=False)
    settings: Refinement = field(default=DEFAULT, repr=False)
    eye_columns: int = 0
    """How many of the last columns are what eyes see; the text reads only those before."""

    @classmethod
    def of(
        cls, embeds: ImageEmbeds, settings: Refinement = DEFAULT, *, eye_columns: int = 0
    ) -> PoolImages:
        """From unit vectors (N, D), or rows (N, W) with columns of eyes, which are longer and are normalised here."""
        return cls(unit_rows(embeds) if eye_columns else embeds, settings, eye_columns)

    @property
    def seen_by_text(self) -> Columns:
        """The columns of the text's bank."""
        return slice(0, self.embeds.shape[1] - self.eye_columns)

    @property
    def seen_by_eyes(self) -> Columns:
        """The columns of all eyes together."""
        return slice(self.embeds.shape[1] - self.eye_columns, self.embeds.shape[1])

    def read(self, columns: Columns, rows: slice) -> Float[Tensor, "n d"]:
        """(n, d) some images as one bank sees them: unit vectors in float32."""
        return F.normalize(self.embeds[rows][:, columns].float(), dim=1)

    @cached_property
    def copies(self) -> Copies | None:
        """Which rows show the same image; None where each shows another."""
        return copies_among(self.embeds)

    @cached_property
    def once(self) -> PoolImages:
        """The same with only the first row of each distinct image."""
        if self.copies is None:
            return self
        return PoolImages(gathered(self.embeds, self.copies.first), self.settings, self.eye_columns)

    @cached_property
    def graph(self) -> Graph:
        return neighbour_graph(self.embeds, self.settings)

    @cached_property
    def subspace(self) -> Subspace:
        return discriminating(self.embeds, self.graph, self.settings)

    @property
    def projected(self) -> Float[Tensor, "N d"]:
        """(N, d) unit vectors in the subspace; not cached, so that they take no memory while a prompt is tuned."""
        return self.subspace.project(self.embeds)


@dataclass(frozen=True)
class Pool:
    """What the cluster models read: images (N, d) in their subspace, their neighbours, and people's labels."""

    images: Float[Tensor, "N d"] = field(repr=False)
    graph: Graph = field(repr=False)
    labels: Labels = field(repr=False)
    """-1 where nobody labeled."""
    settings: Refinement = field(default=DEFAULT, repr=False)

    @cached_property
    def labeled(self) -> RowMask:
        """(N,) True where a person labeled."""
        return self.labels >= 0

    @cached_property
    def any_labeled(self) -> bool:
        return bool(self.labeled.any())

    def read(self, rows: slice | Tensor) -> Float[Tensor, "n d"]:
        """(n, d) some images in float32."""
        return self.images[rows].float()

    def weights(self, of_label: float) -> Float[Tensor, " N"]:
        """(N,) the weight of each image: 1, or ``of_label`` where it is labeled."""
        return torch.where(self.labeled, of_label, 1.0)

    def keep_labels(self, probs: Probs, rows: slice | Tensor) -> Probs:
        """The answers of ``rows``, with labeled rows set to their label, one-hot."""
        if not self.any_labeled:
            return probs
        one_hot = F.one_hot(self.labels[rows].clamp_min(0), probs.shape[1]).to(probs.dtype)
        return torch.where(self.labeled[rows, None], one_hot, probs)

    def scatter(self, of_label: float) -> Scatter:
        """(d, d) Σ w x xᵀ in float64, w as in `weights`.

        An image's probabilities sum to one, so the sum over classes does not depend on the answers.
        """
        unlabeled, labeled = self._scatters
        return unlabeled + of_label * labeled

    @cached_property
    def _scatters(self) -> tuple[Scatter, Scatter]:
        """Of the unlabeled and of the labeled images."""
        width = self.images.shape[1]
        total = torch.zeros(width, width, dtype=torch.float64)
        labeled = torch.zeros_like(total)

        def squares(rows: slice) -> Tensor:
            images = self.read(rows)
            return images.T @ images

        for some in computed(squares, chunk_slices(len(self.images)), over=(self.images,)):
            total += some
        for part in self.labeled.nonzero().squeeze(1).split(1024):
            images = self.read(part)
            labeled += images.T @ images
        return total - labeled, labeled


def unit_rows(embeds: ImageEmbeds) -> ImageEmbeds:
    """(N, D) the rows normalised, of the same floating type."""
    made = like(embeds)

    def bring_to_one(rows: slice) -> None:
        made[rows] = F.normalize(embeds[rows].float(), dim=1)

    put(bring_to_one, chunk_slices(len(embeds)), over=(embeds, made))
    return made


def discriminating(
    image_embeds: ImageEmbeds, graph: Graph, settings: Refinement = DEFAULT
) -> Subspace:
    """The subspace of a pool (N, D): generalised eigenvectors of total against within-neighbour covariance.

    The within-neighbour covariance is shrunk towards a multiple of the identity and split by Cholesky, so an ordinary
    symmetric eigenvalue problem is left. Linear in N.
    """
    mean = torch.zeros(image_embeds.shape[1])
    parts = chunk_slices(len(image_embeds))
    for some in computed(
        lambda rows: image_embeds[rows].float().sum(0), parts, over=(image_embeds,)
    ):
        mean += some
    mean /= len(image_embeds)
    total, among = _covariances(image_embeds, graph, mean)
    scale, shrinkage = among.diagonal().mean().clamp_min(TINY), settings.shrinkage
    shrunk = (1 - shrinkage) * among + shrinkage * scale * torch.eye(len(among)).double()
    root = torch.linalg.cholesky(shrunk)
    half = torch.linalg.solve_triangular(root, total, upper=False)
    ratios, axes = torch.linalg.eigh(torch.linalg.solve_triangular(root, half.T, upper=False))
    clear = int((ratios > settings.subspace_min_ratio).sum())
    least, most = (
        settings.numerics.subspace_min_directions,
        settings.numerics.subspace_max_directions,
    )
    count = min(max(least, clear), most, len(ratios))
    directions = torch.linalg.solve_triangular(root.T, axes[:, -count:], upper=True)
    return Subspace(mean, (directions / directions.norm(dim=0).mean()).float())


def _covariances(image_embeds: ImageEmbeds, graph: Graph, mean: Tensor) -> tuple[Tensor, Tensor]:
    """Two (D, D) in float64: total, and within neighbours: Xᵀ(Δ - W)X / ΣW, Δ being the diagonal of W's row sums."""

    def of(cell: Cell) -> tuple[Tensor, Tensor, float]:
        images = image_embeds[cell.at].float() - mean
        degrees = cell.spread(torch.ones(len(images), 1))
        within = images.T @ (degrees * images - cell.spread(images))
        return images.T @ images, within, float(degrees.sum())

    width = image_embeds.shape[1]
    total, among = torch.zeros(2, width, width, dtype=torch.float64)
    weight = 0.0
    for every, within, degrees in graph.computed(of, image_embeds):
        total += every
        among += within
        weight += degrees
    return total / len(image_embeds), (among + among.T) / 2 / max(weight, TINY)
