"""Each image is decoded and encoded once, in the same bytes however often the work is cut off."""

from __future__ import annotations

import hashlib
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from weakref import WeakSet

import numpy as np
import pytest
import torch
from pictures import random_image
from PIL import Image
from waiting import LONG

from clipgrip.backbone import embed as module
from clipgrip.backbone import encode
from clipgrip.backbone.cache import NAME, EmbeddingCache
from clipgrip.backbone.clip import ClipBackbone
from clipgrip.backbone.embed import Embedded, embed_images
from clipgrip.backbone.encode import Item
from clipgrip.data.lazy import LazyItems
from clipgrip.errors import CacheError, DataError


class Spy:
    """The tiny backbone with the sizes of the batches it encoded."""

    def __init__(self, backbone: ClipBackbone) -> None:
        self.inner = backbone
        self.batches: list[int] = []
        self.embed_dim, self.image_key = backbone.embed_dim, backbone.image_key

    def preprocess(self, image: Image.Image) -> np.ndarray:
        return self.inner.preprocess(image)

    def encode_image(self, pixels: np.ndarray) -> torch.Tensor:
        self.batches.append(len(pixels))
        return self.inner.encode_image(pixels)


@pytest.fixture(scope="module")
def tiny(tiny_clip: Path) -> ClipBackbone:
    return ClipBackbone("tiny", tiny_clip, precision="float32")


@pytest.fixture
def backbone(tiny: ClipBackbone) -> Spy:
    return Spy(tiny)


@pytest.fixture
def cache(backbone: Spy, tmp_path: Path) -> EmbeddingCache:
    return EmbeddingCache.for_backbone(backbone, tmp_path)


def item(seed: int) -> Item:
    content = hashlib.sha256(str(seed).encode()).hexdigest()
    return content, lambda: random_image(seed, 30 + seed % 20, 40)


def bad(seed: int, error: type[Exception] = DataError) -> Item:
    def fail() -> Image.Image:
        raise error(f"image {seed} is torn")

    return item(seed)[0], fail


def items(count: int) -> list[Item]:
    return [item(seed) for seed in range(count)]


def equal(one: Embedded, other: Embedded) -> bool:
    return (
        one.hashes == other.hashes
        and one.embeds.numpy().tobytes() == other.embeds.numpy().tobytes()
    )


def test_embeddings_are_the_backbones_in_the_order_of_the_items(backbone: Spy) -> None:
    result = embed_images(backbone, items(10), batch_size=4)
    pixels = np.stack([backbone.preprocess(loader()) for _, loader in items(10)])
    torch.testing.assert_close(result.embeds, backbone.encode_image(pixels), rtol=0, atol=1e-3)
    torch.testing.assert_close(result.embeds.norm(dim=1), torch.ones(10))
    assert result.embeds.dtype == torch.float32
    assert result.hashes == [content for content, _ in items(10)]
    assert backbone.batches[:3] == [4, 4, 2]


def test_the_second_time_nothing_is_decoded_or_encoded(
    backbone: Spy, cache: EmbeddingCache
) -> None:
    first = embed_images(backbone, items(10), cache=cache)
    backbone.batches.clear()
    unreadable = [bad(seed, AssertionError) for seed in range(10)]
    assert equal(embed_images(backbone, unreadable, cache=cache), first)
    assert backbone.batches == []


def test_with_and_without_cache_the_bytes_are_equal(backbone: Spy, cache: EmbeddingCache) -> None:
    assert equal(embed_images(backbone, items(9)), embed_images(backbone, items(9), cache=cache))


def test_a_repeated_image_is_encoded_once_and_returned_each_time(backbone: Spy) -> None:
    result = embed_images(backbone, [item(1), item(2), item(1), item(1)])
    assert sum(backbone.batches) == 2
    assert result.hashes == [item(n)[0] for n in (1, 2, 1, 1)]
    assert torch.equal(result.embeds[0], result.embeds[2])


