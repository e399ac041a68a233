"""The campaign: ``python -m benchmarks.faults [--quick] [--only PART] [--at-most N] [--seed N]
[--write [--resume]]``.

Exit code 1 where anything was bad. ``--write`` keeps each kind of fault as soon as it was tried, in
benchmarks/results/faults.json, and puts the figures into docs/reliability.md, with machine and date; with ``--resume``
kinds that are kept there already, of the same seed, are left out. ``--only`` tries one part, or the kinds in whose name
the word stands, ``--at-most`` tries no kind more often than that.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.faults import (
    bombs,
    calls,
    equal,
    flips,
    hostile,
    kills,
    names,
    pictures,
    processes,
    routes,
    streams,
)
from benchmarks.faults.figures import Figures
from benchmarks.faults.place import Place
from benchmarks.faults.trials import Case, tried

PARTS = {
    part.__name__.rpartition(".")[2]: part
    for part in (
        *(equal, kills, calls, processes, flips, pictures),
        *(bombs, hostile, names, streams, routes),
    )
}


def campaign(place: Place, only: str, *, quick: bool) -> Iterator[Case]:
    """Every kind of fault, or those that were asked for."""
    for name, part in PARTS.items():
        if only in PARTS and only != name:
            continue
        for case in part.cases(place, quick):
            if only in (name, *PARTS) or only in case.kind:
                yield case


def main() -> int:
    """Run it, print it, keep it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few trials of each kind")
    parser.add_argument("--only", default="", help=", ".join(PARTS))
    parser.add_argument("--at-most", type=int, default=10**9, help="tries of a kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="keep the figures")
    parser.add_argument("--resume", action="store_true", help="leave out what is kept")
    wanted = parser.parse_args()
    if wanted.write and wanted.quick:
        parser.error("figures are kept of whole parts only: leave --quick out")
    torch.set_num_threads(1)  # what is forked has no other threads
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    figures, failed = Figures.read(wanted.seed), False
    with tempfile.TemporaryDirectory() as folder:
        place = Place.make(Path(folder, "place"), wanted.seed)
        for case in campaign(place, wanted.only, quick=wanted.quick):
            fewer = replace(case, times=min(case.times, wanted.at_most))
            if wanted.resume and (figures.holds(case) or figures.holds(fewer)):
                continue
            trial = tried(fewer, wanted.seed)
            failed |= bool(trial.bad)
            seen = ", ".join(f"{number} {what}" for what, number in trial.seen.items())
            head = f"[{trial.seconds:.0f} s] {trial.kind}: {len(trial.bad)} bad of {trial.trials} {seen}"
            print(head, *trial.bad[:5], sep="\n  ", flush=True)
            if wanted.write:
                figures.keep(trial)
                figures.write(list(PARTS))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
