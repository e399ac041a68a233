"""The cache gives back what was put in, whatever happens to the machine, or says that it cannot."""

from __future__ import annotations

import hashlib
import logging
import multiprocessing
import os
import sqlite3
import time
from pathlib import Path

import numpy as np
import pytest
from waiting import LONG

from clipgrip.backbone import cache as module
from clipgrip.backbone.cache import EmbeddingCache, default_root, remove_older
from clipgrip.errors import CacheError

WIDTH = 8


def open_cache(root: Path, key: str = "key") -> EmbeddingCache:
    return EmbeddingCache(root, key, WIDTH)


def rows(start: int, stop: int) -> tuple[list[str], np.ndarray]:
    """Hashes and values that float16 holds exactly; a row is known by its number."""
    values = np.arange(start, stop, dtype=np.float32)[:, None] + np.arange(WIDTH) / 8
    return [hashlib.sha256(str(n).encode()).hexdigest() for n in range(start, stop)], values


def shards(cache: EmbeddingCache) -> list[Path]:
    return sorted(cache.folder.glob("*.npy"))


def test_what_was_put_is_found_again_in_any_order(tmp_path: Path) -> None:
    hashes, values = rows(0, 20)
    open_cache(tmp_path).put(hashes, values)
    order = [3, 0, 3, 19]
    found = open_cache(tmp_path).get([hashes[n] for n in order])
    assert not found.missing.any()
    np.testing.assert_array_equal(found.embeds, values[order])
    assert found.embeds.dtype == np.float32


