"""kill -9 of the service under load, again and again: nothing that was acknowledged is lost, nothing stands twice.

    python -m benchmarks.line.killed BUNDLE                # --kills 100 for the figure

Clients send each request under a name until it is acknowledged, over the cut and the new start.
"""

from __future__ import annotations

import argparse
import http.client
import random
import sqlite3
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from benchmarks.line.serving import Client, pictures, serving, stored

SOME = 64


class Asking(threading.Thread):
    """A client that never gives a request up."""

    def __init__(self, port: int, number: int, files: list[bytes]) -> None:
        super().__init__(daemon=True)
        self.port, self.number, self.files = port, number, files
        self.acknowledged: dict[str, int] = {}
        """Request -> the number of its answer."""
        self.changed = 0
        """Requests that were acknowledged again, under another number."""
        self.stopped = threading.Event()

    def run(self) -> None:
        """Until it is stopped."""
        n = 0
        while not self.stopped.is_set():
            self._send(f"c{self.number}-{n}", self.files[n % len(self.files)])
            n += 1

    def _send(self, name: str, data: bytes) -> None:
        while not self.stopped.is_set():
            try:
                status, document = Client(self.port).predict(data, name)
            except (OSError, http.client.HTTPException, ValueError):
                time.sleep(0.02)
                continue
            if status == 200:
                self.acknowledged[name] = document["answers"][0]["number"]
                return
            time.sleep(0.02)


def main() -> None:
    """Measure, print and write down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--clients", type=int, default=4)
    args = parser.parse_args()
    chance, files = random.Random(0), pictures(SOME)
    clients = [Asking(8891, n, files) for n in range(args.clients)]
    starts = []
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "line"
        for place in range(args.kills + 1):
            with serving(args.bundle, state, "--no-check") as service:
                starts.append(service.seconds)
                if place == 0:
                    for one in clients:
                        one.start()
                time.sleep(chance.uniform(0.05, 1.0))
                if place < args.kills:
                    service.kill()
                else:
                    for one in clients:
                        one.stopped.set()
                    for one in clients:
                        one.join(60)
        kept, sound = _kept(state)
    acknowledged = {name: n for one in clients for name, n in one.acknowledged.items()}
    numbers = dict(kept)
    facts = {
        "kills": args.kills,
        "acknowledged": len(acknowledged),
        "kept": len(kept),
        "acknowledged_but_lost": sum(numbers.get(name) != n for name, n in acknowledged.items()),
        "kept_twice": sum(n > 1 for n in Counter(name for name, _ in kept).values()),
        "counted": sound[1],
        "database": sound[0],
        "slowest_start_s": round(max(starts), 2),
    }
    stored("killed", facts)


def _kept(state: Path) -> tuple[list[tuple[str, int]], tuple[str, bool]]:
    """Names with the numbers of their answers; whether the file is sound, and counters agree with answers."""
    db = sqlite3.connect(state / "line.db")
    kept = db.execute("SELECT request, number FROM answer WHERE request <> ''").fetchall()
    (sound,) = db.execute("PRAGMA integrity_check").fetchone()
    (tally,), (answers,) = (
        db.execute(query).fetchone()
        for query in ("SELECT coalesce(sum(n), 0) FROM tally", "SELECT count(*) FROM answer")
    )
    db.close()
    return kept, (sound, tally == answers)


if __name__ == "__main__":
    main()
