"""The table of `ablate` for reading: ``python -m benchmarks.ablate_table [ablate_before]`` prints Markdown."""

from __future__ import annotations

import json
import sys
from typing import Any

from benchmarks.ablate import PARTS
from benchmarks.record import RESULTS


def main() -> None:
    """One line a number with its half and its double, one a branch."""
    name = sys.argv[1] if len(sys.argv) > 1 else "ablate"
    found = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
    rows = {row["what"]: row for row in found["rows"]}
    print(f"| {found['pools']} pools | " + " | ".join(f"{part}" for part in PARTS) + " |")
    print("|---|" + "---|" * len(PARTS))
    for what in dict.fromkeys(name.split(" x")[0] for name in rows if name != "default"):
        changes = [what] if what in rows else [f"{what} x0.5", f"{what} x2"]
        cells = [_cell([rows[one][part] for one in changes if one in rows]) for part in PARTS]
        value = found["settings"].get(what)
        print(f"| {what if value is None else f'`{what}` {value:g}'} | " + " | ".join(cells) + " |")


def _cell(changes: list[dict[str, Any]]) -> str:
    """Difference of the mean gain, and pools that moved by more than a point where some did."""
    return ", ".join(
        f"{one['difference']:+.2f}" + (f" ({one['better']}↑ {one['worse']}↓)" if moved(one) else "")
        for one in changes
    )


def moved(one: dict[str, Any]) -> bool:
    """Whether a pool changed by more than a point."""
    return bool(one["better"] or one["worse"])


if __name__ == "__main__":
    main()