def test_images_that_cannot_be_read_are_listed_and_tried_again_later(
    backbone: Spy, cache: EmbeddingCache
) -> None:
    result = embed_images(backbone, [item(0), bad(1), item(2), bad(1)], cache=cache)
    assert result.hashes == [item(0)[0], item(2)[0]]
    ((content, error),) = result.failures
    assert content == item(1)[0]
    assert str(error) == "image 1 is torn"
    repaired = embed_images(backbone, [item(0), item(1), item(2)], cache=cache)
    assert len(repaired.hashes) == 3
    assert not repaired.failures


def test_only_failures_give_no_rows(backbone: Spy, cache: EmbeddingCache) -> None:
    result = embed_images(backbone, [bad(0), bad(1)], cache=cache)
    assert result.embeds.shape == (0, backbone.embed_dim)
    assert len(result.failures) == 2
    assert embed_images(backbone, []).embeds.shape == (0, backbone.embed_dim)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, MemoryError])
def test_other_errors_pass_through_whole_batches_are_kept_and_threads_end(
    error: type[BaseException], backbone: Spy, cache: EmbeddingCache
) -> None:
    broken = items(20)
    broken[17] = bad(17, error)  # type: ignore[arg-type]
    with pytest.raises(error):
        embed_images(backbone, broken, cache=cache, batch_size=4)
    assert not [t for t in threading.enumerate() if t.name.startswith("clipgrip-decode")]
    kept = ~cache.get([content for content, _ in items(20)]).missing
    assert kept.tolist() == [True] * 16 + [False] * 4


def test_after_an_interruption_the_bytes_are_those_of_an_uninterrupted_run(
    backbone: Spy, cache: EmbeddingCache
) -> None:
    work = items(30)
    work[5] = bad(5)
    for stop in (9, 23):
        with pytest.raises(RuntimeError):
            embed_images(
                backbone,
                [*work[:stop], bad(stop, RuntimeError), *work[stop + 1 :]],
                cache=cache,
                batch_size=4,
            )
    backbone.batches.clear()
    resumed = embed_images(backbone, work, cache=cache, batch_size=4)
    assert backbone.batches == [4, 4, 2]
    assert equal(resumed, embed_images(backbone, work, batch_size=4))


def test_a_damaged_row_is_computed_again(backbone: Spy, cache: EmbeddingCache) -> None:
    first = embed_images(backbone, items(10), cache=cache)
    with sqlite3.connect(cache.folder / NAME) as db:
        db.execute("UPDATE embedding SET vector = zeroblob(length(vector))")
    db.close()
    assert equal(embed_images(backbone, items(10), cache=cache), first)
    assert sum(backbone.batches) == 20


