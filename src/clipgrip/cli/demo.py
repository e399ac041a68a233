"""clipgrip demo."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from clipgrip.cli.options import Setting
from clipgrip.cli.ui import Result, Ui
from clipgrip.sentences import combined
from clipgrip.words import Sentence

DemoSet = Literal["digits", "surfaces"]
"""Images that come with the package, or are made by it."""
TEMPLATES = {
    "digits": "a photo of the number {}.",
    "surfaces": "a photo of a metal surface with {}.",
}
STRATEGIES = ("fpl", "ifpl", "grip")


def demo(
    ui: Ui,
    which: Annotated[
        DemoSet, typer.Argument(help="Real handwritten digits, or generated metal parts.")
    ] = "digits",
    out: Annotated[Path, typer.Option(help="Folder for images and results.")] = Path(
        "clipgrip-demo"
    ),
    *,
    eye: Annotated[list[str] | None, Setting()] = None,
    seed: Annotated[int, Setting()],
) -> Result:
    """See it work offline: CLIP labels real images, a prompt is tuned on them, accuracy rises.

    No label is used to learn. The labels of the test images only measure.
    """
    from clipgrip.cli.results import write_report
    from clipgrip.config import project
    from clipgrip.data import samples
    from clipgrip.runs.pipeline import run
    from clipgrip.written import check_writable

    check_writable(out / which)
    eyes = tuple(eye or ())
    sample = getattr(samples, which)(out / which / "data")
    screen, rows = ui.screen, []
    for strategy in STRATEGIES:
        screen.note(f"{strategy.upper()}:")
        began = time.monotonic()
        options: dict[str, Any] = {
            "images": sample.images,
            "classes": sample.classes,
            "test": sample.test,
            "template": TEMPLATES[which],
            "strategy": strategy,
            "eye": eyes,
            "seed": seed,
            "out": out / which / "-".join([strategy, *(Path(one).name for one in eyes)]),
        }
        with screen.live():
            outcome = run(project(options), screen)
        seconds = time.monotonic() - began
        rows.append((strategy, outcome.metrics, None if outcome.run.finished else seconds))
    report = write_report(outcome, ui.language, screen.note)
    facts = {
        "set": which,
        "zero_shot": rows[0][1]["zero_shot"]["test"],
        "strategies": {name: m["final"]["test"] | {"seconds": s} for name, m, s in rows},
        "report": report,
    }
    return Result([table(rows), Sentence("report       {page}", page=report)], facts)


def table(rows: list[tuple[str, dict[str, Any], float | None]]) -> str:
    """Accuracy on the test images and seconds, zero-shot first; None seconds where the run was finished before."""
    zero_shot = rows[0][1]["zero_shot"]["test"]
    lines: list[str] = ["", Sentence("              accuracy    95% interval  seconds")]
    for name, scores, seconds in [
        ("zero-shot", zero_shot, ""),
        *(
            (n, m["final"]["test"], Sentence(" from before") if s is None else f" {s:>9.1f}")
            for n, m, s in rows
        ),
    ]:
        low, high = (100 * edge for edge in scores["interval"])
        line = Sentence(
            "{name} {right}% {low} to {high}{seconds}",
            name=f"{name:<12}",
            right=f"{100 * scores['accuracy']:>7.1f}",
            low=f"{low:>6.1f}",
            high=f"{high:>5.1f}",
            seconds=seconds,
        )
        lines.append(line)
    count = rows[0][1]["final"]["test"]["n"]
    measured = Sentence(
        "Measured on {count} test images that no round has seen; no label was used to learn.\n",
        count=count,
    )
    return combined([*lines, measured], "\n")
