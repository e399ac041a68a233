"""clipgrip bench grid."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, get_args

import typer

from clipgrip.cli.arguments import option
from clipgrip.cli.options import Setting
from clipgrip.cli.ui import Result, Ui
from clipgrip.config import Preset, Prompt, Strategy
from clipgrip.files import utf8_bytes
from clipgrip.sentences import Sentence

Known = Literal["flowers102", "resisc45", "fgvc-aircraft", "mnist", "eurosat", "dtd"]
Paradigm = Literal["UL", "SSL", "TRZSL"]


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
    from clipgrip.report.grid import build_grid, text_table
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
        text_table(result.rows),
        Sentence("page         {page}", page=page),
        Sentence("figures      {folder}", folder=folder / "results.csv"),
    ]
    return Result(lines, {**result.facts, "rows": list(result.rows)})
