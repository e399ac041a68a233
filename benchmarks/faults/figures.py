"""The figures of the campaign: kept in results/faults.json, shown in docs/reliability.md."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.faults.trials import Case, Trial
from benchmarks.record import RESULTS, machine, record

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"
NAME = "faults"


@dataclass
class Figures:
    """What was tried so far with one seed, by kind of fault."""

    seed: int
    kept: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def read(cls, seed: int, folder: Path = RESULTS) -> Figures:
        """What was kept with this seed."""
        path = folder / f"{NAME}.json"
        found = json.loads(path.read_text("utf-8")) if path.exists() else {}
        if found.get("seed") != seed:
            return cls(seed)
        return cls(seed, {one["kind"]: one for one in found["trials"]})

    def holds(self, case: Case) -> bool:
        """Whether this kind was tried as often before, or until there was nothing more to try, and nothing was bad."""
        kept = self.kept.get(case.kind, {})
        if kept.get("bad"):
            return False
        trials = kept.get("trials", 0)
        return bool(trials == case.times or 0 < trials < min(kept.get("asked", 0), case.times))

    def keep(self, trial: Trial) -> None:
        """In the place of what was kept of this kind."""
        self.kept[trial.kind] = {**trial.plain(), "date": date.today().isoformat()}

    def write(self, parts: Sequence[str]) -> None:
        """The file, and the page's table in the order of the parts."""
        rows = sorted(self.kept.values(), key=lambda one: parts.index(one["part"]))
        record(NAME, {"seed": self.seed, "trials": rows})
        before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
        text = f"{before}{BEGIN}\n{table(rows, self.seed)}\n{END}{rest.partition(END)[2]}"
        PAGE.write_text(text, "utf-8")


def table(rows: Sequence[dict[str, Any]], seed: int) -> str:
    """The figures as they stand in the page."""
    days = sorted({row["date"] for row in rows})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    total, bad = (sum(row["trials"] for row in rows), sum(len(row["bad"]) for row in rows))
    lines = [
        f"{when}, {machine()}, seed {seed}: {total:,} trials, {bad} bad.",
        "",
        "| fault | trials | bad | of these |",
        "| --- | ---: | ---: | --- |",
    ]
    for row in rows:
        seen = ", ".join(f"{number} {what}" for what, number in row["seen"].items())
        lines.append(f"| {row['kind']} | {row['trials']:,} | {len(row['bad'])} | {seen} |")
    return "\n".join(lines)
