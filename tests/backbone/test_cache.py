"""The cache gives back what was put in, whatever happens to the machine, or says that it cannot."""

from __future__ import annotations

import hashlib
import logging
import multiprocessing
import os
import sqlite3
from functools import partial
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


def change(cache: EmbeddingCache, statement: str) -> None:
    """What a failing disk might do to the rows."""
    with sqlite3.connect(cache.folder / module.NAME) as db:
        db.execute(statement)
    db.close()


def count(cache: EmbeddingCache) -> int:
    with sqlite3.connect(cache.folder / module.NAME) as db:
        found = db.execute("SELECT count(*) FROM embedding").fetchone()[0]
    db.close()
    return int(found)


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


def test_many_rows_are_put_and_found_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_ROWS", 8)
    cache = open_cache(tmp_path)
    hashes, values = rows(0, 20)
    cache.put(hashes, values)
    assert count(cache) == 20
    np.testing.assert_array_equal(cache.get(hashes).embeds, values)


def test_more_hashes_than_sqlite_takes_variables_are_found(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    hashes = [f"{n:064x}" for n in range(40_000)]
    values = np.random.default_rng(0).standard_normal((40_000, WIDTH)).astype(np.float16)
    cache.put(hashes, values)
    np.testing.assert_array_equal(cache.get(hashes).embeds, values)


@pytest.mark.parametrize("bit", [0, 77, -1])
def test_a_flipped_bit_costs_its_row_and_is_reported(
    bit: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = open_cache(tmp_path)
    (good, good_values), (bad, bad_values) = rows(0, 5), rows(5, 9)
    cache.put(good, good_values)
    cache.put(bad, bad_values)
    for path in cache.folder.glob(f"{module.NAME}-*"):
        assert not path.stat().st_size  # all is in the file itself
    file = cache.folder / module.NAME
    content = bytearray(file.read_bytes())
    for values in bad_values:
        vector = values.astype("<f2").tobytes()
        at = content.index(vector) + (bit // 8) % len(vector)
        content[at] ^= 1 << (bit % 8)
    file.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        found = cache.get(good + bad)
    assert found.missing.tolist() == [False] * 5 + [True] * 4
    np.testing.assert_array_equal(found.embeds[:5], good_values)
    assert "it is damaged" in caplog.text
    assert "4 embeddings do not fit" in caplog.text
    cache.put(bad, bad_values)
    np.testing.assert_array_equal(cache.get(bad).embeds, bad_values)


@pytest.mark.parametrize(
    "changed",
    [
        "vector = (SELECT vector FROM embedding AS other WHERE other.rowid = embedding.rowid % 10 + 1)",
        "vector = x''",
        "vector = vector || x'00'",
        "digest = x'00'",
        "vector = CAST(vector || 'x' AS TEXT)",
        "vector = 1.5",
    ],
)
def test_a_changed_row_never_gives_another_images_embedding(
    tmp_path: Path, changed: str, caplog: pytest.LogCaptureFixture
) -> None:
    cache = open_cache(tmp_path)
    hashes, values = rows(0, 10)
    cache.put(hashes, values)
    change(cache, f"UPDATE embedding SET {changed}")
    with caplog.at_level(logging.WARNING):
        assert cache.get(hashes).missing.all()
    assert "it is damaged" in caplog.text
    cache.put(hashes, values)
    np.testing.assert_array_equal(cache.get(hashes).embeds, values)


def test_a_row_that_calls_its_hash_bytes_is_known_by_the_index(tmp_path: Path) -> None:
    """One flipped bit of the record's header, which SQLite does not find."""
    cache = open_cache(tmp_path)
    hashes, values = rows(0, 10)
    cache.put(hashes, values)
    file = cache.folder / module.NAME
    types, changed = b"\x81\x0d\x2c\x4c", b"\x81\x0c\x2c\x4c"  # of 64 letters, 16 and 32 bytes
    content = file.read_bytes()
    assert content.count(types) == 10
    file.write_bytes(content.replace(types, changed))
    np.testing.assert_array_equal(cache.get(hashes).embeds, values)


def test_rows_that_are_gone_are_missing(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    hashes, values = rows(0, 5)
    cache.put(hashes, values)
    change(cache, f"DELETE FROM embedding WHERE content = '{hashes[2]}'")
    assert cache.get(hashes).missing.tolist() == [False, False, True, False, False]
    os.unlink(cache.folder / module.NAME)
    assert open_cache(tmp_path).get(hashes).missing.all()


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
    more = [f"{n:064x}" for n in range(20_000)]

    class Full(sqlite3.Connection):
        def execute(self, *words: object) -> sqlite3.Cursor:  # type: ignore[override]
            done = super().execute(*words)  # type: ignore[arg-type]
            if "synchronous" in str(words[0]):
                super().execute("PRAGMA max_page_count = 8")
            return done

    connect = partial(sqlite3.connect, factory=Full)
    with monkeypatch.context() as patch:
        patch.setattr(module.sqlite3, "connect", connect)
        with pytest.raises(CacheError, match=r"is full.*Make room there.*CLIPGRIP_CACHE"):
            cache.put(more, np.ones((len(more), WIDTH), np.float32))
    assert count(cache) == 3
    assert not cache.get(rows(0, 3)[0]).missing.any()
    assert cache.get(more).missing.all()


def test_a_crash_within_a_transaction_leaves_the_old_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = open_cache(tmp_path)
    cache.put(*rows(0, 3))
    hashes, values = rows(3, 6)

    def crash(content: str, vector: bytes) -> bytes:
        if content == hashes[2]:
            raise sqlite3.OperationalError("disk I/O error")
        return digest(content, vector)

    digest = module._digest
    with monkeypatch.context() as patch:
        patch.setattr(module, "_digest", crash)
        with pytest.raises(CacheError):
            cache.put(hashes, values)
    again = open_cache(tmp_path)
    assert again.get(rows(0, 6)[0]).missing.tolist() == [False] * 3 + [True] * 3


def test_a_damaged_database_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    cache = open_cache(tmp_path)
    (cache.folder / module.NAME).write_bytes(b"not a database" * 1000)
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
    for name in ("embeddings-v1", "embeddings-v2", "embeddings-v2-9", "thumbs-v1", "other"):
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
