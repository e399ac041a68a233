"""One flipped bit in each kind of file, damaged pictures, bombs, and names of every kind."""

from __future__ import annotations

import csv
import io
import os
import random
import shutil
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.faults.place import Place, Trial
from clipgrip.data.images import UndecodableImage, decode, quick_check
from clipgrip.errors import ClipgripError
from clipgrip.review.session import ReviewSession
from clipgrip.review.store import Answer, open_review
from clipgrip.runs import checkpoint
from clipgrip.runs.store import open_store

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
NAMES = (
    *("line\nbreak.png", "=1+1.png", "-rf.png", "'; DROP TABLE image;--.png", "  spaces .png"),
    *("傷あり.png", "e\u0301.png", "\U0001f600.png", "a,b.png", 'quo"te.png', "n" * 250 + ".png"),
    *("%00.png", "tab\t.png", "<b>.png", "CON.png", "a.png.png"),
)


def flips(place: Place, chance: random.Random, times: int) -> Iterator[Trial]:
    """The same is read as before, or a sentence is said."""
    folder = Path(shutil.copytree(place.folder / "whole", place.folder / "flipped"))
    with open_review(folder, create=True) as store:
        session = ReviewSession(folder, store)
        rows = [row.sha256 for row in session.snapshot.view.rows]
        said = [
            Answer(f"t{n}", image, "class", 1, "review", "Ito", "2026", 1.0, 1)
            for n, image in enumerate(rows)
        ]
        store.add_answers(said)
    for name, read in READERS.items():
        path, quiet, named = folder / name, 0, 0
        data, known = path.read_bytes(), read(folder)
        for _ in range(times):
            for beside in folder.glob(f"{name}-*"):
                beside.unlink()
            bit = chance.randrange(8 * len(data))
            changed = bytearray(data)
            changed[bit // 8] ^= 1 << bit % 8
            path.write_bytes(changed)
            try:
                quiet += read(folder) != known
            except ClipgripError:
                named += 1
        path.write_bytes(data)
        bad = (f"{quiet} gave another result without a word",) if quiet else ()
        yield Trial(f"one flipped bit of {name} ({named} named)", times, bad)


def pictures(chance: random.Random, times: int) -> Trial:
    """Bytes changed, cut and moved: a picture, or the reason why not."""
    noise = np.random.default_rng(chance.randrange(2**32)).integers(0, 255, (30, 40, 3), np.uint8)
    bad = []
    for number in range(times):
        out = io.BytesIO()
        form = FORMATS[number % len(FORMATS)]
        Image.fromarray(noise).save(out, form)
        data = bytearray(out.getvalue())
        for _ in range(chance.choice([1, 2, 8, 50])):
            data[chance.randrange(len(data))] = chance.randrange(256)
        if chance.random() < 0.2:
            del data[chance.randrange(len(data)) :]
        try:
            _look(bytes(data))
        except Exception as error:
            bad.append(f"{form} {number}: {type(error).__name__}: {error}")
    return Trial("mutated images", times, tuple(bad))


def bombs() -> Trial:
    """A few bytes that claim to be a huge picture are refused before anything is unpacked."""
    sizes = ((60_000, 60_000), (2**31 - 1, 1), (400_000, 4_000))
    bad = [f"{size} was read" for size in sizes if _look(_claims(*size)) is None]
    return Trial("picture bombs", len(sizes), tuple(bad))


def names(place: Place) -> Trial:
    """Each file is answered once, under its own name."""
    folder = place.folder / "names"
    folder.mkdir()
    source = next((place.folder / "images").iterdir())
    pixels = np.asarray(Image.open(source)).copy()
    for number, name in enumerate([*NAMES, os.fsdecode(b"\xff\xfe.png")]):
        pixels[0, 0] = number  # no two are one image
        Image.fromarray(pixels).save(folder / name, "PNG")
    ended = place.command(["predict", "whole", "names", "--out", "names.csv"])
    if ended.code:
        return Trial("names of every kind", len(NAMES) + 1, (ended.said[-300:],))
    with (place.folder / "names.csv").open(newline="", encoding="utf-8-sig") as file:
        found = {row["path"].removeprefix("'") for row in csv.DictReader(file)}
    wanted = {name.removeprefix("'") for name in NAMES}
    bad = tuple(f"{name!r} has no answer" for name in sorted(wanted - found))
    return Trial("names of every kind", len(NAMES) + 1, bad)


def _look(data: bytes) -> str | None:
    try:
        quick_check(data)
        decode(data)
    except UndecodableImage as error:
        return error.reason
    return None


def _claims(width: int, height: int) -> bytes:
    """A PNG's head with a size, and no pixels to speak of."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def _run(folder: Path) -> Any:
    with open_store(folder) as store:
        run = store.run()
        if run is None:
            return None
        rounds = [
            (one.number, one.facts, one.pseudolabels, sorted(one.learned))
            for one in store.rounds(run.id)
        ]
        learned = [one.learned["ctx"].tolist() for one in store.rounds(run.id)]
        return run, store.manifest(run.id), rounds, learned


def _review(folder: Path) -> Any:
    with open_review(folder) as store:
        return store.answers(), store.undone(), store.classes(), store.rounds(), store.changes()


def _prompt(folder: Path) -> Any:
    learned, facts = checkpoint.read(folder / checkpoint.NAME)
    return {name: value.tolist() for name, value in learned.items()}, facts


def _embeds(folder: Path) -> Any:
    """None stands for: made anew from the prompt."""
    prompt = (folder / checkpoint.NAME).read_bytes()
    found = checkpoint.read_class_embeds(folder / checkpoint.CLASS_EMBEDS, prompt)
    if found is None:
        raise ClipgripError("made anew")
    return found.tolist()


READERS: dict[str, Callable[[Path], Any]] = {
    "runs.db": _run,
    "review.db": _review,
    checkpoint.NAME: _prompt,
    checkpoint.CLASS_EMBEDS: _embeds,
}
