"""The paper's grid on the two demo sets with nano, through ``clipgrip bench grid``'s own code.

    python -m benchmarks.grid [--prompts textual visual multimodal] [--strategies ...] [--seeds 3]

Finished cells are kept in --folder, so it can be stopped and run again. The demo sets are written as class folders
with their truth; the grid holds its own test images out.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import tempfile
from pathlib import Path

from benchmarks.record import machine, record
from clipgrip.bench.grid import PARADIGMS, STRATEGIES
from clipgrip.bench.run import GridSettings, run_grid
from clipgrip.cli.bench import text_table
from clipgrip.cli.demo import TEMPLATES
from clipgrip.cli.screen import Screen
from clipgrip.data import samples


def main() -> None:
    """Run both grids and write ``results/grid.json`` after each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", default=["digits", "surfaces"])
    parser.add_argument("--prompts", nargs="+", default=["textual", "visual", "multimodal"])
    parser.add_argument("--paradigms", nargs="+", default=list(PARADIGMS))
    parser.add_argument("--strategies", nargs="+", default=list(STRATEGIES))
    parser.add_argument("--presets", nargs="+", default=["default"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--name", default="grid", help="of the file in results/")
    parser.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir()) / "clipgrip-grid"
    )
    chosen = parser.parse_args()
    print(machine())
    found = {}
    for name in chosen.sets:
        settings = GridSettings(
            data=as_class_folders(name, chosen.folder),
            out=chosen.folder / f"{name}-grid",
            prompts=tuple(chosen.prompts),
            paradigms=tuple(chosen.paradigms),
            strategies=tuple(chosen.strategies),
            presets=tuple(chosen.presets),
            template=TEMPLATES[name],
            seeds=chosen.seeds,
        )
        result = run_grid(settings, Screen())
        print(text_table(result.rows), flush=True)
        found[name] = {"facts": result.facts, "rows": result.rows}
        record(chosen.name, found)


def as_class_folders(name: str, folder: Path) -> Path:
    """A demo set as one folder per class."""
    sample, target = getattr(samples, name)(folder / f"{name}-sample"), folder / name
    with open(sample.truth, encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            place = target / row["label"] / Path(row["path"]).name
            if not place.is_file():
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(sample.images / row["path"], place)
    return target


if __name__ == "__main__":
    main()
