"""The campaign: ``python -m benchmarks.faults [--quick] [--seed N] [--write]``; exit code 1 where anything was bad.

``--write`` puts the figures into docs/reliability.md, with machine and date.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import sys
import tempfile
import warnings
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import torch

from benchmarks.faults import damage, processes
from benchmarks.faults.place import COMPARED, Place, Trial
from benchmarks.record import machine, record

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"


def campaign(place: Place, chance: random.Random, *, quick: bool) -> Iterator[Trial]:
    """Every kind of fault."""
    few, many = (2, 60) if quick else (25, 2000)
    yield equal_runs(place)
    yield from processes.kills(place, chance, few)
    yield from processes.calls(place, 2 if quick else 12)
    yield processes.sharing(place, 1 if quick else 10)
    yield from damage.flips(place, chance, many)
    yield damage.pictures(chance, 5 * many)
    yield damage.bombs()
    yield damage.names(place)


def equal_runs(place: Place) -> Trial:
    """Two equal runs: equal tables and prompt; in metrics.json only what is listed here differs."""
    bad = [ended.said[-300:] for out in ("whole", "twin") if (ended := place.run(out)).code]
    if not bad:
        whole, twin = place.outputs("whole"), place.outputs("twin")
        bad += [f"{name} differs" for name in COMPARED if whole[name] != twin[name]]
        first, second = (
            json.loads((place.folder / out / "metrics.json").read_text("utf-8"))
            for out in ("whole", "twin")
        )
        keys = {key.rpartition(".")[2] for key in differing(first, second)}
        bad += [f"{key} differs" for key in sorted(keys - DIFFER)]
    return Trial("equal runs are equal but for dates and seconds", 1, tuple(bad))


DIFFER = {"created", *("ingest", "embed", "rounds", "total", "seconds")}
"""Keys of metrics.json that may differ: the moment, and how long the parts took."""


def differing(one: Any, other: Any, key: str = "") -> Iterator[str]:
    """Where two values of JSON differ."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        for name in one:
            yield from differing(one[name], other[name], f"{key}.{name}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for a, b in zip(one, other, strict=True):
            yield from differing(a, b, key)
    elif one != other:
        yield key


def table(trials: list[Trial], seed: int, size: str) -> str:
    """The figures as they stand in the page."""
    lines = [
        f"{date.today().isoformat()}, {machine()}, seed {seed}, {size}:",
        "",
        "| fault | trials | bad |",
        "| --- | ---: | ---: |",
        *(f"| {one.kind} | {one.trials} | {len(one.bad)} |" for one in trials),
    ]
    return "\n".join(lines)


def main() -> int:
    """Run it, print it, keep it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few trials of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="into docs/reliability.md")
    wanted = parser.parse_args()
    torch.set_num_threads(1)  # what is forked has no other threads
    warnings.simplefilter("ignore", DeprecationWarning)
    logging.disable(logging.WARNING)
    trials = []
    with tempfile.TemporaryDirectory() as folder:
        place = Place.make(Path(folder, "place"), wanted.seed)
        for one in campaign(place, random.Random(wanted.seed), quick=wanted.quick):
            trials.append(one)
            print(
                f"{one.kind}: {len(one.bad)} bad of {one.trials}",
                *one.bad[:3],
                sep="\n  ",
                flush=True,
            )
    size = "quick" if wanted.quick else "full"
    if wanted.write:
        before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
        text = table(trials, wanted.seed, size)
        PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}", "utf-8")
        found = [{"kind": one.kind, "trials": one.trials, "bad": one.bad} for one in trials]
        record("faults", {"seed": wanted.seed, "size": size, "trials": found})
    return int(any(one.bad for one in trials))


if __name__ == "__main__":
    sys.exit(main())
