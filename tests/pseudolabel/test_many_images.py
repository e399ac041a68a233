"""A million images need what a million answers need: time and memory grow with N, and chunks change no answer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from clipgrip.pseudolabel import Refinement, refine
from clipgrip.pseudolabel.refine import REFINERS, chunks, graph, mixture
from clipgrip.pseudolabel.refine.graph import Graph, neighbour_graph
from clipgrip.pseudolabel.refine.settings import DEFAULT
from clipgrip.seeds import generator

WIDTH, CLASSES, SCALE = 24, 6, 100.0


def made(rows: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Clusters of images, texts that lie apart in a cone of their own, and the truth."""
    drawn = generator(seed, "many")
    centres, common = (
        torch.randn(CLASSES, WIDTH, generator=drawn),
        torch.randn(WIDTH, generator=drawn),
    )
    labels = torch.randint(CLASSES, (rows,), generator=drawn)
    spread = 0.6 * torch.randn(rows, WIDTH, generator=drawn)
    images = F.normalize(4 * common + centres[labels] + spread, dim=1)
    away, wrong = (
        8 * torch.randn(WIDTH, generator=drawn),
        torch.randn(CLASSES, WIDTH, generator=drawn),
    )
    return images, F.normalize(away + centres + 0.9 * wrong, dim=1), labels


def dense(links: Graph, rows: int) -> Tensor:
    """The graph as an (N, N) matrix."""
    whole = torch.zeros(rows, rows)
    for cell in links.cells:
        whole[cell.rows[:, None], cell.rows] = cell.spread(torch.eye(len(cell.rows)))
    return whole


SMALL_CELLS = DEFAULT.with_values(
    {"exact_rows": 300, "cell_rows": 100, "max_cell_rows": 200, "centre_sample": 16}
)
"""Cells of about 100 images from 300 images on."""


@pytest.mark.parametrize("method", ["auto", "propagation"])
def test_any_number_of_threads_gives_the_same_bytes(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, classes, _ = made(3500)
    pools: list[int] = []

    class Counted(ThreadPoolExecutor):
        def __init__(self, threads: int, **options: Any) -> None:
            pools.append(threads)
            super().__init__(threads, **options)

    monkeypatch.setattr(chunks, "LEAST", 1)
    monkeypatch.setattr(chunks, "ThreadPoolExecutor", Counted)
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            options: dict[str, Any] = {"method": method, "settings": SMALL_CELLS}
            found.append(refine(images, classes, logit_scale=SCALE, **options))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*found)
    assert set(pools) == {3}  # a single thread makes none


def test_neighbours_of_few_images_are_exact() -> None:
    images, _, _ = made(500)
    similar = images @ images.T
    similar.fill_diagonal_(-1)
    values, columns = similar.topk(3, dim=1)
    one_way = torch.zeros(500, 500).scatter_(1, columns, values.clamp_min(0)) / 6
    found = dense(neighbour_graph(images), 500)
    torch.testing.assert_close(found, one_way + one_way.T, atol=1e-5, rtol=0)


def test_of_many_images_each_is_in_one_cell_and_no_cell_is_large() -> None:
    images, _, _ = made(2000)
    for some in (images, images[:1].expand(2000, -1), images[torch.arange(2000) % 3]):
        cells = neighbour_graph(some, SMALL_CELLS).cells
        assert torch.cat([cell.rows for cell in cells]).sort().values.equal(torch.arange(2000))
        assert max(len(cell.rows) for cell in cells) <= SMALL_CELLS.numerics.max_cell_rows


def test_neighbours_among_a_cell_are_its_nearest_and_weigh_the_same_both_ways() -> None:
    images, _, labels = made(2000)
    links = neighbour_graph(images, SMALL_CELLS)
    weights = dense(links, 2000)
    torch.testing.assert_close(weights, weights.T)
    for cell in (one for one in links.cells if len(one.rows) > 3):
        exact = dense(neighbour_graph(images[cell.rows]), len(cell.rows))
        torch.testing.assert_close(weights[cell.rows[:, None], cell.rows], exact, atol=1e-6, rtol=0)
    same = labels[:, None] == labels
    assert float(weights[same].sum() / weights.sum()) > 0.9


def test_a_single_image_and_an_empty_pool_have_no_neighbours() -> None:
    images, _, _ = made(1)
    assert dense(neighbour_graph(images), 1).abs().max() == 0
    assert sum(len(cell.rows) for cell in neighbour_graph(images[:0]).cells) == 0


@pytest.mark.parametrize("settings", [DEFAULT, SMALL_CELLS], ids=["one cell", "many cells"])
@pytest.mark.parametrize("method", REFINERS)
def test_the_size_of_a_chunk_changes_no_answer(
    method: str, settings: Refinement, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, classes, labels = made(1200)
    given = torch.where(torch.arange(1200) % 50 == 0, labels, -1)
    for labeled in (None, given):
        options: dict[str, Any] = {"labeled": labeled, "method": method, "settings": settings}
        whole = refine(images, classes, logit_scale=SCALE, **options)
        with monkeypatch.context() as smaller:
            _chunk(smaller, 77)
            parts = refine(images, classes, logit_scale=SCALE, **options)
        torch.testing.assert_close(parts, whole, atol=1e-4, rtol=0)
        assert (parts.argmax(1) == whole.argmax(1)).all()


def _chunk(patch: pytest.MonkeyPatch, rows: int) -> None:
    """Chunks of another size, in every module that reads them."""
    patch.setattr(chunks.chunk_slices, "__defaults__", (rows,))
    for module in (mixture, graph):
        patch.setattr(module, "CHUNK", rows)


def test_cells_cost_no_accuracy_where_classes_are_clusters() -> None:
    images, classes, labels = made(3000)
    among_cells = refine(images, classes, logit_scale=SCALE, settings=SMALL_CELLS).argmax(1)
    among_all = refine(images, classes, logit_scale=SCALE).argmax(1)
    assert (among_cells == among_all).float().mean() > 0.99
    assert (among_cells == labels).float().mean() > (among_all == labels).float().mean() - 0.005


class Largest(TorchDispatchMode):
    """The most bytes of any one tensor that is computed while it is entered."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        made = func(*args, **(kwargs or {}))
        for one in made if isinstance(made, (tuple, list)) else (made,):
            if isinstance(one, Tensor):
                self.bytes = max(self.bytes, one.untyped_storage().nbytes())
        return made


@pytest.mark.parametrize("method", ["auto", "balance", "propagation"])
def test_no_tensor_is_larger_than_images_in_half_precision(method: str) -> None:
    """Neither N x N, nor N x D in float32; the thousand rows of the look for prototypes are 4 MB at any size."""
    rows = 10_000
    images, classes, labels = made(rows)
    images, classes = (F.pad(some, (0, 256 - WIDTH)) for some in (images.half(), classes))
    given = torch.where(torch.arange(rows) % 100 == 0, labels, -1)
    for labeled in (None, given):
        with Largest() as largest:
            refine(
                images,
                classes,
                logit_scale=SCALE,
                labeled=labeled,
                method=method,
                settings=SMALL_CELLS,
            )
        assert largest.bytes <= images.untyped_storage().nbytes()
