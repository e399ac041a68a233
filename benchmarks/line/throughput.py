"""Throughput of the service with 8 clients against the engine alone, and the time of one image on an idle service.

    python -m benchmarks.line.throughput BUNDLE            # --seconds 60 for the figure

The engine alone decodes and answers the same pictures in batches, in this process, without a service around it; it
is measured before and after, and clients run in processes of their own. On two cores they share them with the service,
so the ratio is a lower bound of what clients on another machine see.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.line.serving import Client, percentile, pictures, serving
from clipgrip_line.model import Model

CLIENTS, BATCH, SOME = 8, 8, 64


def engine_alone(bundle: Path, seconds: float, side: int) -> tuple[float, float]:
    """Images a second in batches, and the median seconds of one image alone (decoded and answered)."""
    model, files = Model.open(bundle, check=False), pictures(SOME, side)
    _batches(model, files, 0.5)
    rate = _batches(model, files, seconds)
    alone = []
    for data in files:
        began = time.monotonic()
        model.answer([model.pixels(data)])
        alone.append(time.monotonic() - began)
    return rate, percentile(alone, 0.5)


def _batches(model: Model, files: list[bytes], seconds: float) -> float:
    n, began = 0, time.monotonic()
    while time.monotonic() - began < seconds:
        some = [files[(n + k) % SOME] for k in range(BATCH)]
        model.answer([model.pixels(data) for data in some])
        n += BATCH
    return n / (time.monotonic() - began)


def client(port: int, seconds: float, side: int, results: Any) -> None:
    """Ask as fast as it is answered."""
    files, one, n = pictures(SOME, side), Client(port), 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        status, _ = one.predict(files[n % SOME])
        assert status == 200, status
        n += 1
    results.put(n)


def with_clients(port: int, clients: int, seconds: float, side: int) -> float:
    """Images a second of all clients together."""
    context = multiprocessing.get_context("spawn")
    results: Any = context.Queue()
    work = [
        context.Process(target=client, args=(port, seconds, side, results)) for _ in range(clients)
    ]
    for one in work:
        one.start()
    total = sum(results.get() for _ in work)
    for one in work:
        one.join()
    return total / seconds


def idle(port: int, n: int, side: int) -> tuple[float, float]:
    """Median and 95th percentile in milliseconds of single images with pauses between."""
    one, found = Client(port), []
    for data in pictures(n, side):
        began = time.monotonic()
        one.predict(data)
        found.append(time.monotonic() - began)
        time.sleep(0.01)
    return percentile(found, 0.5), percentile(found, 0.95)


def main() -> None:
    """Print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--images", type=int, default=100, help="of the idle measurement")
    parser.add_argument("--side", type=int, default=160, help="pixels of a picture")
    args = parser.parse_args()
    before, encode = engine_alone(args.bundle, args.seconds, args.side)
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(args.bundle, Path(folder) / "line") as service,
    ):
        rate = with_clients(service.port, args.clients, args.seconds, args.side)
        median, p95 = idle(service.port, args.images, args.side)
        start = service.seconds
    after, encode_after = engine_alone(args.bundle, args.seconds, args.side)
    engine, encode = max(before, after), (encode + encode_after) / 2
    print(
        json.dumps(
            {
                "engine_images_per_second": round(engine, 1),
                "service_images_per_second": round(rate, 1),
                "ratio": round(rate / engine, 3),
                "clients": args.clients,
                "encode_ms": round(encode, 2),
                "idle_median_ms": round(median, 2),
                "idle_p95_ms": round(p95, 2),
                "idle_p95_ratio": round(p95 / encode, 2),
                "start_to_first_answer_s": round(start, 2),
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
