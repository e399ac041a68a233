"""Throughput of the service with 8 clients against the engine alone, and the time of one image on an idle service.

    python -m benchmarks.line.throughput BUNDLE            # --seconds 60 for the figure

The engine alone decodes and answers the same pictures in batches, in this process, without a service around it; it
is measured before and after, and clients run in processes of their own. On a small machine they share its processors
with the service. So two more figures are given: the ratio with the clients' processor time taken out (what the service
would have answered if they ran elsewhere: images / (time - their processor time / processors)), and the processor time
of an image in the engine, in the service and in its client.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.line.serving import Client, Serving, percentile, pictures, serving, stored
from clipgrip_line.model import Model

CLIENTS, BATCH, SOME = 8, 8, 64


@dataclass(frozen=True)
class Pace:
    """Images a second, and milliseconds of a processor for each."""

    rate: float
    processor: float


def engine_alone(bundle: Path, seconds: float, side: int) -> tuple[Pace, float]:
    """In batches; and the median milliseconds of one image alone (decoded and answered)."""
    model, files = Model.open(bundle, check=False), pictures(SOME, side)
    _batches(model, files, 0.5)
    pace = _batches(model, files, seconds)
    alone = []
    for data in files:
        began = time.monotonic()
        model.answer([model.pixels(data)])
        alone.append(time.monotonic() - began)
    return pace, percentile(alone, 0.5)


def _batches(model: Model, files: list[bytes], seconds: float) -> Pace:
    n, began, used = 0, time.monotonic(), time.process_time()
    while time.monotonic() - began < seconds:
        some = [files[(n + k) % SOME] for k in range(BATCH)]
        model.answer([model.pixels(data) for data in some])
        n += BATCH
    return Pace(n / (time.monotonic() - began), 1000 * (time.process_time() - used) / n)


def client(port: int, seconds: float, side: int, begin: Any, results: Any) -> None:
    """Ask as fast as it is answered, from the moment at which all do."""
    files, one, n = pictures(SOME, side), Client(port), 0
    begin.wait()
    used, until = time.process_time(), time.monotonic() + seconds
    while time.monotonic() < until:
        status, _ = one.predict(files[n % SOME])
        assert status == 200, status
        n += 1
    results.put((n, time.process_time() - used))


def with_clients(
    service: Serving, clients: int, seconds: float, side: int
) -> tuple[Pace, float, float]:
    """All clients together; the milliseconds of a processor that an image costs them; images a second without that."""
    context = multiprocessing.get_context("spawn")
    results, begin = context.Queue(), context.Barrier(clients + 1)
    work = [
        context.Process(target=client, args=(service.port, seconds, side, begin, results))
        for _ in range(clients)
    ]
    for one in work:
        one.start()
    begin.wait()
    before, began = service.processor, time.monotonic()
    found = [results.get() for _ in work]
    spent, used = time.monotonic() - began, service.processor - before
    for one in work:
        one.join()
    images, theirs = sum(n for n, _ in found), sum(cpu for _, cpu in found)
    rest = spent - theirs / (os.cpu_count() or 1)
    return Pace(images / spent, 1000 * used / images), 1000 * theirs / images, images / rest


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
    """Measure, print and write down."""
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
        pace, theirs, apart = with_clients(service, args.clients, args.seconds, args.side)
        median, p95 = idle(service.port, args.images, args.side)
        start = service.seconds
    about = Model.open(args.bundle, check=False).info
    after, encode_after = engine_alone(args.bundle, args.seconds, args.side)
    engine, encode = max(before.rate, after.rate), (encode + encode_after) / 2
    facts = {
        "engine_images_per_second": round(engine, 1),
        "service_images_per_second": round(pace.rate, 1),
        "ratio": round(pace.rate / engine, 3),
        "ratio_without_clients": round(apart / engine, 3),
        "processor_ms_of_an_image": {
            "engine": round(min(before.processor, after.processor), 2),
            "service": round(pace.processor, 2),
            "client": round(theirs, 2),
        },
        "clients": args.clients,
        "encode_ms": round(encode, 2),
        "idle_median_ms": round(median, 2),
        "idle_p95_ms": round(p95, 2),
        "idle_p95_ratio": round(p95 / encode, 2),
        "start_to_first_answer_s": round(start, 2),
    }
    stored(f"throughput_{about['backbone']}_{about['precision']}", facts)


if __name__ == "__main__":
    main()