def test_a_slow_run_stores_often_and_a_fast_one_once(
    backbone: Spy, cache: EmbeddingCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored, put = list[int](), EmbeddingCache.put

    def noting(self: EmbeddingCache, hashes: list[str], embeds: np.ndarray) -> None:
        stored.append(len(hashes))
        put(self, hashes, embeds)

    monkeypatch.setattr(EmbeddingCache, "put", noting)
    embed_images(backbone, items(12), cache=cache, batch_size=4)
    assert stored == [12]
    monkeypatch.setattr(module, "STORE_SECONDS", 0.0)
    embed_images(backbone, items(24), cache=cache, batch_size=4)
    assert stored == [12, 4, 4, 4]


def test_a_cache_that_cannot_be_written_ends_the_run(
    backbone: Spy, cache: EmbeddingCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> None:
        raise CacheError("disk full")

    monkeypatch.setattr(EmbeddingCache, "put", full)
    with pytest.raises(CacheError, match="disk full"):
        embed_images(backbone, items(3), cache=cache)


def test_progress_counts_distinct_images_from_what_is_cached_to_all(
    backbone: Spy, cache: EmbeddingCache
) -> None:
    seen: list[tuple[int, int]] = []
    embed_images(backbone, items(4), cache=cache, batch_size=4)
    embed_images(
        backbone,
        [*items(9), bad(9), item(0)],
        cache=cache,
        batch_size=4,
        on_progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(4, 10), (8, 10), (10, 10)]


def test_nothing_is_said_to_be_encoded_where_the_cache_holds_all(
    backbone: Spy, cache: EmbeddingCache
) -> None:
    told: list[int] = []
    embed_images(backbone, items(4), cache=cache)
    embed_images(backbone, items(4), cache=cache, on_progress=lambda done, _: told.append(done))
    assert told == []


def test_decoding_stays_only_a_few_batches_ahead(backbone: Spy) -> None:
    decoded = 0
    lock = threading.Lock()

    def counted(seed: int) -> Item:
        def load() -> Image.Image:
            nonlocal decoded
            with lock:
                decoded += 1
            return random_image(seed, 32, 32)

        return item(seed)[0], load

    most = 0

    def watch(done: int, total: int) -> None:
        nonlocal most
        time.sleep(0.005)
        most = max(most, decoded - done)

    embed_images(backbone, [counted(n) for n in range(100)], batch_size=5, on_progress=watch)
    assert decoded == 100
    assert most <= 5 * (encode.BATCHES_AHEAD + 1)


CHILD = """
import signal
import sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # where the tests run in the background it is ignored
sys.path[:0] = [sys.argv[3]]
from backbone.test_embed import items
from clipgrip.backbone import embed
from clipgrip.backbone.cache import EmbeddingCache
from clipgrip.backbone.clip import ClipBackbone
embed.STORE_SECONDS = 0.0
backbone = ClipBackbone("tiny", Path(sys.argv[1]), precision="float32")
cache = EmbeddingCache.for_backbone(backbone, Path(sys.argv[2]))
def wait(done, total):
    if done == int(sys.argv[4]):
        print("so far", flush=True)
        while True:
            signal.pause()
print("ready", flush=True)
embed.embed_images(backbone, items(400), cache=cache, batch_size=4, on_progress=wait)
"""
NEVER = -1


def start_child(
    tiny_clip: Path, root: Path, stop_at: int = NEVER, **more: int
) -> subprocess.Popen[bytes]:
    """A process that embeds 400 images; it waits for ever where so many are done."""
    tests = Path(__file__).parents[1]
    command = [sys.executable, "-c", CHILD, str(tiny_clip), str(root), str(tests), str(stop_at)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, **more)
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    return child


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_killed_at_random_points_it_resumes_to_the_same_bytes(
    tiny_clip: Path, tiny: ClipBackbone, tmp_path: Path
) -> None:
    rng = random.Random(1)
    for _ in range(4):
        child = start_child(tiny_clip, tmp_path)
        time.sleep(rng.uniform(0.0, 0.25))
        child.kill()
        child.communicate()
    cache = EmbeddingCache.for_backbone(tiny, tmp_path)
    kept = 400 - int(cache.get([content for content, _ in items(400)]).missing.sum())
    assert kept % 4 == 0
    resumed = embed_images(tiny, items(400), cache=cache, batch_size=4)
    assert equal(resumed, embed_images(tiny, items(400), batch_size=4))


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to a child")
def test_ctrl_c_ends_the_process_and_keeps_what_is_done(
    tiny_clip: Path, tiny: ClipBackbone, tmp_path: Path
) -> None:
    """In the middle of the work, whose threads read ahead; a process that took no notice would wait for ever."""
    child = start_child(tiny_clip, tmp_path, stop_at=200, stderr=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"so far\n"
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=LONG)
    assert child.returncode == -signal.SIGINT
    assert said.rstrip().endswith(b"KeyboardInterrupt")
    cache = EmbeddingCache.for_backbone(tiny, tmp_path)
    kept = ~cache.get([content for content, _ in items(400)]).missing
    assert kept.tolist() == [True] * 200 + [False] * 200


@pytest.mark.parametrize("is_cached", [False, True])
def test_items_that_are_made_when_asked_for_are_not_kept(
    tiny: ClipBackbone, cache: EmbeddingCache, is_cached: bool
) -> None:
    living: WeakSet[partial[Image.Image]] = WeakSet()
    most = 0

    def made(number: int) -> Item:
        nonlocal most
        loader = partial(item(number)[1])
        living.add(loader)
        most = max(most, len(living))
        return item(number)[0], loader

    if is_cached:
        embed_images(tiny, items(200), cache=cache)
    found = embed_images(tiny, LazyItems(200, made), cache=cache, batch_size=4)
    assert equal(found, embed_images(tiny, items(200), batch_size=4))
    assert most < 40
