"""A model that answers by a picture's brightness, a line with every outlet, and servers that may fail."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
from PIL import Image

from clipgrip_line.answers import Answer, Verdict
from clipgrip_line.errors import LineError
from clipgrip_line.folder.assembly import Wishes, watching
from clipgrip_line.folder.notes import Notes
from clipgrip_line.folder.settings import FolderSettings
from clipgrip_line.folder.watch import Watch
from clipgrip_line.pictures.appearance import appearance_of
from clipgrip_line.pictures.looks import Looks, looks_of
from clipgrip_line.promises import Promise
from clipgrip_line.sentences import mark
from clipgrip_line.words import Words

KEEP = 10_000_000


CLASSES = ("good", "scratch", "dent", "burr")


@dataclass(frozen=True)
class FakePixels:
    image_id: str
    mean: float
    looks: Looks
    appearance: Any


class Brightness:
    """Probabilities of a mean brightness: bright is good, dark is scratch."""

    def probs(self, embeds: Any) -> Any:
        mean = np.asarray(embeds, float)[:, 0]
        sure = 0.5 + np.abs(mean - 128) / 256
        rest, good = (1 - sure) / 2, mean >= 128
        return np.stack([np.where(good, sure, 0), np.where(good, 0, sure), rest, rest], 1)


class FakeModel:
    """Dark pictures are NG, bright ones OK, those between go to people."""

    version = "fake00000001"
    classes, ok_classes = CLASSES, ("good",)
    info: Mapping[str, object] = {}
    names: Mapping[str, tuple[str, ...]] = {}
    scoring = Brightness()

    def __init__(self, promise: Promise | None = None) -> None:
        self.promise = promise
        self.asked: list[str] = []
        self.fails_at: set[str] = set()

    def pixels(self, data: bytes) -> FakePixels:
        try:
            with Image.open(io.BytesIO(data)) as picture:
                upright = picture.convert("RGB")
                glance = looks_of(upright), appearance_of(upright)
                mean = float(np.asarray(picture.convert("L")).mean())
        except Exception as error:
            raise LineError(
                mark("not an image that can be read: {detail}"), detail="cut"
            ) from error
        return FakePixels(hashlib.sha256(data).hexdigest(), mean, *glance)

    def embed(self, images: Sequence[FakePixels]) -> Any:
        bad = {image.image_id for image in images} & self.fails_at
        if bad:
            raise RuntimeError("the engine fell over")
        self.asked += [image.image_id for image in images]
        return np.array([[image.mean] for image in images])

    def answers_of(
        self, image_ids: Sequence[str], probs: Any, to_people_all: bool = False
    ) -> list[Answer]:
        return [self._answer(*pair) for pair in zip(image_ids, probs, strict=True)]

    def _answer(self, image: str, row: Any) -> Answer:
        order = np.argsort(-row, kind="stable")[:3].tolist()
        top = tuple((CLASSES[n], float(row[n])) for n in order)
        name, sure = top[0]
        promised = self.promise is not None and self.promise.holds(order[0], sure)
        person = not promised if self.promise else sure < 0.5 + 30 / 256
        verdict: Verdict = "person" if person else "ok" if name == "good" else "ng"
        decided: Any = "person" if person else "model"
        return Answer(image, name, sure, top, decided, verdict, self.version)


class Clock:
    """A monotonic clock that moves when it is asked to."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


def picture(seed: int, brightness: int | None = None) -> bytes:
    noise = np.random.default_rng(seed).integers(0, 20, (16, 16, 3))
    level = (37 * seed) % 230 if brightness is None else brightness
    out = io.BytesIO()
    Image.fromarray((noise + level).astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


def identity(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Line:
    """A watched folder in a temporary place."""

    def __init__(self, place: Path, promise: Promise | None = None) -> None:
        self.folder, self.out = place / "in", place / "out"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.model = FakeModel(promise)
        self.lines: list[str] = []

    def put(self, path: str, data: bytes) -> Path:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        return file

    @contextmanager
    def watch(
        self, wishes: Wishes | None = None, now: Callable[[], float] | None = None, **settings: Any
    ) -> Iterator[Watch]:
        wishes = wishes or Wishes(keep_bytes=KEEP)
        chosen = FolderSettings(
            self.folder, self.out, **{"poll": 0.01, "give_up": 0.0, "patience": 0.5, **settings}
        )
        notes = Notes(Words("en"), self.lines.append)
        more = {} if now is None else {"now": now}
        with watching(self.model, chosen, wishes, notes, **more) as watch:
            yield watch

    def once(self, wishes: Wishes | None = None, **settings: Any) -> int:
        with self.watch(wishes, **settings) as watch:
            watch.once()
            return watch.left()

    def rows(self, name: str = "answers") -> list[dict[str, str]]:
        found: list[dict[str, str]] = []
        for path in sorted(self.out.glob(f"{name}-*.csv")):
            found += csv.DictReader(path.read_text("utf-8-sig").splitlines())
        return found

    def json(self, path: str) -> dict[str, Any]:
        return dict(json.loads((self.out / "json" / f"{path}.json").read_text("utf-8")))

    def status(self) -> dict[str, Any]:
        return dict(json.loads((self.out / "status.json").read_text("utf-8")))


class Receiver:
    """A server for webhooks; ``codes`` are its next answers, then 200 for ever."""

    def __init__(self) -> None:
        self.codes: list[int] = []
        self.requests: list[tuple[dict[str, str], bytes]] = []

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.requests]

    @contextmanager
    def serving(self, port: int = 0) -> Iterator[str]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                code = receiver.codes.pop(0) if receiver.codes else 200
                if code < 300:
                    receiver.requests.append((dict(self.headers), body))
                self.send_response(code)
                if code in (301, 302):
                    self.send_header("Location", "http://127.0.0.1:9/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/hook"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
