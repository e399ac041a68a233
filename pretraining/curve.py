"""The training curve, kept with the code: the numbers as CSV and a picture as SVG."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterable
from pathlib import Path

WIDTH, HEIGHT, PAD = 720, 360, 48
INKS: tuple[str, ...] = (
    "#444444",
    "#0072b2",
    "#56b4e9",
    "#d55e00",
    "#e69f00",
    "#009e73",
    "#cc79a7",
    "#f0e442",
)
INKS += ("#7f3c8d",)


def publish(source: Path, folder: Path) -> None:
    """Copy the numbers and draw the loss (dashed) and each family's zero-shot accuracy."""
    shutil.copyfile(source, folder / "curve.csv")
    (folder / "curve.svg").write_text(draw(read(source)), encoding="utf-8")


def read(path: Path) -> dict[str, list[float]]:
    """Columns by name."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows] for name in rows[0]}


def draw(columns: dict[str, list[float]]) -> str:
    """An SVG: steps to the right, 0..1 upwards; the loss is scaled by its highest value."""
    steps = columns["step"]
    series = {name: values for name, values in columns.items() if name != "step"}
    top = max(series["loss"])
    series["loss"] = [value / top for value in series["loss"]]
    lines = [_line(name, steps, values, row) for row, (name, values) in enumerate(series.items())]
    return "\n".join([*_frame(steps[-1], top), *lines, "</svg>\n"])


def _frame(last: float, top: float) -> Iterable[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH + 170} {HEIGHT}" '
        'font-family="sans-serif" font-size="12">'
    )
    yield f'<rect width="{WIDTH + 170}" height="{HEIGHT}" fill="white"/>'
    for tenth in range(0, 11, 2):
        y = _y(tenth / 10)
        yield f'<path d="M{PAD} {y:.0f}H{WIDTH}" stroke="#ddd"/>'
        yield f'<text x="{PAD - 28}" y="{y + 4:.0f}">{tenth / 10:.1f}</text>'
    yield f'<text x="{WIDTH - 110}" y="{HEIGHT - 10}">{last:.0f} steps</text>'
    yield f'<text x="{PAD}" y="20">held-out zero-shot; dashed: loss / {top:.2f}</text>'


def _line(name: str, steps: list[float], values: list[float], row: int) -> str:
    points = " ".join(
        f"{PAD + step / steps[-1] * (WIDTH - PAD):.1f},{_y(value):.1f}"
        for step, value in zip(steps, values, strict=True)
    )
    ink, dash = INKS[row % len(INKS)], ' stroke-dasharray="6 4"' if name == "loss" else ""
    label = (
        f'<text x="{WIDTH + 10}" y="{PAD + 20 * row}" fill="{ink}">{name} {values[-1]:.2f}</text>'
    )
    return f'<polyline points="{points}" fill="none" stroke="{ink}" stroke-width="2"{dash}/>{label}'


def _y(value: float) -> float:
    return HEIGHT - PAD + 10 - value * (HEIGHT - 2 * PAD)
