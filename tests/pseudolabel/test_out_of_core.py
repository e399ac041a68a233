"""A pool that lies in files is refined to the answers that it gets in memory, and leaves no file behind."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_many_images import SCALE, SMALL_CELLS, made

from clipgrip.errors import ConfigError, DataError
from clipgrip.mapped import is_mapped, like, mapped, opened, release_pages
from clipgrip.pseudolabel import refine, refined
from clipgrip.pseudolabel.refine import REFINERS
from clipgrip.pseudolabel.refine.chunks import even_sample, taken
from clipgrip.pseudolabel.refine.graph import neighbour_graph
from clipgrip.pseudolabel.refine.ordered import ordered
from clipgrip.pseudolabel.refine.settings import DEFAULT

ROWS = 2500


def on_disk(folder: Path, images: torch.Tensor) -> np.memmap[Any, Any]:
    np.save(folder / "images.npy", images.half().numpy())
    return np.load(folder / "images.npy", mmap_mode="r")


@pytest.mark.parametrize("settings", [DEFAULT, SMALL_CELLS], ids=["one cell", "many cells"])
@pytest.mark.parametrize("method", REFINERS)
def test_answers_agree_with_those_in_memory(tmp_path: Path, method: str, settings: Any) -> None:
    images, classes, labels = made(ROWS)
    on = on_disk(tmp_path, images)
    given = torch.where(torch.arange(ROWS) % 50 == 0, labels, -1)
    candidates = torch.ones(len(classes), dtype=torch.bool)
    candidates[2] = False
    for labeled, mask in ((None, None), (given, None), (given, candidates)):
        options: dict[str, Any] = {
            "logit_scale": SCALE,
            "labeled": labeled,
            "candidates": mask,
            "method": method,
            "settings": settings,
        }
        inside = refined(images.half(), classes, **options)
        outside = refined(on, classes, scratch=tmp_path, **options)
        assert outside.method == inside.method
        assert outside.reasons == inside.reasons
        same = (outside.probs.argmax(1) == inside.probs.argmax(1)).float().mean()
        assert float(same) >= 0.995
        assert float((outside.probs - inside.probs).abs().mean()) < 2e-3
        torch.testing.assert_close(outside.probs.sum(1), torch.ones(ROWS))
        if labeled is not None:
            known = labeled >= 0
            assert torch.equal(outside.probs[known].argmax(1), labeled[known])
            assert bool((outside.probs[known].amax(1) == 1).all())


def test_prototypes_and_absent_classes_agree_too(tmp_path: Path) -> None:
    images, classes, labels = made(ROWS)
    own = torch.stack([images[labels == c][:3].mean(0) for c in range(len(classes))])
    own = torch.nn.functional.normalize(own, dim=1)
    fewer = labels < 3
    for some, texts in ((images, own), (images[fewer], classes)):
        inside = refined(some.half(), texts, logit_scale=SCALE, settings=SMALL_CELLS)
        outside = refined(
            on_disk(tmp_path, some),
            texts,
            logit_scale=SCALE,
            settings=SMALL_CELLS,
            scratch=tmp_path,
        )
        assert outside.method == inside.method
        same = outside.probs.argmax(1) == inside.probs.argmax(1)
        assert float(same.float().mean()) >= 0.995


def test_copies_count_once_and_each_keeps_its_own_label(tmp_path: Path) -> None:
    images, classes, labels = made(900)
    rows = torch.cat([torch.arange(900), torch.arange(300).repeat(3)])
    given = torch.full((len(rows),), -1)
    given[900], given[1200] = int(labels[0]), int(labels[0] + 1) % len(classes)
    options: dict[str, Any] = {"logit_scale": SCALE, "labeled": given, "settings": SMALL_CELLS}
    inside = refine(images[rows].half(), classes, **options)
    outside = refine(on_disk(tmp_path, images[rows]), classes, scratch=tmp_path, **options)
    assert float((outside.argmax(1) == inside.argmax(1)).float().mean()) >= 0.995
    assert torch.equal(outside[given >= 0], inside[given >= 0])


def test_its_cells_are_those_of_memory_one_after_the_other(tmp_path: Path) -> None:
    images, _, _ = made(ROWS)
    pool = ordered(images, torch.arange(ROWS), SMALL_CELLS, lambda *of: mapped(tmp_path, *of))
    cells = neighbour_graph(images, SMALL_CELLS).cells
    assert torch.equal(pool.order, torch.cat([cell.rows for cell in cells]))
    assert torch.equal(pool.images.embeds, images[pool.order])
    for found, cell in zip(pool.images.graph.cells, cells, strict=True):
        assert torch.equal(found.columns, cell.columns)
        assert isinstance(found.at, slice)


def test_nothing_is_left_in_the_folder_and_the_answers_stay(tmp_path: Path) -> None:
    images, classes, _ = made(600)
    found = refine(images, classes, logit_scale=SCALE, scratch=tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert is_mapped(found)
    on = on_disk(tmp_path, images)
    assert not is_mapped(refine(on, classes, logit_scale=SCALE))
    release_pages(found, slice(0, 600))
    torch.testing.assert_close(found.sum(1), torch.ones(600))


def test_what_is_made_from_an_array_lies_where_that_lies(tmp_path: Path) -> None:
    array = mapped(tmp_path, (8, 3), torch.float16)
    array[:] = 1
    assert is_mapped(like(array[2:4]))
    assert like(array, stored=torch.bfloat16).dtype == torch.bfloat16
    assert not is_mapped(like(torch.zeros(3), stored=torch.bfloat16))
    assert like(torch.zeros(3, 2), (5, 4), stored=torch.float16).dtype == torch.float32
    assert mapped(tmp_path, (0, 3), torch.float32).shape == (0, 3)


def test_a_part_of_a_file_is_read_as_that_part_and_what_is_no_matrix_is_refused(
    tmp_path: Path,
) -> None:
    images, classes, _ = made(300)
    on = on_disk(tmp_path, images)
    assert torch.equal(opened(on[100:200]), images[100:200].half())
    assert torch.equal(opened(on[100:][50:]), images[150:].half())
    for wrong in (on[::2], on[:, :4]):
        with pytest.raises(DataError, match="whole rows"):
            opened(wrong)
    with pytest.raises(ConfigError, match="2 banks"):
        refine([images, images], classes, logit_scale=SCALE, scratch=tmp_path)
    with pytest.raises(OSError, match="No such file"):
        refine(on, classes, logit_scale=SCALE, scratch=tmp_path / "nowhere")


@pytest.mark.skipif(sys.platform != "linux", reason="its pages are counted by Linux alone")
def test_pages_of_a_file_that_is_only_read_are_let_go_and_samples_touch_few(tmp_path: Path) -> None:
    def pages() -> int:
        text = Path("/proc/self/status").read_text("utf-8")
        kinds = ("RssFile", "RssShmem")  # the latter where the folder lies in memory
        return sum(int(one.split()[1]) for one in text.splitlines() if one.startswith(kinds))

    np.save(tmp_path / "many.npy", np.ones((16_384, 1024), np.float32))  # 64 MiB
    array = opened(np.load(tmp_path / "many.npy", mmap_mode="r"))
    assert is_mapped(array)
    before = pages()
    assert array.sum() == array.numel()
    assert pages() - before > 48_000
    release_pages(array, slice(0, len(array)))
    assert pages() - before < 16_000
    rows = torch.randperm(len(array))
    assert torch.equal(taken(array, rows), torch.ones_like(array))
    assert pages() - before < 16_000
    assert torch.equal(even_sample(array, 100), array[:: len(array) // 100])
    kept = torch.randn(300, 4)
    assert torch.equal(taken(kept, rows[rows < 300]), kept[rows[rows < 300]])


def test_files_and_arrays_are_taken_wherever_a_tensor_is(tmp_path: Path) -> None:
    images, classes, _ = made(300)
    on, options = on_disk(tmp_path, images), {"logit_scale": SCALE}
    halves = images.half()
    inside = refine([halves, halves.flip(1)], classes, **options)
    assert torch.equal(refine([on, halves.flip(1)], classes, **options), inside)
    outside = refine(halves, classes, scratch=tmp_path, **options)
    for given in ([on], halves.numpy(), [halves.numpy()]):
        assert torch.equal(refine(given, classes, scratch=tmp_path, **options), outside)
    assert torch.equal(opened(on), halves)  # nobody has written into it


def test_a_file_that_cannot_be_mapped_is_said_and_does_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> torch.Tensor:
        raise RuntimeError("unable to mmap")

    monkeypatch.setattr(torch, "from_file", refused)
    with pytest.raises(OSError, match="memory"):
        mapped(tmp_path, (3, 4), torch.float32)
    assert list(tmp_path.iterdir()) == []
