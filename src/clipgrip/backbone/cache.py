"""Image embeddings on disk, addressed by everything that determines them.

A folder per backbone, preprocessing, precision and format; in it shards (float16 ``.npy``, each named by the SHA-256
of its bytes) and ``index.db``, which says for the content hash of an image in which shard and row it stands, with a
digest over hash and row: a changed bit in a shard or in the index is found, and the row is computed again.
A shard is on the disk before the index names it, so a crash leaves at most a file that nothing names.
SQLite's write-ahead log needs a local disk: the folder must not lie on a network share.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import os
import re
import shutil
import sqlite3
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from clipgrip.backbone.base import Eye
from clipgrip.data.images import READING
from clipgrip.errors import CacheError, ConfigError
from clipgrip.files import from_home, is_full, write_bytes_atomic
from clipgrip.sentences import Sentence, mark

FORMAT = 2
"""1 had no digests, and rows of files that changed between hashing and reading."""
FOLDER = f"embeddings-v{FORMAT}-{READING}"
ROOT_VARIABLE = "CLIPGRIP_CACHE"
HOMELESS = mark("this user has no home folder. Set HOME, or CLIPGRIP_CACHE and CLIPGRIP_MODELS.")
UNCHANGED = mark("The index in {folder} cannot be changed")
UNREAD = mark("The index in {folder} cannot be read")
MAX_ROWS = 8192
"""The most rows of one shard."""
BUSY_SECONDS = 60.0
"""How long one process waits for another one's transaction."""
STALE_SECONDS = 24 * 3600.0
"""A file that nothing names is removed at this age; a younger one may be another process's next shard."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS shard (name TEXT PRIMARY KEY, rows INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS embedding (
    content TEXT PRIMARY KEY,
    shard TEXT NOT NULL REFERENCES shard (name),
    row INTEGER NOT NULL,
    digest BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS embedding_shard ON embedding (shard);
"""
FIND = """
SELECT shard, content, row, digest FROM embedding WHERE content IN (SELECT value FROM json_each(?)) ORDER BY shard
"""

log = logging.getLogger(__name__)


class CachedEmbeds(NamedTuple):
    """What the cache holds of the hashes that were asked for."""

    embeds: Float[np.ndarray, "N D"]
    """float32, one row per hash; zeros where it is missing."""
    missing: np.ndarray
    """(N,) bool."""


