"""Finished cells on the disk, and the table that is made of them, beside what the paper's authors published."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clipgrip.data.tables import csv_bytes
from clipgrip.files import naming, utf8_bytes, write_text_atomic
from clipgrip.sealed import DIGEST, is_whole, sealed
from clipgrip.written import write_dated

CELLS = "cells.jsonl"
KEYS = ("prompt", "paradigm", "strategy", "preset")
FIGURES = (
    *("test", "test_zero_shot", "pool", "pool_zero_shot", "seen", "unseen"),
    *("poor_change", "rich_change", "class_sd_before", "class_sd_after"),
    *("worst_before", "worst_after", "rounds", "values", "seconds", "peak_megabytes"),
)


class Finished:
    """One line for each finished cell; a line is on the disk before the next cell begins."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / CELLS
        self._known = self._read()

    def get(self, identity: str) -> dict[str, Any] | None:
        """The figures of a cell that is done."""
        return self._known.get(identity)

    def add(self, identity: str, figures: dict[str, Any]) -> None:
        """Keep a cell's figures, durably."""
        self._known[identity] = figures
        with naming(self._path), self._path.open("a", encoding="utf-8") as file:
            line = sealed({"id": identity, **figures})
            file.write(json.dumps(line, allow_nan=False) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def _read(self) -> dict[str, dict[str, Any]]:
        """A line that is not whole, as a killed process leaves it, or damaged is taken out; its cell runs again."""
        if not self._path.is_file():
            return {}
        known, whole = {}, []
        for line in self._path.read_text("utf-8", "replace").splitlines():
            try:
                figures = json.loads(line)
                if not is_whole(figures):
                    continue
                del figures[DIGEST]
                known[str(figures.pop("id"))] = figures
            except (ValueError, AttributeError, LookupError, TypeError, RecursionError):
                continue
            whole.append(line)
        write_text_atomic(self._path, "".join(f"{line}\n" for line in whole))
        return known


def summary(name: str, runs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row per cell over its seeds: mean and standard deviation of each figure, and the published one."""
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for run in runs:
        groups.setdefault(tuple(run[key] for key in KEYS), []).append(run)
    rows = []
    for key, members in groups.items():
        row: dict[str, Any] = {**dict(zip(KEYS, key, strict=True)), "seeds": len(members)}
        for figure in FIGURES:
            values = [m[figure] for m in members if m.get(figure) is not None]
            row[figure] = statistics.mean(values) if values else None
            row[f"{figure}_sd"] = statistics.stdev(values) if len(values) > 1 else None
        row["published"] = published(name, row["prompt"], row["paradigm"], row["strategy"])
        rows.append(row)
    return rows


def write_results(folder: Path, facts: dict[str, Any], rows: Sequence[dict[str, Any]]) -> None:
    """results.csv and results.json."""
    columns = list(rows[0]) if rows else list(KEYS)
    cells = ([_cell(row[column]) for column in columns] for row in rows)
    write_dated(folder / "results.csv", csv_bytes(columns, cells), "bench")
    text = json.dumps({**facts, "rows": list(rows)}, indent=1, ensure_ascii=False) + "\n"
    write_dated(folder / "results.json", utf8_bytes(text), "bench")


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else value


_SETS = ("flowers102", "resisc45", "fgvc-aircraft", "mnist", "eurosat", "dtd")
_PARADIGMS = ("SSL", "UL", "TRZSL")
_PUBLISHED = """
- zero-shot 63.7/63.7/63.4 54.5/54.5/54.5 17.6/17.6/17.9 25.1/25.1/20.8 32.9/32.9/30.5 43.2/43.2/43.4
textual supervised 76.8/-/63.2 58.5/-/63.4 14.9/-/21.7 56.4/-/21.2 59.5/-/49.7 37.1/-/46.3
textual grip 83.6/69.8/86.3 74.1/70.6/81.1 17.0/15.2/26.1 71.8/67.9/74.1 58.7/57.2/92.3 56.1/46.1/65.3
visual supervised 63.7/-/64.7 60.8/-/67.1 17.8/-/26.7 42.5/-/25.5 47.1/-/62.2 36.4/-/44.2
visual grip 67.9/63.1/77.2 71.2/68.4/82.2 19.4/17.5/26.4 69.7/68.0/69.5 63.5/63.7/97.0 54.6/50.5/62.8
multimodal supervised 68.0/-/61.1 62.8/-/58.8 11.1/-/15.9 64.4/-/63.6 68.9/-/60.4 43.7/-/36.9
multimodal grip 74.6/64.8/82.0 73.7/69.4/82.2 17.4/14.7/17.9 65.9/68.2/73.8 60.4/61.5/95.5 54.1/47.4/64.4
"""
"""README of the code of "Enhancing CLIP with CLIP", ViT-B/32, test accuracy in %: a word for each set.

TRZSL is the harmonic mean. The figures of EuroSAT were made with test images in the training folders.
"""


def published(name: str, prompt: str, paradigm: str, strategy: str) -> float | None:
    """The published share, or None where there is none."""
    rows = (line.split() for line in _PUBLISHED.strip().splitlines())
    found = {tuple(row[:2]): row[2:] for row in rows}.get((prompt or "-", strategy))
    if found is None or name not in _SETS:
        return None
    cell = found[_SETS.index(name)].split("/")[_PARADIGMS.index(paradigm)]
    return None if cell == "-" else float(cell) / 100
