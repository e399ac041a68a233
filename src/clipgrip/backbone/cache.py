"""Image embeddings on disk, under a key of everything that determines them.

There is a folder for each combination of backbone, preprocessing, precision and format. It holds one database with a
row for each image: its content hash, its embedding in float16, and a digest over both. A row whose digest does not fit
is computed again. SQLite's write-ahead log needs a local disk: the folder must not lie on a network share.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
import shutil
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from clipgrip.backbone.base import Eye
from clipgrip.data.images import READING
from clipgrip.errors import CacheError, ConfigError
from clipgrip.files import from_home, is_full
from clipgrip.sentences import Sentence, mark

FORMAT = 3
"""Version of the format. 1 had no digests and could hold rows of files that changed while they were read; 2 had shards
in the place of a database."""
FOLDER = f"embeddings-v{FORMAT}-{READING}"
NAME = "embeddings.db"
ROOT_VARIABLE = "CLIPGRIP_CACHE"
HOMELESS = mark("this user has no home folder. Set HOME, or CLIPGRIP_CACHE and CLIPGRIP_MODELS.")
MAX_ROWS = 8192
"""The most rows of one transaction."""
BUSY_SECONDS = 60.0
"""How long one process waits for another one's transaction."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS embedding (content TEXT NOT NULL UNIQUE, vector BLOB NOT NULL, digest BLOB NOT NULL)
"""
FIND = """
SELECT value, coalesce(CAST(vector AS BLOB), x''), CAST(digest AS BLOB)
FROM json_each(?) JOIN embedding ON content = value
"""
"""Casts, as a flipped bit may change a value's type; the hash that was asked for is returned, not the row's own."""

log = logging.getLogger(__name__)
_warned: set[str] = set()


class CachedEmbeds(NamedTuple):
    """The rows of the cache for the hashes that were asked for."""

    embeds: Float[np.ndarray, "N D"]
    """float32, one row per hash; zeros where it is missing."""
    missing: np.ndarray
    """(N,) bool."""


class EmbeddingCache:
    """Content hash -> embedding, for one backbone; safe for threads and for several processes at once."""

    def __init__(self, root: Path, key: str, width: int) -> None:
        """Open or create the cache for a `base.Eye.image_key` and embeddings of ``width`` D."""
        self.folder = Path(root) / FOLDER / key
        self.width = width
        with self._transaction(mark("The cache folder {folder} cannot be used")) as db:
            db.execute(SCHEMA)
        remove_older(Path(root), "embeddings", FOLDER)

    @classmethod
    def for_backbone(cls, backbone: Eye, root: Path | None = None) -> EmbeddingCache:
        """The cache of a backbone's image embeddings under ``root`` or the user's cache folder."""
        return cls(root or default_root(), backbone.image_key, backbone.embed_dim)

    def get(
        self, hashes: Sequence[str], into: Float[np.ndarray, "N D"] | None = None
    ) -> CachedEmbeds:
        """The stored embeddings of ``hashes``. ``into`` is an array of zeros for them; it needs distinct hashes.

        Each row is compared with its digest. A damaged row is deleted with a warning in the log and reported missing,
        so that it is computed again.
        """
        row_of = {sha256: row for row, sha256 in enumerate(dict.fromkeys(hashes))}
        if len(row_of) < len(hashes):
            once, rows = self.get(list(row_of)), [row_of[sha256] for sha256 in hashes]
            return CachedEmbeds(once.embeds[rows], once.missing[rows])
        embeds = np.zeros((len(hashes), self.width), np.float32) if into is None else into
        found = CachedEmbeds(embeds, np.ones(len(hashes), np.bool_))
        for start in range(0, len(hashes), MAX_ROWS):
            part, wrong = json.dumps(list(hashes[start : start + MAX_ROWS])), list[str]()
            with self._transaction(mark("The cache in {folder} cannot be read")) as db:
                for content, vector, digest in db.execute(FIND, (part,)):
                    if _digest(content, vector) == digest and len(vector) == 2 * self.width:
                        found.embeds[row_of[content]] = np.frombuffer(vector, "<f2")
                        found.missing[row_of[content]] = False
                    else:
                        wrong.append(content)
                self._forget(db, wrong)
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
            vectors = map(bytes, embeds[start : start + MAX_ROWS].astype("<f2"))
            pairs = zip(hashes[start : start + MAX_ROWS], vectors, strict=True)
            with self._transaction(
                mark("Embeddings cannot be written to {folder}; what was stored before is kept")
            ) as db:
                db.executemany(
                    "INSERT OR IGNORE INTO embedding VALUES (?, ?, ?)",
                    ((content, vector, _digest(content, vector)) for content, vector in pairs),
                )

    def _forget(self, db: sqlite3.Connection, contents: Sequence[str]) -> None:
        if not contents:
            return
        db.executemany("DELETE FROM embedding WHERE content = ?", [(one,) for one in contents])
        log.warning(
            "%s: %d embeddings do not fit their digests, so it is damaged. They are computed again.",
            self.folder / NAME,
            len(contents),
        )

    @contextlib.contextmanager
    def _transaction(self, failed: str) -> Iterator[sqlite3.Connection]:
        """A durable transaction on a connection of its own, so that any thread may use the cache.

        CacheError: SQLite or the system refused; the error begins with ``failed``.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            path = self.folder / NAME
            with contextlib.closing(
                sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
            ) as db:
                db.execute(
                    "PRAGMA page_size = 16384"
                )  # rows of kilobytes waste a part of smaller pages
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = FULL")
                db.execute("BEGIN IMMEDIATE")
                with db:
                    yield db
        # sqlite3 cannot decode its own message about a damaged schema: UnicodeDecodeError
        except (OSError, sqlite3.Error, UnicodeDecodeError) as error:
            raise CacheError(
                "{what}: {error}. {todo}, or set {root_variable} to another folder. The cache can be "
                "deleted at any time; it is rebuilt.",
                what=Sentence(failed, folder=self.folder),
                error=error,
                todo=what_to_do(error),
                root_variable=ROOT_VARIABLE,
            ) from error


