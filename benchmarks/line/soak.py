"""Days of a line in an hour: a great many requests, with memory, size of the folder and answer times along the way.

python -m benchmarks.line.soak BUNDLE                  # --requests 200000 for the figure
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.line.serving import Client, metric, percentile, pictures, serving

SOME = 2000


def main() -> None:
    """Print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--keep", type=int, default=10, help="looks along the way")
    args = parser.parse_args()
    files, statuses, looks = pictures(SOME, 96), Counter[int](), []
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "line"
        with serving(args.bundle, state) as service:
            each = args.requests // args.keep
            for _ in range(args.keep):
                began = time.monotonic()
                with ThreadPoolExecutor(args.clients) as pool:
                    share = each // args.clients
                    parts = [
                        pool.submit(_asked, service.port, share, files) for _ in range(args.clients)
                    ]
                    seconds: list[float] = []
                    for part in parts:
                        counts, times = part.result()
                        statuses += counts
                        seconds += times
                looks.append(
                    {
                        "images_per_second": round(len(seconds) / (time.monotonic() - began), 1),
                        "p95_ms": round(percentile(seconds, 0.95), 1),
                        "memory_mb": service.resident >> 20,
                        "folder_mb": sum(
                            one.stat().st_size for one in state.rglob("*") if one.is_file()
                        )
                        >> 20,
                        "watched": int(metric(service.port, "clipgrip_line_watch_images_total")),
                    }
                )
            alive = service.process.poll() is None
    first, last = looks[len(looks) // 5], looks[-1]
    change = round(last["memory_mb"] / first["memory_mb"] - 1, 4)
    facts = {"statuses": dict(statuses), "alive": alive, "memory_change": change, "looks": looks}
    print(json.dumps(facts, indent=1))


def _asked(port: int, n: int, files: list[bytes]) -> tuple[Counter[int], list[float]]:
    one, statuses, seconds = Client(port), Counter[int](), []
    for place in range(n):
        began = time.monotonic()
        status, _ = one.predict(files[(place * 7 + id(one)) % len(files)])
        seconds.append(time.monotonic() - began)
        statuses[status] += 1
    return statuses, seconds


if __name__ == "__main__":
    main()
