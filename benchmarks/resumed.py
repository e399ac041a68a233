"""Rows of a long measurement, kept one a line as soon as they are there, so that it can go on where it was stopped."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(tempfile.gettempdir()) / "clipgrip-benchmarks"


@dataclass
class Rows:
    """What was measured so far, and the file that it is kept in."""

    file: Path
    rows: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, name: str, asked: dict[str, Any], *, go_on: bool) -> Rows:
        """An earlier call's rows, if it asked for the same and is to ``go_on``; else none."""
        file = FOLDER / f"{name}.jsonl"
        head = json.dumps(asked)
        lines = file.read_text("utf-8").splitlines() if go_on and file.exists() else []
        if lines[:1] != [head]:
            lines = [head]
        file.parent.mkdir(exist_ok=True)
        file.write_text("\n".join(lines) + "\n", "utf-8")
        return cls(file, [json.loads(line) for line in lines[1:]])

    def add(self, row: dict[str, Any]) -> None:
        """Keep one more."""
        self.rows.append(row)
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