class OptionalCache(EmbeddingCache):
    """A cache that may fail: once it cannot be used, it finds and stores nothing, and the log says so once."""

    def get(
        self, hashes: Sequence[str], into: Float[np.ndarray, "N D"] | None = None
    ) -> CachedEmbeds:
        """As `EmbeddingCache.get`; all missing where the database cannot be read."""
        try:
            return super().get(hashes, into)
        except CacheError as error:
            _warn_once(self.folder, error)
        embeds = np.zeros((len(hashes), self.width), np.float32) if into is None else into
        return CachedEmbeds(embeds, np.ones(len(hashes), np.bool_))

    def put(self, hashes: Sequence[str], embeds: Float[np.ndarray, "N D"]) -> None:
        """As `EmbeddingCache.put`, but without an error where the disk refuses."""
        if str(self.folder) in _warned:
            return
        try:
            super().put(hashes, embeds)
        except CacheError as error:
            if error.__cause__ is None:  # the rows are wrong, not the disk
                raise
            _warn_once(self.folder, error)


def cache_for(key: str, width: int) -> EmbeddingCache | None:
    """The cache in the user's folder for an `image_key` and width D; None where the folder cannot be used."""
    root = default_root()
    try:
        return OptionalCache(root, key, width)
    except CacheError as error:
        _warn_once(root, error)
        return None


def _warn_once(folder: Path, error: CacheError) -> None:
    if str(folder) not in _warned:
        _warned.add(str(folder))
        log.warning(
            "%s Until then the work goes on without it, and each image is encoded anew.", error
        )


def remove_older(root: Path, kind: str, current: str) -> None:
    """Delete the folders ``kind-v*`` of older versions, which nothing reads any more.

    Folders of newer versions stay, and so do others that only begin with the same name.
    """
    with contextlib.suppress(OSError):
        for path in root.glob(f"{kind}-v*"):
            version = _version(kind, path.name)
            if version is not None and version < (_version(kind, current) or ()):
                shutil.rmtree(path, ignore_errors=True)


def _version(kind: str, name: str) -> tuple[int, ...] | None:
    """Versions in ``kind-v1`` or ``kind-v1-2``: of the format, and of the code that decodes images."""
    found = re.fullmatch(rf"{kind}-v(\d+)(?:-(\d+))?", name)
    return None if found is None else tuple(int(number or 0) for number in found.groups())


def default_root() -> Path:
    """The folder in CLIPGRIP_CACHE, or the user's cache folder on this system."""
    if chosen := os.environ.get(ROOT_VARIABLE):
        return Path(from_home(chosen))
    return user_folder("Caches", "XDG_CACHE_HOME", ".cache")


def user_folder(of_mac: str, variable: str, otherwise: str) -> Path:
    """clipgrip's own folder in the user's: in ~/Library/``of_mac`` on macOS, else by ``variable`` or ~/``otherwise``.

    ConfigError: no variable is set and the user has no home folder, as in some containers.
    """
    variable = {"win32": "LOCALAPPDATA", "darwin": ""}.get(sys.platform, variable)
    places = {"win32": "AppData/Local", "darwin": f"Library/{of_mac}"}
    try:
        base = Path(os.environ.get(variable) or Path.home() / places.get(sys.platform, otherwise))
    except RuntimeError:
        raise ConfigError(HOMELESS) from None
    return base / "clipgrip"


def _digest(sha256: str, vector: bytes) -> bytes:
    """Digest of a row: SHA-256 over the content hash and the stored vector."""
    return hashlib.sha256(sha256.encode() + vector).digest()


def what_to_do(error: Exception) -> Sentence:
    """Advice for a folder that cannot be written."""
    full = is_full(error) or getattr(error, "sqlite_errorname", "") == "SQLITE_FULL"
    return Sentence("Make room there" if full else "Look after the disk and its permissions")
