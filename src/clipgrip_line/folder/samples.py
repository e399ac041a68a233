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
from typing import Any, Literal, NamedTuple

from clipgrip_line.causes import cause
from clipgrip_line.errors import LineError
from clipgrip_line.files import openable, sweep
from clipgrip_line.folder.item import Item, portable, renewed
from clipgrip_line.folder.originals import Originals
from clipgrip_line.folder.outlet import Refused, Trouble

Why = Literal["doubtful", "random"]
WHYS: tuple[Why, ...] = ("doubtful", "random")
FOLDER, NAME = "samples", "samples.db"
"""The folder below --out, and the list in it."""
RECENT, FEWEST = 1000, 20
OWN = re.compile(r"[0-9a-f]{12}-")
SCHEMA = """
CREATE TABLE IF NOT EXISTS samples(
  number INTEGER PRIMARY KEY AUTOINCREMENT, image TEXT UNIQUE NOT NULL, file TEXT NOT NULL,
  why TEXT NOT NULL, bytes INTEGER NOT NULL, document TEXT NOT NULL, collected INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS samples_leaving ON samples(why, collected DESC, number);
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


class SamplePicture(NamedTuple):
    """A picture to be stored: why, under which name, its bytes, and its answer."""

    why: Why
    name: str
    data: bytes
    document: Mapping[str, Any]


def is_drawn(image: str, rate: float) -> bool:
    """Whether chance takes this content: the same content always, whatever its name, and each equally often."""
    drawn = hashlib.sha256(b"kept " + image.encode()).digest()[:8]
    return int.from_bytes(drawn, "big") < rate * 2.0**64


def unusable(folder: Path, error: sqlite3.Error) -> LineError:
    """Where the database refuses."""
    return LineError(
        "the list of kept pictures in {folder} cannot be used: {reason}. If it is damaged, move that folder away to "
        "begin a new one.",
        folder=folder,
        reason=cause(error),
    )


class Samples:
    """The store in one folder; what watches a folder and what serves requests may use it alike."""

    def __init__(self, folder: Path, budget: int, rate: float = 0.05, share: float = 0.5) -> None:
        """``budget`` bytes, of which ``share`` is for the random ones; ``rate`` of all are taken as each kind.

        OSError, LineError: the folder cannot be used.
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
        try:
            self._db.execute("PRAGMA journal_mode=TRUNCATE")
            self._db.execute("PRAGMA busy_timeout=5000")
            self._db.executescript(SCHEMA)
        except sqlite3.Error as error:
            self._db.close()
            raise unusable(folder, error) from None
        self._gone: list[str] = []
        """Files that make room, once that is written down."""
        self._used: dict[Why, int] = {}
        """Bytes of each kind: counted once, as only this process adds to them or takes away."""

    def close(self) -> None:
        """No more is kept."""
        self._db.close()

    def why(self, image: str, confidence: float) -> Why | None:
        """Whether to keep a picture: drawn by chance, or among the least confident of late."""
        known = len(self._sorted)
        no_surer = bisect.bisect_right(self._sorted, confidence)
        doubtful = known >= FEWEST and no_surer <= int(self.rate * known)
        if known == RECENT:
            del self._sorted[bisect.bisect_left(self._sorted, self._recent[0])]
        self._recent.append(confidence)
        bisect.insort(self._sorted, confidence)
        if is_drawn(image, self.rate):
            return "random"
        return "doubtful" if doubtful else None

    def keep(self, pictures: Sequence[SamplePicture]) -> None:
        """Store pictures together and make room for them; one that is there already stays as it is.

        Files are not waited for: after a power cut one may be damaged, which `read` tells by its hash.

        Raises:
            OSError, sqlite3.Error: they could not be stored, and none is.
        """
        written: list[Path] = []
        with self._lock:
            try:
                with self._step():
                    for one in pictures:
                        self._keep(one, written)
            except BaseException:
                for path in written:
                    path.unlink(missing_ok=True)
                raise
            for file in self._gone:
                with contextlib.suppress(OSError):  # what stays is taken away by `tidy`
                    os.unlink(openable(self.folder / file))

    def _keep(self, one: SamplePicture, written: list[Path]) -> None:
        image, size = str(one.document["image_id"]), len(one.data)
        known = self._db.execute("SELECT 1 FROM samples WHERE image=?", (image,)).fetchone()
        if known or size > self.budgets[one.why]:
            return
        self._make_room(one.why, size)
        stem, ending = os.path.splitext(portable(one.name))
        file = f"{image[:12]}-{stem[:40]}{ending}"
        written.append(self.folder / file)
        with open(openable(self.folder / file), "wb") as out:
            out.write(one.data)
        self._db.execute(
            "INSERT INTO samples(image, file, why, bytes, document) VALUES(?,?,?,?,?)",
            (image, file, one.why, size, json.dumps(one.document, ensure_ascii=False)),
        )
        self._used[one.why] += size
        if file in self._gone:  # it made room, and is here again
            self._gone.remove(file)

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
        while self._used[why] + more > self.budgets[why]:
            number, file, size = self._db.execute(
                "SELECT number, file, bytes FROM samples WHERE why=? ORDER BY collected DESC, number LIMIT 1",
                (why,),
            ).fetchone()
            self._db.execute("DELETE FROM samples WHERE number=?", (number,))
            self._gone.append(file)
            self._used[why] -= size

    def tidy(self) -> None:
        """Take away files that a kill left without their line; for the one process that keeps."""
        sweep(self.folder)
        known = {row[0] for row in self._db.execute("SELECT file FROM samples")}
        for path in self.folder.iterdir():
            if OWN.match(path.name) and path.name not in known:
                with contextlib.suppress(OSError):  # one that cannot go holds up no line
                    path.unlink()

    @contextmanager
    def _step(self) -> Iterator[None]:
        """All of it or nothing."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._gone.clear()
            self._used = self._used or self._counted()
            yield
            self._db.execute("COMMIT")
        except BaseException:
            self._used = {}
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _counted(self) -> dict[Why, int]:
        query = "SELECT coalesce(sum(bytes), 0) FROM samples WHERE why=?"
        return {why: self._db.execute(query, (why,)).fetchone()[0] for why in WHYS}


class SamplesOutlet:
    """The store as an outlet of the watched folder."""

    name = "samples"
    at_once = 16

    def __init__(self, store: Samples, originals: Originals) -> None:
        self._store, self._originals = store, originals

    def deliver(self, items: Sequence[Item]) -> None:
        """Keep those that are worth it. What cannot be kept is left out: a full disk is for answers."""
        found: list[SamplePicture] = []
        for item in items:
            why = self._store.why(item.image, float(item.content["confidence"]))
            if why is not None:
                with contextlib.suppress(Refused, Trouble, OSError):
                    name, data = item.path.rpartition("/")[2], self._originals.read(item)
                    found.append(SamplePicture(why, name, data, item.document()))
        if found:
            with contextlib.suppress(OSError, sqlite3.Error):
                self._store.keep(found)


def _image(row: Sequence[Any]) -> Sample:
    number, image, file, why, size, document, collected = row
    return Sample(number, image, file, why, size, renewed(json.loads(document)), bool(collected))