def test_what_was_not_put_is_missing(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    cache.put(*rows(0, 3))
    hashes, values = rows(1, 5)
    found = cache.get(hashes)
    assert found.missing.tolist() == [False, False, True, True]
    np.testing.assert_array_equal(found.embeds[:2], values[:2])
    assert cache.get([]).embeds.shape == (0, WIDTH)


def test_another_key_sees_nothing(tmp_path: Path) -> None:
    hashes, values = rows(0, 3)
    open_cache(tmp_path, "float32").put(hashes, values)
    assert open_cache(tmp_path, "bfloat16").get(hashes).missing.all()


def test_a_hash_keeps_its_first_embedding(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    hashes, values = rows(0, 3)
    cache.put(hashes, values)
    cache.put(hashes, values + 1)
    np.testing.assert_array_equal(cache.get(hashes).embeds, values)


def test_shards_hold_at_most_so_many_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ROWS", 8)
    cache = open_cache(tmp_path)
    hashes, values = rows(0, 20)
    cache.put(hashes, values)
    assert sorted(len(np.load(path)) for path in shards(cache)) == [4, 8, 8]
    np.testing.assert_array_equal(cache.get(hashes).embeds, values)


def test_more_hashes_than_sqlite_takes_variables_are_found(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    hashes = [f"{n:064x}" for n in range(40_000)]
    values = np.random.default_rng(0).standard_normal((40_000, WIDTH)).astype(np.float16)
    cache.put(hashes, values)
    np.testing.assert_array_equal(cache.get(hashes).embeds, values)


@pytest.mark.parametrize("bit", [0, 1000, -1])
def test_a_flipped_bit_costs_its_shard_and_is_reported(
    bit: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = open_cache(tmp_path)
    (good, good_values), (bad, bad_values) = rows(0, 5), rows(5, 9)
    cache.put(good, good_values)
    before = shards(cache)
    cache.put(bad, bad_values)
    (damaged,) = set(shards(cache)) - set(before)
    content = bytearray(damaged.read_bytes())
    content[(bit // 8) % len(content)] ^= 1 << (bit % 8)
    damaged.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        found = cache.get(good + bad)
    assert found.missing.tolist() == [False] * 5 + [True] * 4
    np.testing.assert_array_equal(found.embeds[:5], good_values)
    assert "is damaged" in caplog.text
    assert "4 embeddings are computed again" in caplog.text
    cache.put(bad, bad_values)
    np.testing.assert_array_equal(cache.get(bad).embeds, bad_values)


@pytest.mark.parametrize(
    "change", ["row = 9 - row", "row = row + 100", "row = -1", "digest = x'00'"]
)
def test_a_changed_index_never_gives_another_images_embedding(
    tmp_path: Path, change: str, caplog: pytest.LogCaptureFixture
) -> None:
    cache = open_cache(tmp_path)
    hashes, values = rows(0, 10)
    cache.put(hashes, values)
    with sqlite3.connect(cache.folder / "index.db") as index:
        index.execute(f"UPDATE embedding SET {change}")
    index.close()
    with caplog.at_level(logging.WARNING):
        assert cache.get(hashes).missing.all()
    assert "it is damaged" in caplog.text
    cache.put(hashes, values)
    np.testing.assert_array_equal(cache.get(hashes).embeds, values)


def test_a_shard_that_is_gone_or_cut_off_is_missing(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    for spoil in (os.unlink, lambda path: os.truncate(path, 40)):
        hashes, values = rows(0, 5)
        cache.put(hashes, values)
        spoil(shards(cache)[0])
        assert cache.get(hashes).missing.all()
        assert not shards(cache)


def test_values_that_are_not_numbers_are_refused(tmp_path: Path) -> None:
    hashes, values = rows(0, 2)
    values[1, 1] = np.nan
    with pytest.raises(CacheError, match="not numbers"):
        open_cache(tmp_path).put(hashes, values)
    with pytest.raises(CacheError, match="width 8"):
        open_cache(tmp_path).put(hashes, values[:, :4])


def test_a_full_disk_is_an_error_that_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = open_cache(tmp_path)
    cache.put(*rows(0, 3))

    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_bytes_atomic", full)
        with pytest.raises(
            CacheError, match=r"No space left.*CLIPGRIP_CACHE|CLIPGRIP_CACHE.*No space left"
        ):
            cache.put(*rows(3, 6))
    assert not cache.get(rows(0, 3)[0]).missing.any()
    assert cache.get(rows(3, 6)[0]).missing.all()


def test_a_crash_between_shard_and_index_leaves_the_old_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = open_cache(tmp_path)
    cache.put(*rows(0, 3))

    def crash(self: EmbeddingCache) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as patch:
        patch.setattr(EmbeddingCache, "_transaction", crash)
        with pytest.raises(CacheError):
            cache.put(*rows(3, 6))
    assert len(shards(cache)) == 2
    again = open_cache(tmp_path)
    assert again.get(rows(0, 6)[0]).missing.tolist() == [False] * 3 + [True] * 3


def test_only_old_files_that_nothing_names_are_removed(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    cache.put(*rows(0, 3))
    named = shards(cache)[0]
    old, young = cache.folder / "old.npy", cache.folder / "young.npy"
    part = cache.folder / "old.part"
    for path in (old, young, part):
        path.write_bytes(b"")
    for path in (named, old, part):
        os.utime(path, (time.time() - 1e6,) * 2)
    open_cache(tmp_path)
    assert shards(cache) == sorted([named, young])
    assert not part.exists()


def test_a_damaged_index_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    (cache.folder / "index.db").write_bytes(b"not a database" * 1000)
    with pytest.raises(CacheError, match="can be deleted"):
        open_cache(tmp_path)


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CacheError, match="cannot be used"):
        open_cache(tmp_path / "file")


def _write(root: Path, start: int) -> None:
    cache = open_cache(root)
    for first in range(start, start + 60, 10):
        cache.put(*rows(first, first + 10))
        assert not cache.get(rows(first, first + 10)[0]).missing.any()


def test_processes_that_write_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    starts = [0, 30, 60]  # overlapping
    processes = [context.Process(target=_write, args=(tmp_path, start)) for start in starts]
    for process in processes:
        process.start()
    for process in processes:
        process.join(LONG)
        assert process.exitcode == 0
    hashes, values = rows(0, 120)
    found = open_cache(tmp_path).get(hashes)
    assert not found.missing.any()
    np.testing.assert_array_equal(found.embeds, values)


def test_the_cache_lies_where_the_user_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLIPGRIP_CACHE", str(tmp_path))
    assert default_root() == tmp_path
    monkeypatch.delenv("CLIPGRIP_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    assert default_root() == tmp_path / "clipgrip"
    monkeypatch.setattr("sys.platform", "darwin")
    assert default_root().parts[-3:] == ("Library", "Caches", "clipgrip")
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "Local"))
    assert default_root() == tmp_path / "Local" / "clipgrip"


def test_what_an_older_reader_of_pictures_made_is_taken_away_and_nothing_else(
    tmp_path: Path,
) -> None:
    for name in ("embeddings-v1", "embeddings-v2", "embeddings-v2-1", "thumbs-v1", "other"):
        (tmp_path / name / "key").mkdir(parents=True)
    open_cache(tmp_path)
    found = {path.name for path in tmp_path.iterdir()}
    assert found == {module.FOLDER, "thumbs-v1", "other"}
    assert str(module.READING) in module.FOLDER


def test_only_what_an_older_version_kept_is_taken_away(tmp_path: Path) -> None:
    """Two versions may use one folder, and a person may have chosen it."""
    older = ("embeddings-v1", "embeddings-v4", "embeddings-v4-1")
    others = ("embeddings-v99-1", "embeddings-v4-99", "embeddings-vit", "embeddings-v4-mine")
    for name in (*older, *others):
        (tmp_path / name).mkdir()
    remove_older(tmp_path, "embeddings", "embeddings-v4-2")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(others)
