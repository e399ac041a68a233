"""Days of a line in an hour: a great many requests, with memory, size of the folder and answer times along the way.

    python -m benchmarks.line.soak BUNDLE                               # --requests 200000 for the figure
    python -m benchmarks.line.soak BUNDLE --requests 200000 --folder DIR   # stopped, the same command goes on

Memory is compared within one process: from a fifth of its looks on.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.line.serving import Client, Serving, metric, percentile, pictures, serving, stored

SOME = 2000


def main() -> None:
    """Measure, print and write down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--keep", type=int, default=10, help="looks along the way")
    parser.add_argument("--folder", type=Path, help="where it is kept, to go on")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as other:
        folder = args.folder or Path(other)
        folder.mkdir(parents=True, exist_ok=True)
        _soak(args, folder)


def _soak(args: argparse.Namespace, folder: Path) -> None:
    """Each look is written down, so that a run that is stopped has a result, too."""
    done, state, files = folder / "looks.json", folder / "line", pictures(SOME, 96)
    looks: list[dict[str, Any]] = json.loads(done.read_text()) if done.is_file() else []
    before = len(looks)
    with serving(args.bundle, state) as service:
        while len(looks) < args.keep:
            look = _look(service, args.requests // args.keep, args.clients, files, state)
            looks.append({"begins": len(looks) == before, **look})
            done.write_text(json.dumps(looks))
            alive = service.process.poll() is None
            stored("soak", {**_facts(looks, looks[before:]), "alive": alive, "looks": looks})


def _facts(looks: list[dict[str, Any]], own: list[dict[str, Any]]) -> dict[str, Any]:
    """``own``: the looks of the present process; each process marks the one that it begins with."""
    statuses = sum((Counter(one["statuses"]) for one in looks), Counter[str]())
    first, last = own[len(own) // 5], own[-1]
    change = round(last["memory_mb"] / first["memory_mb"] - 1, 4)
    return {
        "requests": sum(statuses.values()),
        "statuses": dict(statuses),
        "processes": sum(one["begins"] for one in looks),
        "memory_change": change,
    }


def _look(
    service: Serving, requests: int, clients: int, files: list[bytes], state: Path
) -> dict[str, Any]:
    """So many requests, and how it stands then."""
    began, statuses, seconds = time.monotonic(), Counter[str](), list[float]()
    with ThreadPoolExecutor(clients) as pool:
        parts = [
            pool.submit(_asked, service.port, requests // clients, files) for _ in range(clients)
        ]
        for part in parts:
            counts, times = part.result()
            statuses += counts
            seconds += times
    size = sum(one.stat().st_size for one in state.rglob("*") if one.is_file())
    return {
        "statuses": dict(statuses),
        "images_per_second": round(len(seconds) / (time.monotonic() - began), 1),
        "p95_ms": round(percentile(seconds, 0.95), 1),
        "memory_mb": service.resident >> 20,
        "folder_mb": size >> 20,
        "watched": int(metric(service.port, "clipgrip_line_watch_images_total")),
    }


def _asked(port: int, n: int, files: list[bytes]) -> tuple[Counter[str], list[float]]:
    one, statuses, seconds = Client(port), Counter[str](), []
    for place in range(n):
        began = time.monotonic()
        status, _ = one.predict(files[(place * 7 + id(one)) % len(files)])
        seconds.append(time.monotonic() - began)
        statuses[str(status)] += 1
    return statuses, seconds


if __name__ == "__main__":
    main()
