"""Pictures kept for the next round: those the model doubts, others at random; the oldest go first."""

from __future__ import annotations

import bisect
import contextlib
import hashlib
import json
import os
import re
import sqlite3
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from clipgrip_line.files import openable, sweep, write_bytes_atomic
from clipgrip_line.folder.item import Item, renewed
from clipgrip_line.folder.originals import Originals
from clipgrip_line.folder.outlet import Refused, Trouble
from clipgrip_line.folder.portable import portable

Why = Literal["doubtful", "random"]
WHYS: tuple[Why, ...] = ("doubtful", "random")
FOLDER, NAME = "samples", "samples.db"
"""The folder below --out, and the list in it."""
RECENT, FEWEST = 1000, 20
OWN = re.compile(r"[0-9a-f]{12}-")
SCHEMA = """
CREATE TABLE IF NOT EXISTS samples(
  number INTEGER PRIMARY KEY AUTOINCREMENT, image TEXT UNIQUE NOT NULL, file TEXT NOT NULL,
  why TEXT NOT NULL, bytes INTEGER NOT NULL, document TEXT NOT NULL, collected INTEGER NOT NULL DEFAULT 0)
"""


@dataclass(frozen=True)
class Sample:
    """One picture of the store with its answer."""

    number: int
    image: str
    file: str
    why: Why
    size: int
    document: Mapping[str, Any] = field(repr=False)
    collected: bool


def is_drawn(image: str, rate: float) -> bool:
    """Whether chance takes this content: the same content always, whatever its name, and each equally often."""
    drawn = hashlib.sha256(b"kept " + image.encode()).digest()[:8]
    return int.from_bytes(drawn, "big") < rate * 2.0**64


class Samples:
    """The store in one folder; what watches a folder and what serves requests may use it alike."""

    def __init__(self, folder: Path, budget: int, rate: float = 0.05, share: float = 0.5) -> None:
        """``budget`` bytes, of which ``share`` is for the random ones; ``rate`` of all are taken as each kind.

        Raises:
            OSError, sqlite3.Error: the folder cannot be used.
        """
        self.folder, self.rate = folder, rate
        self.budgets: dict[Why, float] = {
            "doubtful": budget * (1 - share),
            "random": budget * share,
        }
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._recent: deque[float] = deque(maxlen=RECENT)
        self._sorted: list[float] = []
        """The same, the least sure first."""
        self._db = sqlite3.connect(folder / NAME, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=TRUNCATE")
        self._db.execute("PRAGMA busy_timeout=5000")
        self._db.execute(SCHEMA)

    def close(self) -> None:
        """No more is kept."""
        self._db.close()

    def why(self, image: str, confidence: float) -> Why | None:
        """Whether to keep a picture: drawn by chance, or among the least confident of late."""
        known = len(self._sorted)
        least = min(int(self.rate * known), known - 1)
        doubtful = known >= FEWEST and confidence < self._sorted[least]
        if known == RECENT:
            del self._sorted[bisect.bisect_left(self._sorted, self._recent[0])]
        self._recent.append(confidence)
        bisect.insort(self._sorted, confidence)
        if is_drawn(image, self.rate):
            return "random"
        return "doubtful" if doubtful else None

    def keep(self, why: Why, name: str, data: bytes, document: Mapping[str, Any]) -> None:
        """Store a picture and make room for it; one that is there already stays as it is.

        Raises:
            OSError, sqlite3.Error: it could not be stored.
        """
        image = str(document["image_id"])
        if len(data) > self.budgets[why]:
            return
        with self._lock:
            if self._db.execute("SELECT 1 FROM samples WHERE image=?", (image,)).fetchone():
                return
            self._make_room(why, len(data))
            stem, ending = os.path.splitext(portable(name))
            file = f"{image[:12]}-{stem[:40]}{ending}"
            write_bytes_atomic(self.folder / file, data)
            self._db.execute(
                "INSERT INTO samples(image, file, why, bytes, document) VALUES(?,?,?,?,?)",
                (image, file, why, len(data), json.dumps(document, ensure_ascii=False)),
            )

    def images(self) -> list[Sample]:
        """All of them, the oldest first."""
        rows = self._db.execute(
            "SELECT number, image, file, why, bytes, document, collected FROM samples ORDER BY number"
        )
        return [_image(row) for row in rows]

    def read(self, one: Sample) -> bytes | None:
        """Its bytes; None where the file is gone or no longer what was kept."""
        try:
            data = (self.folder / one.file).read_bytes()
        except FileNotFoundError:
            return None
        return data if hashlib.sha256(data).hexdigest() == one.image else None

    def collected(self, images: Sequence[Sample]) -> None:
        """Say that these were carried away: they are the first to make room."""
        with self._lock, self._step():
            self._db.executemany(
                "UPDATE samples SET collected=1 WHERE number=?", [(one.number,) for one in images]
            )

    def size(self) -> int:
        """Bytes kept."""
        return int(self._db.execute("SELECT coalesce(sum(bytes), 0) FROM samples").fetchone()[0])

    def _make_room(self, why: Why, more: int) -> None:
        used = self._db.execute(
            "SELECT coalesce(sum(bytes), 0) FROM samples WHERE why=?", (why,)
        ).fetchone()[0]
        while used + more > self.budgets[why]:
            number, file, size = self._db.execute(
                "SELECT number, file, bytes FROM samples WHERE why=? ORDER BY collected DESC, number LIMIT 1",
                (why,),
            ).fetchone()
            self._db.execute("DELETE FROM samples WHERE number=?", (number,))
            with contextlib.suppress(FileNotFoundError):
                os.unlink(openable(self.folder / file))
            used -= size

    def tidy(self) -> None:
        """Take away files that a kill left without their line; for the one process that keeps."""
        sweep(self.folder)
        known = {row[0] for row in self._db.execute("SELECT file FROM samples")}
        for path in self.folder.iterdir():
            if OWN.match(path.name) and path.name not in known:
                path.unlink()

    @contextmanager
    def _step(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise


class Sampling:
    """The store as an outlet of the watched folder."""

    name = "samples"
    at_once = 1

    def __init__(self, store: Samples, originals: Originals) -> None:
        self._store, self._originals = store, originals

    def deliver(self, items: Sequence[Item]) -> None:
        """Keep those that are worth it. What cannot be kept is left out: a full disk is for answers."""
        for item in items:
            why = self._store.why(item.image, float(item.content["confidence"]))
            if why is not None:
                name = item.path.rpartition("/")[2]
                with contextlib.suppress(Refused, Trouble, OSError, sqlite3.Error):
                    self._store.keep(why, name, self._originals.read(item), item.document())


def _image(row: Sequence[Any]) -> Sample:
    number, image, file, why, size, document, collected = row
    return Sample(number, image, file, why, size, renewed(json.loads(document)), bool(collected))
