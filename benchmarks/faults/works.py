"""The commands that write something, how each begins, and what must be equal whenever it was done."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import time
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from benchmarks.faults.place import Ended, Place
from clipgrip.runs.watch.store import NAME, is_watched, open_watch

TIMES = frozenset(
    {"created", "ingest", "embed", "total", "seconds", "made", "at", "added", "began", "finished"}
    | {"sha256", "seconds_sd", "peak_megabytes", "peak_megabytes_sd", "date"}
)
"""Keys of JSON files that may differ between equal commands: moments, how long parts took, how much memory."""
RENDERED = (".html", ".xlsx")
"""Files that name the moment at which they were made."""
SKIPPED = (".db", ".db-wal", ".db-shm", ".lock", ".log", ".jsonl", ".written")


@dataclass(frozen=True)
class Work:
    """A command, what it writes, and the folder that it begins from a copy of."""

    name: str
    words: tuple[str, ...]
    target: str
    source: str = ""

    def begin(self, place: Place) -> None:
        """As before the command."""
        place.gone(self.target)
        if self.source:
            shutil.copytree(place.folder / self.source, place.folder / self.target)

    def do(self, place: Place, **disturbed: Any) -> Ended:
        """The command."""
        return place.command(list(self.words), **disturbed)

    def content(self, place: Place) -> dict[str, bytes]:
        """What must be equal, and the names of all else."""
        path = place.folder / self.target
        if path.is_file():
            return {path.name: _equal_part(path)}
        shown = [one for one in sorted(path.rglob("*")) if one.is_file() and _is_shown(one, path)]
        found = {str(one.relative_to(path)): _equal_part(one) for one in shown}
        return found | ({NAME: bets(path)} if is_watched(path) else {})

    def is_done(self, place: Place, expected: dict[str, bytes]) -> bool:
        """Whether all is there as it is without a fault."""
        return (place.folder / self.target).exists() and self.content(place) == expected


MODEL = str(files("clipgrip.backbone.nano") / "weights")
RUN = ("run", "images", "--classes", "classes.txt", "--rounds", "3")
KNOWN = ("images", "--classes", "classes.txt", "--labels", "truth.csv")
STRESS = ("bench", "stress", *KNOWN, "--seeds", "1")
FEW = ("--strategies", "zero-shot,fpl", "--paradigms", "UL")
BENCH = ("bench", "grid", "by class", "--smoke", *FEW)
PILOT = ("audit", "plan", "--count", "1000", "--classes", "classes.txt", "--accuracy", "0.9:0.8")
NAMES = ("names", "whole", "--try", "dent=round red dent")
LOOK = ("watch", "look", "look", "new")
AUTOMATE = ("audit", "automate", "whole", "--answers", "filled.csv")
WORKS = (
    Work("run", (*RUN, "--out", "out"), "out"),
    Work(
        "run with labels",
        (*RUN, "--labels", "labels.csv", "--candidates", "all", "--out", "out"),
        "out",
    ),
    Work("predict", ("predict", "whole", "images", "--out", "p.csv"), "p.csv"),
    Work("audit draw", ("audit", "draw", "whole", "--out", "sheet.csv"), "sheet.csv"),
    Work("audit automate", (*AUTOMATE, "--out", "decided.csv"), "decided.csv"),
    Work("report", ("report", "whole", "--out", "reports"), "reports"),
    Work("report --for board", ("report", "whole", "--for", "board", "--out", "board"), "board"),
    Work("compare", ("compare", "whole", "twin", "--out", "compared.csv"), "compared.csv"),
    Work("names", (*NAMES, "--out", "reworded.csv"), "reworded.csv"),
    Work("labels suggest", ("labels", "suggest", "images", "--count", "5", "--out", "ask.csv"), "ask.csv"),
    Work("init", ("init", "begun"), "begun", "images"),
    Work("audit plan", (*PILOT, "--out", "pilot.json"), "pilot.json"),
    Work("labels learn", ("labels", "learn", "again"), "again", "reviewed"),
    Work("bench grid", (*BENCH, "--out", "grid"), "grid"),
    Work("models add", ("models", "add", MODEL, "--name", "some/model"), "models"),
    Work("embed", ("embed", "images", "--out", "seen.npz"), "seen.npz"),
    Work("bundle", ("bundle", "whole", "--out", "line.clipgrip"), "line.clipgrip"),
    Work("watch look", (*LOOK, "--out", "look/at work.csv"), "look", "watched"),
    Work("watch answer", ("watch", "answer", "heard", "nothing", "--by", "Ito"), "heard", "ringing"),
    Work("bench stress", (*STRESS, "--out", "noise"), "noise"),
)  # fmt: skip

DEMO = Work("demo", ("demo", "--out", "shown"), "shown")
"""Some ten seconds each."""


@dataclass(frozen=True)
class Reference:
    """What a command gives without a fault, and its seconds."""

    content: dict[str, bytes]
    seconds: float


@cache
def reference(place: Place, work: Work) -> Reference:
    """The command done twice, the second time measured."""
    for _ in range(2):
        work.begin(place)
        began = time.monotonic()
        ended = work.do(place)
        assert ended.code == 0, ended.said
    return Reference(work.content(place), time.monotonic() - began)


def timeless(value: Any) -> Any:
    """JSON without what may differ."""
    if isinstance(value, dict):
        return {key: timeless(inner) for key, inner in value.items() if key not in TIMES}
    return [timeless(inner) for inner in value] if isinstance(value, list) else value


def _is_shown(path: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return not hidden and not path.name.endswith(SKIPPED)


def bets(run: Path) -> bytes:
    """What a watch keeps of a line, without the moments."""
    with open_watch(run) as store:
        state = store.state()
        images = [(one.number, one.sha256, one.label, one.codes.tolist()) for one in store.images()]
        alarms = [timeless([one.facts, one.response]) for one in store.alarms()]
        arrays = (state.monitors.wealth, state.monitors.seen)
        digests = [hashlib.sha256(one.tobytes()).hexdigest() for one in arrays]
    return repr((state.period, images, alarms, digests)).encode()


def _equal_part(path: Path) -> bytes:
    if path.suffix == ".json":
        return json.dumps(timeless(json.loads(path.read_text("utf-8"))), sort_keys=True).encode()
    if path.name == "results.csv":  # of bench
        with path.open(newline="", encoding="utf-8-sig") as file:
            return repr([timeless(row) for row in csv.DictReader(file)]).encode()
    return b"" if path.suffix in RENDERED else path.read_bytes()
