"""``python -m benchmarks.line.kills BUNDLE IMAGES``: a watched folder killed at 100 random moments while it is fed.

Bad is: a line that was there and is gone, a content answered twice or never, a file that is not whole, a message that
never came. Messages may come twice (with the same key), as any delivery that is acknowledged may.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops

from benchmarks.line.serving import stored

Start = Callable[[str, bool], Sequence[str]]
"""The command that watches, from the webhook's URL and whether it is to end with what lies there."""
STALLED, STALL = 0.02, 0.5
"""Share of files whose writer stalls within the last bytes, and for how many seconds: several looks."""
DRAINED = 30
"""Tries of ``--once`` at the end."""


class Feeder(threading.Thread):
    """Writes pictures as cameras do: in pieces, in lots, with names and contents that repeat."""

    def __init__(self, folder: Path, contents: Sequence[bytes], seed: int, seconds: float) -> None:
        """``seconds``: how long it takes about."""
        super().__init__(daemon=True)
        self._folder, self._contents, self._chance = folder, contents, random.Random(seed)
        self._pause = seconds / len(contents)
        self.ended = threading.Event()
        self.written = 0

    def run(self) -> None:
        """Until all are written, or `ended`."""
        for number, data in enumerate(self._contents):
            if self.ended.is_set():
                return
            self._write(f"lot{number // 50}/{number % 40:03}.png", data)
            if self._chance.random() < 0.1:  # the same content under another name
                self._write(f"again/{number:05}.png", data)
            time.sleep(self._chance.uniform(0.0, 2 * self._pause))

    def _write(self, name: str, data: bytes) -> None:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # what lacks nothing but its end decodes, and must be no content of its own however long the pause is
        at_end = self._chance.random() < STALLED
        cut = (
            len(data) - self._chance.randrange(1, 13)
            if at_end
            else self._chance.randrange(len(data))
        )
        with path.open("wb", buffering=0) as file:
            file.write(data[:cut])
            time.sleep(STALL if at_end else self._chance.uniform(0.0, self._pause / 4))
            file.write(data[cut:])
        self.written += 1


class Receiver:
    """Counts messages by their key; every fiftieth is refused for now."""

    def __init__(self) -> None:
        self.keys: Counter[str] = Counter()
        receiver, lock, asked = self, threading.Lock(), Counter[str]()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with lock:
                    asked["n"] += 1
                    busy = asked["n"] % 50 == 0
                    receiver.keys[body.get("image_id", "refused")] += not busy
                self.send_response(503 if busy else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@dataclass
class Result:
    """What happened."""

    kills: int = 0
    pictures: int = 0
    answered: int = 0
    messages_twice: int = 0
    bad: list[str] = field(default_factory=list)


def campaign(
    start: Start, place: Path, contents: Sequence[bytes], kills: int, seed: int, longest: float
) -> Result:
    """Feed, start, kill after up to ``longest`` seconds, ``kills`` times; then let it end, and compare."""
    folder, out = place / "in", place / "out"
    folder.mkdir(parents=True)
    chance, result, receiver = random.Random(seed), Result(), Receiver()
    feeder = Feeder(folder, contents, seed, kills * longest / 2)
    feeder.start()
    seen: set[str] = set()
    for _ in range(kills):
        _killed(start(receiver.url, False), chance.uniform(0.05, longest))
        result.kills += 1
        lines = {line for path in out.glob("answers-*.csv") for line in whole_lines(path)}
        if seen - lines:
            result.bad.append(f"kill {result.kills}: {len(seen - lines)} lines are gone")
        seen = lines
    feeder.join()
    for _ in range(DRAINED):
        if (
            subprocess.run(start(receiver.url, True), check=False, capture_output=True).returncode
            == 0
        ):
            break
    else:
        result.bad.append("it did not come to its end")
    receiver.server.shutdown()
    receiver.server.server_close()
    compare(folder, out, contents, receiver, result)
    return result


def _killed(command: Sequence[str], after: float) -> None:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            process.wait(after)
        except subprocess.TimeoutExpired:
            process.kill()


def whole_lines(path: Path) -> list[str]:
    """Lines that end."""
    return path.read_bytes().decode("utf-8-sig").split("\r\n")[1:-1]


def compare(
    folder: Path, out: Path, contents: Sequence[bytes], receiver: Receiver, result: Result
) -> None:
    """What lies there against what was written."""
    known = {hashlib.sha256(data).hexdigest() for data in contents}
    rows = [
        row
        for path in sorted(out.glob("answers-*.csv"))
        for row in csv.DictReader(path.read_text("utf-8-sig").splitlines())
    ]
    ids = Counter(row["image_id"] for row in rows)
    files = {path: digest(path) for path in folder.rglob("*.png")}
    result.pictures, result.answered = len(files), len(ids)
    bad = result.bad
    bad += [f"{one} was answered {n} times" for one, n in ids.items() if n > 1]
    bad += [f"{one} is no picture that was written" for one in ids if one not in known]
    bad += [f"{path} was never answered" for path, one in files.items() if one not in ids]
    for path, one in files.items():
        answer = out / "json" / f"{path.relative_to(folder).as_posix()}.json"
        try:
            if json.loads(answer.read_text("utf-8"))["image_id"] != one:
                bad.append(f"{answer} says another picture's answer")
        except (OSError, ValueError, KeyError) as error:
            bad.append(f"{answer}: {error!r}")
    copies = [path for path in (out / "sorted").rglob("*") if path.is_file()]
    bad += [f"{path} is not whole" for path in copies if digest(path) not in known]
    gone = set(ids) - set(receiver.keys)
    bad += [f"no message of {one}" for one in gone]
    bad += [f"{path} stayed" for path in out.rglob("*.part")]
    result.messages_twice = sum(n > 1 for n in receiver.keys.values())


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def pictures(folder: Path, most: int) -> list[bytes]:
    """The folder's pictures, and shifted ones of them until there are enough."""
    paths, found = sorted(folder.rglob("*.png")), dict[str, bytes]()
    for number in range(10 * most):
        with Image.open(paths[number % len(paths)]) as picture:
            out = io.BytesIO()
            ImageChops.offset(picture, number // len(paths), 0).save(out, "PNG")
        found.setdefault(hashlib.sha256(out.getvalue()).hexdigest(), out.getvalue())
        if len(found) == most:
            break
    return list(found.values())


def main() -> int:
    """Run it, print it and write it down; code 1 where anything was bad."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("images", type=Path, help="a folder of PNG files")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--longest", type=float, default=2.5, help="seconds of life at most")
    parser.add_argument("--pictures", type=int, default=3000)
    given = parser.parse_args()
    contents = pictures(given.images, given.pictures)
    random.Random(given.seed).shuffle(contents)
    with tempfile.TemporaryDirectory() as place:

        def start(url: str, once: bool) -> list[str]:
            words = [str(given.bundle), f"{place}/line/in", "--out", f"{place}/line/out"]
            more = ["--poll", "0.1", "--sort", "copy", "--webhook", url, *["--once"] * once]
            return [sys.executable, "-m", "clipgrip_line", "watch", *words, *more]

        began = time.monotonic()
        result = campaign(
            start, Path(place, "line"), contents, given.kills, given.seed, given.longest
        )
    facts = {**vars(result), "bad": len(result.bad), "seconds": round(time.monotonic() - began)}
    stored("kills", facts)
    print(*result.bad[:10], sep="\n")
    return int(bool(result.bad))


if __name__ == "__main__":
    sys.exit(main())
