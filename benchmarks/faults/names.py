"""Names of every kind, of images, classes, folders and people: each is answered, and stands in every file as it is."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.faults.place import Place, given
from benchmarks.faults.trials import FINE, Attempt, Case, Outcome

NAMES = (
    *("line\nbreak", "return\rhere", "=1+1", "-rf", "--help", "@cmd", "+1", "'quoted'", "'; DROP TABLE image;--"),
    *("  spaces ", "傷あり", "＝全角", "ｶﾅ", "e\u0301", "\u00e9", "\U0001f600", "\u202egnp", "\u200b", "a,b", 'quo"te'),
    *("n" * 240, "%00", "%2e%2e", "tab\t", "<b>", "<script>alert(1)</script>", "CON", "nul", "a.png", "{{7*7}}"),
    *("$(id)", "`id`", "a&b;c", "~", "...", "\x7f", "\u2028", "a\\b", "100%", "{}", "{0}", "%s"),
)  # fmt: skip
FILES = tuple(name for name in NAMES if "/" not in name and name != "...")  # that one is hidden
BYTES = os.fsdecode(b"\xff\xfe")
"""No UTF-8."""
FORMS = ("csv", "folders", "label-studio", "coco", "fiftyone")


def cases(place: Place, quick: bool) -> Iterator[Case]:
    """Images; classes; folders."""
    yield Case("names", f"{len(FILES) + 1} names of images, predicted", 1, _images(place))
    yield Case("names", f"{len(FILES) + 1} names of images, run and exported", 1, _exported(place))
    classes = NAMES[:3] if quick else NAMES
    yield Case("names", "a name of a class, run and exported", len(classes), _classes(place))
    yield Case("names", "a name of a folder to write in", len(classes), _folders(place))


def _draw(place: Place) -> Path:
    """Images of all these names, no two alike."""
    folder = place.folder / "names"
    if not folder.exists():
        folder.mkdir()
        pixels = np.asarray(Image.open(place.folder / "images" / "part 00.png")).copy()
        for number, name in enumerate([*FILES, BYTES]):
            pixels[0, :, 0], pixels[1, 0] = number * 3, number
            Image.fromarray(pixels).save(folder / f"{name}.png", "PNG")
    return folder


def _missing(found: list[str]) -> str:
    """Names that no row stands for; people's spreadsheets get a quote before what they would run."""
    plain = {name.removeprefix("'") for name in found}
    wanted = {f"{name}.png" for name in FILES}
    return ", ".join(repr(name) for name in sorted(wanted) if name.removeprefix("'") not in plain)


def _images(place: Place) -> Attempt:
    def attempt(_: random.Random, __: int) -> Outcome:
        _draw(place)
        place.gone("names.csv")
        ended = place.command(["predict", "whole", "names", "--out", "names.csv"])
        if ended.code:
            return Outcome(ended.end)
        with (place.folder / "names.csv").open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
        if len(rows) != len(FILES) + 1:
            return Outcome(f"{len(rows)} rows")
        gone = _missing([row["path"] for row in rows])
        return Outcome(f"no answer for {gone}" if gone else "")

    return attempt


def _exported(place: Place) -> Attempt:
    def attempt(_: random.Random, __: int) -> Outcome:
        _draw(place)
        place.gone("named")
        words = ["run", "names", "--classes", "classes.txt", "--rounds", "1", "--out", "named"]
        ended = place.command(words)
        if ended.code:
            return Outcome(ended.end)
        return _round_trip(place, place.folder / "named", len(FILES) + 1)

    return attempt


def _classes(place: Place) -> Attempt:
    def attempt(_: random.Random, number: int) -> Outcome:
        name = NAMES[number]
        with (place.folder / "odd.csv").open("w", newline="", encoding="utf-8") as file:
            rows = [("name", "prompt"), (name, "a scratch"), ("dent", "a dent")]
            csv.writer(file).writerows(rows)
        place.gone("odd")
        ended = place.command(
            ["run", "images", "--classes", "odd.csv", "--rounds", "1", "--out", "odd"]
        )
        if ended.code == 2 and ended.is_sentence:
            return Outcome(seen="refused in a sentence")
        if ended.code:
            return Outcome(f"{name!r}: {ended.end}")
        page = (place.folder / "odd" / "report.html").read_text("utf-8")
        if "<script>alert" in page or (name == "<b>" and "<b><" in page):
            return Outcome(f"{name!r} stands in the report as code")
        ended = place.command(["report", "odd", "--for", "board", "--out", "odd board"])
        place.gone("odd board")
        if ended.code:
            return Outcome(f"{name!r}: {ended.end}")
        outcome = _round_trip(place, place.folder / "odd", 12)
        return Outcome(f"{name!r}: {outcome.bad}") if outcome.bad else FINE

    return attempt


def _folders(place: Place) -> Attempt:
    def attempt(_: random.Random, number: int) -> Outcome:
        name = NAMES[number]
        out = place.folder / "outs" / name
        out.parent.mkdir(exist_ok=True)
        words = ["run", "images", "--classes", "classes.txt", "--rounds", "1"]
        ended = place.command([*words, "--out", f"outs/{name}"])
        if not ended.is_sentence:
            return Outcome(f"{name!r}: {ended.end}")
        if not ended.code and not (out / "predictions.csv").is_file():
            return Outcome(f"{name!r}: nothing there")
        return Outcome(seen="refused in a sentence" if ended.code else "")

    return attempt


def _round_trip(place: Place, folder: Path, images: int) -> Outcome:
    """All exports hold all images, and bring in what they hold."""
    said = place.folder.with_name("round-trip")
    said.unlink(missing_ok=True)
    ended = place.fork(lambda: said.write_text(_trip(folder, images)))
    return Outcome(said.read_text() if said.exists() else ended.end)


def _trip(folder: Path, images: int) -> str:
    from clipgrip.review.exchange import Options, exported, imported
    from clipgrip.review.session import ReviewSession
    from clipgrip.review.store import open_review

    wrong = []
    with open_review(folder, create=True) as store:
        session = ReviewSession(folder, store)
        ids = [one.id for one in session.snapshot.classes.stored]
        answers = [
            given(number, row.sha256, ids[number % len(ids)], NAMES[number % len(NAMES)])
            for number, row in enumerate(session.snapshot.view.rows)
        ]
        session.answer(answers)
        for form in FORMS:
            made = b"".join(exported(session.snapshot, store, form, Options()))
            told = imported(session, form, made, f"reader of {form}")
            left = json.loads(made)["left_out"] if form == "fiftyone" else []
            if told["answers"] != images - len(left):
                wrong.append(
                    f"{form}: {told['answers']} of {images} came back: {told['table'][1:3]}"
                )
            if form == "folders":
                wrong += _escapes(made)
            elif form in ("coco", "label-studio"):
                json.loads(made)
    return "; ".join(wrong)[:600]


def _escapes(made: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        names = archive.namelist()
    bad = [one for one in names if one.startswith("/") or ".." in one.split("/") or "\\" in one]
    return [f"{name!r} leads out of the folder" for name in bad]
