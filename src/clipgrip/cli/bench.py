"""clipgrip bench grid."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import typer

from clipgrip.cli.arguments import option
from clipgrip.cli.columns import padded
from clipgrip.cli.options import Setting
from clipgrip.cli.ui import Result, Ui
from clipgrip.config import Preset, Prompt, Strategy
from clipgrip.files import utf8_bytes
from clipgrip.sentences import Sentence
from clipgrip.words import ENGLISH, Words, mark

Known = Literal["flowers102", "resisc45", "fgvc-aircraft", "mnist", "eurosat", "dtd"]
Paradigm = Literal["UL", "SSL", "TRZSL"]
LEFT = (("", 6), (mark("strategy"), 11), (mark("prompt"), 12), (mark("preset"), 8))
"""Columns of text, with their widths."""
RIGHT = (
    *((mark("test"), 14), (mark("gain"), 7), (mark("poor"), 7), (mark("rich"), 7)),
    (mark("time"), 9),
)
"""Columns of numbers."""


def grid(
    ui: Ui,
    data: Annotated[
        Path,
        typer.Argument(help="One folder of images per class, or the downloaded folder of --set."),
    ],
    known: Annotated[
        Known | None, option("Read the official files of a known set.", "--set")
    ] = None,
    prompt: Annotated[
        list[Prompt] | None, option("What is tuned; once for each.  [default: textual]")
    ] = None,
    paradigm: Annotated[
        list[Paradigm] | None, option("Which labels are known; once for each.  [default: all]")
    ] = None,
    strategy: Annotated[list[Strategy] | None, option("Once for each.  [default: all]")] = None,
    preset: Annotated[list[Preset] | None, option("Once for each.  [default: default]")] = None,
    template: Annotated[
        str | None, option("Text around a class name; known sets bring their own.")
    ] = None,
    shots: Annotated[int, typer.Option(help="Labels per class in SSL.")] = 2,
    repeats: Annotated[
        int, typer.Option(help="How often labels are drawn anew: seeds 0, 1, ...")
    ] = 3,
    test_share: Annotated[
        float, typer.Option(help="Share held out to measure, where there is no official split.")
    ] = 0.3,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="A few images and two rounds: does it all work?")
    ] = False,
    out: Annotated[
        Path | None, option("Folder for the results.  [default: clipgrip-bench/NAME]")
    ] = None,
    *,
    backbone: Annotated[str, Setting()],
) -> Result:
    """Run the paper's grid on a data set whose labels are known, and compare.

    Test images are held out first, labels are drawn anew with each seed, finished cells are kept: the same command goes
    on where it was stopped.
    """
    from clipgrip.bench.run import GridResult, GridSettings, run_grid
    from clipgrip.report.grid import build_grid
    from clipgrip.written import write_dated

    folder = out or Path("clipgrip-bench") / (known or data.resolve().name)
    settings = GridSettings(
        data=data,
        out=folder,
        known=known,
        prompts=tuple(prompt or ("textual",)),
        paradigms=tuple(paradigm or get_args(Paradigm)),
        strategies=tuple(strategy or get_args(Strategy)),
        presets=tuple(preset or ("default",)),
        backbone=backbone,
        template=template,
        shots=shots,
        seeds=repeats,
        test_share=test_share,
        smoke=smoke,
    )
    screen, page = ui.screen, folder / "results.html"

    def show(result: GridResult) -> None:
        html = utf8_bytes(build_grid(result.facts, result.rows, ui.language))
        write_dated(page, html, "bench", screen.note)

    with screen.live():
        result = run_grid(settings, screen, show)
    lines = [
        text_table(result.rows, ui.say),
        Sentence("page         {page}", page=page),
        Sentence("figures      {folder}", folder=folder / "results.csv"),
    ]
    return Result(lines, {**result.facts, "rows": list(result.rows)})


def text_table(rows: Sequence[dict[str, Any]], say: Words = ENGLISH) -> str:
    """What the page shows, for a terminal."""
    left = " ".join(padded(say(name) if name else "", width) for name, width in LEFT)
    right = " ".join(padded(say(name), width, right=True) for name, width in RIGHT)
    return "\n".join(["", f"{left} {right}", *(_line(row) for row in rows), ""])


def _line(row: dict[str, Any]) -> str:
    from clipgrip.report.grid import gain

    spread = f" ± {100 * row['test_sd']:3.1f}" if row["test_sd"] is not None else ""
    test = "–" if row["test"] is None else f"{100 * row['test']:.1f}"
    changes = (gain(row), row["poor_change"], row["rich_change"])
    signed = " ".join("      –" if c is None else f"{100 * c:+7.1f}" for c in changes)
    return (
        f"{row['paradigm']:<6} {row['strategy']:<11} {row['prompt'] or '-':<12} {row['preset'] or '-':<8} "
        f"{test:>6}{spread:<8} {signed} {row['seconds']:7.1f} s"
    )
