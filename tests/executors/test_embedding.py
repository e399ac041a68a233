"""Images have the same embeddings, to the byte, whoever encodes them."""

from __future__ import annotations

import hashlib
import os
import pickle
import signal
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pictures import random_image
from PIL import Image

from clipgrip.backbone.base import Eye
from clipgrip.backbone.cache import EmbeddingCache
from clipgrip.backbone.clip import ClipBackbone
from clipgrip.backbone.embed import Embedded, embed_images
from clipgrip.backbone.encode import Item
from clipgrip.backbone.prompted import PromptedBackbone
from clipgrip.backbone.recipe import recipe_for
from clipgrip.backbone.texture import Texture
from clipgrip.data.entries import Entry
from clipgrip.data.hashing import Usable, examine_all
from clipgrip.data.images import UndecodableImage
from clipgrip.data.sources import EmbeddingSource
from clipgrip.errors import BackboneError, DataError
from clipgrip.executors import using
from clipgrip.executors.base import Executor, PartAnswer
from clipgrip.executors.processes import Processes

COUNT = 300


def torn() -> Image.Image:
    raise UndecodableImage("corrupt", "damaged or cut off")


def far(home: int) -> Image.Image:
    """On a disk that only one process sees."""
    if os.getpid() == home:
        return random_image(1, 30, 30)
    raise UndecodableImage("unreadable", "cannot be read (No such file or directory)")


def items() -> list[Item]:
    made: list[Item] = [
        (hashlib.sha256(b"%d" % n).hexdigest(), partial(random_image, n, 20 + n % 30, 40))
        for n in range(COUNT)
    ]
    made[7], made[200] = (made[7][0], torn), (made[200][0], torn)
    return made


@pytest.fixture(scope="module")
def tiny(tiny_clip: Path) -> ClipBackbone:
    return ClipBackbone("tiny", tiny_clip, precision="float32")


@pytest.fixture(scope="module")
def pool() -> Iterator[Processes]:
    made = Processes(2)
    yield made
    made.close()


class Kept:
    """An executor that outlives `using`."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.name, self.workers = inner, inner.name, inner.workers
        self.is_worth, self.answers = inner.is_worth, inner.answers

    def close(self) -> None:
        pass


def embedded(eye: Eye, executor: Any, cache: EmbeddingCache | None = None) -> Embedded:
    with using(Kept(executor)):
        return embed_images(eye, items(), cache=cache)


def equal(one: Embedded, other: Embedded) -> bool:
    failed = [[(h, str(e)) for h, e in found.failures] for found in (one, other)]
    same = one.hashes == other.hashes and failed[0] == failed[1]
    return same and one.embeds.numpy().tobytes() == other.embeds.numpy().tobytes()


def eye_called(name: str, tiny: ClipBackbone) -> Eye:
    tokens = 0.1 * torch.randn(1, 2, 48, generator=torch.Generator().manual_seed(0))
    eyes: dict[str, Eye] = {"tiny": tiny, "texture": Texture()}
    return eyes.get(name) or PromptedBackbone(tiny, tokens)


@pytest.mark.parametrize("name", ["tiny", "prompted", "texture"])
def test_processes_give_the_same_bytes(name: str, tiny: ClipBackbone, pool: Processes) -> None:
    eye = eye_called(name, tiny)
    here = embedded(eye, Executor())
    assert len(here.hashes) == COUNT - 2
    assert [sha256 for sha256, _ in here.failures] == [items()[7][0], items()[200][0]]
    assert equal(here, embedded(eye, pool))


def test_what_is_cached_is_not_asked_of_a_worker(tiny: ClipBackbone, tmp_path: Path) -> None:
    cache = EmbeddingCache.for_backbone(tiny, tmp_path)
    embed_images(tiny, [one for one in items() if one[1] is not torn], cache=cache)

    class Refusing(Processes):
        def answers(self, work: Any, parts: Any) -> Any:
            for part in parts:
                assert all(loader is torn for batch in part for _, loader in batch)
            return iter(())

    embedded(tiny, Refusing(1), cache)


def test_a_stopped_job_keeps_what_workers_answered(
    tiny: ClipBackbone, pool: Processes, tmp_path: Path
) -> None:
    cache = EmbeddingCache.for_backbone(tiny, tmp_path)

    def stop(done: int, total: int) -> None:
        if done > 100:
            raise KeyboardInterrupt

    with using(Kept(pool)), pytest.raises(KeyboardInterrupt):
        embed_images(tiny, items(), cache=cache, on_progress=stop)
    known = ~cache.get([sha256 for sha256, _ in items()]).missing
    assert known.sum() >= 100
    assert equal(embedded(tiny, Executor()), embedded(tiny, pool, cache))


def test_a_worker_killed_while_it_encodes_changes_no_byte(
    tiny: ClipBackbone, tmp_path: Path
) -> None:
    pool = Processes(2)

    def kill(done: int, total: int) -> None:
        processes = list((pool._pool._processes if pool._pool else {}).values())
        if done > 32 and processes and not killed:
            killed.append(processes[0].pid)
            os.kill(processes[0].pid, signal.SIGKILL)

    killed: list[Any] = []
    with using(pool):
        found = embed_images(tiny, items(), on_progress=kill)
    assert killed
    assert equal(embedded(tiny, Executor()), found)


def test_images_that_only_this_process_reads_are_not_called_damaged(
    tiny: ClipBackbone, pool: Processes
) -> None:
    with using(Kept(pool)), pytest.raises(DataError, match="at the same path"):
        embed_images(tiny, [("0" * 64, partial(far, os.getpid()))])


class Elsewhere(Executor):
    """A machine where no picture lies."""

    def is_worth(self, done: int, left: int, seconds: float) -> bool:
        return True

    def answers(self, work: Any, parts: Iterable[Any]) -> Iterator[PartAnswer]:
        for number, part in enumerate(parts):
            sources = (replace(one.source, picture="nowhere.png") for one in part)
            moved = [replace(one, source=to) for one, to in zip(part, sources, strict=True)]
            yield PartAnswer(number, work(moved))


def test_pictures_of_embeddings_that_only_this_process_reads_are_not_lost_in_silence(
    tmp_path: Path,
) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "0.png")
    source = EmbeddingSource("e.npz", 0, str(tmp_path / "0.png"))
    gone = EmbeddingSource("e.npz", 1, str(tmp_path / "1.png"))
    with using(Elsewhere()):
        found = list(examine_all([Entry("1", "1", gone, "1" * 64)]))
        assert isinstance(found[0], Usable)
        assert found[0].source == replace(gone, picture="")
        with pytest.raises(DataError, match="at the same path"):
            list(examine_all([Entry("0", "0", source, "0" * 64)]))


def test_a_model_travels_as_the_folder_it_is_read_from(tiny: ClipBackbone) -> None:
    content = pickle.dumps(recipe_for(tiny))
    assert len(content) < 1000
    pixels = np.zeros((1, 32, 32, 3), np.uint8)
    again = pickle.loads(content)
    assert torch.equal(again.eye().encode_image(pixels), tiny.encode_image(pixels))
    assert again.eye() is again.eye()


def test_a_model_whose_files_changed_is_refused(tiny_clip: Path) -> None:
    other = ClipBackbone("tiny", tiny_clip, precision="float32")
    other.fingerprint = "0" * 64
    with pytest.raises(BackboneError, match="the same model to every machine"):
        recipe_for(other).eye()