class EmbeddingCache:
    """Content hash -> embedding, for one backbone; safe for threads and for several processes at once."""

    def __init__(self, root: Path, key: str, width: int) -> None:
        """Open or create; ``key`` names what determines an embedding, ``width`` is D."""
        self.folder = Path(root) / FOLDER / key
        self.width = width
        with _as_cache_error(
            Sentence("The cache folder {folder} cannot be used", folder=self.folder)
        ):
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._transaction() as index:
                for statement in SCHEMA.split(";"):
                    index.execute(statement)
        self._remove_stale()
        remove_older(Path(root), "embeddings", FOLDER)

    @classmethod
    def for_backbone(cls, backbone: Eye, root: Path | None = None) -> EmbeddingCache:
        """The cache of a backbone's image embeddings under ``root`` or the user's cache folder."""
        return cls(root or default_root(), backbone.image_key, backbone.embed_dim)

    def get(
        self, hashes: Sequence[str], into: Float[np.ndarray, "N D"] | None = None
    ) -> CachedEmbeds:
        """Stored embeddings of ``hashes``, put ``into`` an array of zeros where one is given for different ones.

        Each shard is compared with its SHA-256, each row with its digest. What is damaged is forgotten with a warning
        in the log and reported missing: it is computed again.
        """
        row_of = {sha256: row for row, sha256 in enumerate(dict.fromkeys(hashes))}
        if len(row_of) < len(hashes):
            once, rows = self.get(list(row_of)), [row_of[sha256] for sha256 in hashes]
            return CachedEmbeds(once.embeds[rows], once.missing[rows])
        embeds = np.zeros((len(hashes), self.width), np.float32) if into is None else into
        found = CachedEmbeds(embeds, np.ones(len(hashes), np.bool_))
        for name, stored in self._find(hashes).items():
            shard = self._read(name)
            if shard is None:
                continue
            whole: list[tuple[str, int]] = []
            wrong: list[tuple[str, int]] = []
            for sha256, place, digest in stored:
                is_whole = 0 <= place < len(shard) and _digest(sha256, shard[place]) == digest
                (whole if is_whole else wrong).append((sha256, place))
            self._forget_rows([sha256 for sha256, _ in wrong])
            rows, places = [row_of[sha256] for sha256, _ in whole], [place for _, place in whole]
            found.embeds[rows] = shard[places]
            found.missing[rows] = False
        return found

    def put(self, hashes: Sequence[str], embeds: Float[np.ndarray, "N D"]) -> None:
        """Store rows durably as float16; a hash that is there already keeps what it has."""
        if embeds.shape != (len(hashes), self.width) or not np.isfinite(embeds).all():
            raise CacheError(
                "Embeddings of shape {shape} for {n_hashes} images of width {width} cannot be cached, or "
                "they hold values that are not numbers: the model or its device is damaged.",
                shape=embeds.shape,
                n_hashes=len(hashes),
                width=self.width,
            )
        for start in range(0, len(hashes), MAX_ROWS):
            part = slice(start, start + MAX_ROWS)
            self._write(hashes[part], embeds[part].astype(np.float16))

    def _write(self, hashes: Sequence[str], embeds: Float[np.ndarray, "N D"]) -> None:
        buffer = io.BytesIO()
        np.save(buffer, np.ascontiguousarray(embeds), allow_pickle=False)
        name = hashlib.sha256(buffer.getvalue()).hexdigest()
        with _as_cache_error(
            Sentence(
                "Embeddings cannot be written to {folder}; what was stored before is kept",
                folder=self.folder,
            )
        ):
            write_bytes_atomic(self._path(name), buffer.getvalue())
            with self._transaction() as index:
                index.execute("INSERT OR IGNORE INTO shard VALUES (?, ?)", (name, len(hashes)))
                index.executemany(
                    "INSERT OR IGNORE INTO embedding VALUES (?, ?, ?, ?)",
                    [(c, name, row, _digest(c, embeds[row])) for row, c in enumerate(hashes)],
                )

    def _read(self, name: str) -> Float[np.ndarray, "N D"] | None:
        try:
            content = self._path(name).read_bytes()
        except OSError as error:
            self._forget(name, f"cannot be read ({error.strerror})")
            return None
        if hashlib.sha256(content).hexdigest() != name:
            self._forget(name, "is damaged: its content is not what was written")
            return None
        array: np.ndarray = np.load(io.BytesIO(content), allow_pickle=False)
        return array

    def _forget(self, name: str, reason: str) -> None:
        with _as_cache_error(Sentence(UNCHANGED, folder=self.folder)):
            with self._transaction() as index:
                rows = index.execute("DELETE FROM embedding WHERE shard = ?", (name,)).rowcount
                index.execute("DELETE FROM shard WHERE name = ?", (name,))
            self._path(name).unlink(missing_ok=True)
        log.warning(
            "%s %s. Its %d embeddings are computed again when needed.",
            self._path(name),
            reason,
            rows,
        )

    def _forget_rows(self, contents: Sequence[str]) -> None:
        if not contents:
            return
        with (
            _as_cache_error(Sentence(UNCHANGED, folder=self.folder)),
            self._transaction() as index,
        ):
            index.executemany("DELETE FROM embedding WHERE content = ?", [(c,) for c in contents])
        log.warning(
            "%s: %d entries of the index do not fit their embeddings, so it is damaged. "
            "They are computed again.",
            self.folder / "index.db",
            len(contents),
        )

    def _find(self, hashes: Sequence[str]) -> dict[str, list[tuple[str, int, bytes]]]:
        places: dict[str, list[tuple[str, int, bytes]]] = defaultdict(list)
        with (
            _as_cache_error(Sentence(UNREAD, folder=self.folder)),
            self._transaction() as index,
        ):
            for shard, *place in index.execute(FIND, (json.dumps(list(hashes)),)):
                places[shard].append((place[0], place[1], place[2]))
        return places

    def _remove_stale(self) -> None:
        with (
            _as_cache_error(Sentence(UNREAD, folder=self.folder)),
            self._transaction() as index,
        ):
            named = {f"{name}.npy" for (name,) in index.execute("SELECT name FROM shard")}
        before = time.time() - STALE_SECONDS
        for path in (*self.folder.glob("*.npy"), *self.folder.glob("*.part")):
            with contextlib.suppress(OSError):
                if path.name not in named and path.stat().st_mtime < before:
                    path.unlink()

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.npy"

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All of it or nothing, and durable; a connection each, so that any thread may ask."""
        path = self.folder / "index.db"
        index = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        with contextlib.closing(index):
            index.execute("PRAGMA journal_mode = WAL")
            index.execute("PRAGMA synchronous = FULL")
            index.execute("BEGIN IMMEDIATE")
            with index:
                yield index


def remove_older(root: Path, kind: str, current: str) -> None:
    """Take away what an older clipgrip kept of this kind: it is never read again.

    A newer one's stays, and so does what only begins with the same name.
    """
    with contextlib.suppress(OSError):
        for path in root.glob(f"{kind}-v*"):
            version = _version(kind, path.name)
            if version is not None and version < (_version(kind, current) or ()):
                shutil.rmtree(path, ignore_errors=True)


def _version(kind: str, name: str) -> tuple[int, ...] | None:
    """The numbers of ``kind-v1`` or ``kind-v1-2``: of the format, and of the reader of pictures."""
    found = re.fullmatch(rf"{kind}-v(\d+)(?:-(\d+))?", name)
    return None if found is None else tuple(int(number or 0) for number in found.groups())


def default_root() -> Path:
    """The folder in CLIPGRIP_CACHE, or the user's cache folder on this system."""
    if chosen := os.environ.get(ROOT_VARIABLE):
        return Path(from_home(chosen))
    return user_folder("Caches", "XDG_CACHE_HOME", ".cache")


