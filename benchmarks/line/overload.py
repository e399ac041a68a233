"""Twice the capacity for some minutes: no crash, flat memory, every refusal a 429, nothing that was accepted lost.

    python -m benchmarks.line.overload BUNDLE              # --minutes 10 for the figure

Each request has a name; at the end every name that was answered 200 must stand in the folder, once.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sqlite3
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.line.serving import Client, pictures, serving, stored

SOME = 64


def asking(
    port: int, number: int, pace: float, seconds: float, files: list[bytes], results: Any
) -> None:
    """A client that sends at its own pace, whether it is refused or not; an answer that is late delays it."""
    one, statuses, accepted, n = Client(port), Counter[int](), [], 0
    began = time.monotonic()
    while (now := time.monotonic()) - began < seconds:
        due = began + n * pace
        if now < due:
            time.sleep(due - now)
        name = f"c{number}-{n}"
        status, _ = one.predict(files[n % len(files)], name)
        statuses[status] += 1
        if status == 200:
            accepted.append(name)
        n += 1
    results.put((statuses, accepted))


def capacity(port: int, seconds: float, clients: int) -> float:
    """Images a second that are answered when all clients only wait for answers."""
    statuses, _ = load(port, clients, 0.0, seconds)
    return statuses[200] / seconds


def load(port: int, clients: int, pace: float, seconds: float) -> tuple[Counter[int], list[str]]:
    """All clients at once; ``pace``: seconds between two requests of one client."""
    context = multiprocessing.get_context("spawn")
    results: Any = context.Queue()
    files = pictures(SOME)
    work = [
        context.Process(target=asking, args=(port, n, pace, seconds, files, results))
        for n in range(clients)
    ]
    for one in work:
        one.start()
    statuses, accepted = Counter[int](), list[str]()
    for _ in work:
        counts, names = results.get()
        statuses += counts
        accepted += names
    for one in work:
        one.join()
    return statuses, accepted


def main() -> None:
    """Measure, print and write down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--minutes", type=float, default=0.3)
    parser.add_argument("--clients", type=int, default=24)
    parser.add_argument("--times", type=float, default=2.0, help="of the capacity")
    parser.add_argument("--queue", type=int, default=8)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "line"
        with serving(args.bundle, state, "--queue", str(args.queue)) as service:
            rate = capacity(service.port, 5.0, 4)
            pace = args.clients / (args.times * rate)
            load(service.port, args.clients, pace, 5.0)  # warm: what the first overload takes stays
            _forget(state)
            before = service.resident
            statuses, accepted = load(service.port, args.clients, pace, args.minutes * 60)
            after, alive = service.resident, service.process.poll() is None
        kept = _kept(state)
    facts = {
        "capacity_images_per_second": round(rate, 1),
        "minutes": args.minutes,
        "asked": sum(statuses.values()),
        "statuses": dict(statuses),
        "alive": alive,
        "memory_mb": [before >> 20, after >> 20],
        "memory_change": round(after / before - 1, 4),
        "accepted": len(accepted),
        "accepted_but_lost": len(set(accepted) - set(kept)),
        "kept_twice": sum(n > 1 for n in Counter(kept).values()),
    }
    stored("overload", facts)


def _forget(state: Path) -> None:
    """Names of the warm-up would be known to the clients that follow."""
    with sqlite3.connect(state / "line.db", timeout=30) as db:
        db.execute("UPDATE answer SET request = ''")
    db.close()


def _kept(state: Path) -> list[str]:
    db = sqlite3.connect(state / "line.db")
    rows = db.execute("SELECT request FROM answer WHERE request <> ''").fetchall()
    db.close()
    return [name for (name,) in rows]


if __name__ == "__main__":
    main()
