"""A review that is served by a process of its own, for measuring it from outside."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from clipgrip.backbone.cache import EmbeddingCache
from clipgrip.backbone.registry import load_backbone
from clipgrip.config import Settings, project
from clipgrip.data.classes import ClassNames
from clipgrip.data.manifest import FileSource, Manifest, Row
from clipgrip.data.rows import Rows
from clipgrip.runs.events import Listener
from clipgrip.runs.pipeline import carry_out, run

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
CLASSES = ("scratch", "dent", "good part", "steel")


@dataclass
class Served:
    """``clipgrip review``; the port stays the same after a restart."""

    folder: Path
    port: int = 0
    process: subprocess.Popen[str] | None = None

    @property
    def address(self) -> str:
        """Where browsers go."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> float:
        """Seconds until the link was printed."""
        began = time.perf_counter()
        words = [sys.executable, "-m", "clipgrip", "review", str(self.folder), "--no-browser"]
        self.process = subprocess.Popen(
            [*words, "--port", str(self.port)], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if found := re.search(r"http://127\.0\.0\.1:(\d+)/", line):
                self.port = int(found[1])
                return time.perf_counter() - began
        raise SystemExit("the review did not start")

    def kill(self) -> None:
        """As a power cut."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def memory(self) -> int:
        """Resident MB; 0 where the system does not say."""
        assert self.process is not None
        try:
            told = Path(f"/proc/{self.process.pid}/status").read_text()
        except OSError:
            return 0
        found = re.search(r"VmRSS:\s+(\d+) kB", told)
        return int(found[1]) // 1024 if found else 0

    def processor(self) -> float:
        """Seconds of the processor until now; 0 where the system does not say."""
        assert self.process is not None
        try:
            told = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")

    def stored(self) -> list[str]:
        """The tokens in review.db."""
        with closing(sqlite3.connect(self.folder / "review.db")) as db:
            return [token for (token,) in db.execute("SELECT token FROM answer")]


def photographs(folder: Path, paths: Sequence[Path], names: Sequence[str]) -> Path:
    """A zero-shot run of the small model on copies of pictures that lie somewhere."""
    images = folder / "images"
    images.mkdir(parents=True)
    for number, path in enumerate(paths):
        shutil.copyfile(path, images / f"{number:04d}{path.suffix}")
    (folder / "classes.txt").write_text("\n".join(names) + "\n")
    options = {"images": images, "classes": folder / "classes.txt", "out": folder / "run"}
    run(project({**options, "strategy": "zero-shot"}))
    return folder / "run"


def synthetic(folder: Path, count: int, pictures: int = 200, seed: int = 0) -> Path:
    """A run of ``count`` images whose embeddings are random clusters; as files they share a few small pictures."""
    rng = np.random.default_rng(seed)
    images = folder / "images"
    images.mkdir(parents=True)
    for number in range(pictures):
        noise = rng.integers(0, 255, (48, 64, 3), np.uint8)
        Image.fromarray(noise).save(images / f"{number:03d}.png")
    hashes = [hashlib.sha256(f"{seed} {number}".encode()).hexdigest() for number in range(count)]
    rows = Rows.of(
        Row(
            sha256,
            (f"line {n % 40}/part {n:06d}.png",),
            -1,
            "pool",
            FileSource(str(images / f"{n % pictures:03d}.png")),
        )
        for n, sha256 in enumerate(hashes)
    )
    backbone = load_backbone("nano")
    cache = EmbeddingCache.for_backbone(backbone)
    centres = backbone.text.encode_texts([f"a photo of a {name}." for name in CLASSES]).numpy()
    for start in range(0, count, 8192):
        part = hashes[start : start + 8192]
        noise = rng.standard_normal((len(part), backbone.embed_dim)) / backbone.embed_dim**0.5
        near = centres[rng.integers(0, len(CLASSES), len(part))] + 1.5 * noise
        cache.put(part, (near / np.linalg.norm(near, axis=1, keepdims=True)).astype(np.float32))
    manifest = Manifest(rows, ClassNames(CLASSES, CLASSES))
    carry_out(Settings(strategy="zero-shot"), manifest, folder / "run", Listener())
    return folder / "run"


def own_cache(folder: Path) -> None:
    """Nothing that others have stored makes it look fast."""
    os.environ["CLIPGRIP_CACHE"] = str(folder / "cache")