def user_folder(of_mac: str, variable: str, otherwise: str) -> Path:
    """clipgrip's folder among the user's: of macOS's library, of a variable or a folder of the home elsewhere.

    ConfigError: no variable says where, and the system knows no home of this user, as in some containers.
    """
    variable = {"win32": "LOCALAPPDATA", "darwin": ""}.get(sys.platform, variable)
    places = {"win32": "AppData/Local", "darwin": f"Library/{of_mac}"}
    try:
        base = Path(os.environ.get(variable) or Path.home() / places.get(sys.platform, otherwise))
    except RuntimeError:
        raise ConfigError(HOMELESS) from None
    return base / "clipgrip"


def _digest(sha256: str, embed: Float[np.ndarray, " D"]) -> bytes:
    """Of one row: whose it is, and its float16 values as they are stored."""
    return hashlib.sha256(sha256.encode() + embed.astype("<f2").tobytes()).digest()


def what_to_do(error: Exception) -> Sentence:
    """About a folder that cannot be written."""
    full = is_full(error) or getattr(error, "sqlite_errorname", "") == "SQLITE_FULL"
    return Sentence("Make room there" if full else "Look after the disk and its permissions")


@contextlib.contextmanager
def _as_cache_error(what: Sentence) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise CacheError(
            "{what}: {error}. {todo}, or set {root_variable} to another folder. The cache can be "
            "deleted at any time; it is rebuilt.",
            what=what,
            error=error,
            todo=what_to_do(error),
            root_variable=ROOT_VARIABLE,
        ) from error
