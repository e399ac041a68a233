"""The directions in which images differ more than their neighbours do."""

from __future__ import annotations

from unittest import mock

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from clipgrip.pseudolabel.refine import refined_answers, space
from clipgrip.pseudolabel.refine.graph import Graph, neighbour_graph
from clipgrip.pseudolabel.refine.settings import DEFAULT
from clipgrip.pseudolabel.refine.space import PoolImages, discriminating

DIM, CLASSES = 48, 6


def made(*, images: int = 400, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Images whose classes lie in the first ``CLASSES`` coordinates; all others are noise. And the classes."""
    drawn = torch.Generator().manual_seed(seed)
    labels = torch.arange(images) % CLASSES
    embeds = 0.35 * torch.randn(images, DIM, generator=drawn)
    embeds[:, :CLASSES] += 2 * F.one_hot(labels, CLASSES)
    return F.normalize(embeds, dim=1), labels


def dense(graph: Graph, images: int) -> Tensor:
    """The weights (N, N) of all links."""
    weights = torch.zeros(images, images, dtype=torch.float64)
    for cell in graph.cells:
        weights[cell.rows[cell.sources], cell.rows[cell.columns.long()]] = cell.weights.double()
    return weights


def test_the_best_directions_are_those_of_the_classes() -> None:
    embeds, labels = made()
    images = PoolImages(embeds)
    assert images.projected.shape[1] >= CLASSES - 1
    best = torch.linalg.qr(images.subspace.directions[:, -(CLASSES - 1) :]).Q
    apart = torch.linalg.qr((torch.eye(DIM) - 1 / CLASSES)[:CLASSES, :CLASSES]).Q[:, : CLASSES - 1]
    assert torch.linalg.svdvals(best[:CLASSES].T @ apart).min() > 0.95
    near = (images.projected @ images.projected.T).fill_diagonal_(-1).argmax(1)
    before = (embeds @ embeds.T).fill_diagonal_(-1).argmax(1)
    assert (labels[near] == labels).float().mean() >= (labels[before] == labels).float().mean()


def test_they_maximise_the_variance_of_all_over_that_among_neighbours() -> None:
    """Against the definition, with the whole matrices: He, Niyogi, "Locality Preserving Projections"."""
    embeds, _ = made(images=90)
    graph = neighbour_graph(embeds)
    found = discriminating(embeds, graph)
    centred = (embeds - embeds.mean(0)).double()
    weights = dense(graph, len(embeds))
    laplacian = weights.sum(1).diag() - weights
    total = centred.T @ centred / len(embeds)
    among = centred.T @ laplacian @ centred / weights.sum()
    share = DEFAULT.shrinkage
    shrunk = (1 - share) * among + share * torch.eye(DIM).double() * among.diagonal().mean()
    ratios = (
        torch.linalg.eigvals(torch.linalg.solve(shrunk, total)).real.sort(descending=True).values
    )
    axes = found.directions.double()
    got = (axes.T @ total @ axes).diagonal() / (axes.T @ shrunk @ axes).diagonal()
    torch.testing.assert_close(got.flip(0), ratios[: len(got)], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(found.mean, embeds.mean(0))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_stays_half_and_says_the_same(dtype: torch.dtype) -> None:
    embeds, _ = made()
    halved = PoolImages(embeds.to(dtype))
    assert halved.projected.dtype == dtype
    cosines = halved.projected.float() @ halved.projected.float().T
    whole = PoolImages(embeds.to(dtype).float()).projected
    torch.testing.assert_close(cosines, whole @ whole.T, atol=0.05, rtol=0)


@pytest.mark.parametrize("embeds", [torch.ones(7, 5) / 5**0.5, torch.eye(2), torch.eye(3)[:1]])
def test_equal_and_few_images_break_nothing(embeds: Tensor) -> None:
    images = PoolImages(embeds)
    assert torch.isfinite(images.projected).all()
    assert images.projected.shape == (
        len(embeds),
        min(DEFAULT.numerics.subspace_min_directions, embeds.shape[1]),
    )


def test_pools_in_cells_find_nearly_the_same() -> None:
    embeds, _ = made(images=8000)
    whole = discriminating(embeds, neighbour_graph(embeds))
    graph = neighbour_graph(embeds, DEFAULT.with_values({"exact_rows": 100}))
    assert len(graph.cells) > 1
    split = discriminating(embeds, graph)
    ours, theirs = (torch.linalg.qr(s.directions).Q[:, -(CLASSES - 1) :] for s in (whole, split))
    assert torch.linalg.svdvals(ours.T @ theirs).min() > 0.9


def test_the_graph_of_a_pool_is_made_once_for_all_rounds() -> None:
    embeds, labels = made()
    images, probs = PoolImages(embeds), (8 * embeds[:, :CLASSES]).softmax(1)
    known = {
        "labeled": torch.zeros(len(labels), dtype=torch.bool),
        "candidates": torch.ones(CLASSES, dtype=torch.bool),
    }
    with mock.patch.object(space, "neighbour_graph", wraps=neighbour_graph) as built:
        first = refined_answers(images, probs, **known, method="clusters")
        again = refined_answers(images, probs, **known, method="propagation")
        assert built.call_count == 1
    assert first.method == "clusters"
    assert again.method == "propagation"
