"""A service in a process of its own, its clients, and what both need: pictures, a bundle, requests by hand.

Every figure is made on the machine that runs the command; where it is a time, both sides of a ratio are of one run.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.record import record

HOST = "127.0.0.1"


def pictures(n: int, side: int = 160) -> list[bytes]:
    """JPEG files of noise that is smooth enough to be a picture; every one another content."""
    numbers = np.random.default_rng(0)
    found = []
    for _ in range(n):
        small = numbers.integers(0, 255, (12, 12, 3), dtype=np.uint8)
        image = Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC)
        out = io.BytesIO()
        image.save(out, "JPEG", quality=90)
        found.append(out.getvalue())
    return found


@dataclass
class Serving:
    """A running service."""

    process: subprocess.Popen[str]
    port: int
    seconds: float
    """From the start of the process to its first answer."""

    @property
    def resident(self) -> int:
        """Bytes of memory."""
        return int(metric(self.port, "clipgrip_line_resident_bytes"))

    @property
    def processor(self) -> float:
        """Seconds of a processor that it has used."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kill(self) -> None:
        """As a power cut."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@contextlib.contextmanager
def serving(bundle: Path, state: Path, *options: str, port: int = 8891) -> Iterator[Serving]:
    """A service that has answered its first image."""
    command = [sys.executable, "-m", "clipgrip_line", "serve", str(bundle), "--state", str(state)]
    began = time.monotonic()
    with subprocess.Popen(
        [*command, "--port", str(port), *options], stdout=subprocess.PIPE, text=True, env=os.environ
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if "answers at" not in line:
                raise RuntimeError(line or "the service did not start")
            status, _ = Client(port).predict(pictures(1)[0])
            assert status == 200
            yield Serving(process, port, time.monotonic() - began)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait(60)


class Client:
    """One connection that is kept open."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.connection = http.client.HTTPConnection(HOST, port, timeout=60)

    def predict(self, data: bytes, request: str = "") -> tuple[int, Any]:
        """Status and document; a connection that is gone raises OSError or HTTPException."""
        headers = {"content-type": "image/jpeg"}
        if request:
            headers["idempotency-key"] = request
        try:
            self.connection.request("POST", "/v1/predict", data, headers)
            response = self.connection.getresponse()
            return response.status, json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError):
            self.connection.close()
            raise


def metric(port: int, name: str) -> float:
    """A series without labels."""
    connection = http.client.HTTPConnection(HOST, port, timeout=60)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return next(
        float(line.split()[-1]) for line in text.splitlines() if line.startswith(name + " ")
    )


def stored(name: str, found: dict[str, Any]) -> None:
    """Print a result with how busy the machine is, and write it down as ``results/line_NAME.json``."""
    facts = {"load_average": round(os.getloadavg()[0], 2), **found}
    print(json.dumps(facts, indent=1))
    print(record(f"line_{name}", facts))


def percentile(seconds: Sequence[float], share: float) -> float:
    """In milliseconds."""
    return float(np.percentile(np.asarray(seconds) * 1000, 100 * share))
