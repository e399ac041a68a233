"""clipgrip bench."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from clipgrip.cli.screen import Screen


def bench(
    data: Annotated[
        Path,
        typer.Argument(help="One folder of images per class, or the downloaded folder of --set."),
    ],
    known: Annotated[
        str | None,
        typer.Option(
            "--set",
            help="flowers102, resisc45, fgvc-aircraft, mnist, eurosat or dtd: read its official files.",
            show_default=False,
        ),
    ] = None,
    prompts: Annotated[
        str, typer.Option(help="textual, visual, visual-deep, multimodal, with commas.")
    ] = "textual",
    paradigms: Annotated[str, typer.Option(help="UL, SSL, TRZSL.")] = "UL,SSL,TRZSL",
    strategies: Annotated[
        str, typer.Option(help="zero-shot, supervised, fpl, ifpl, grip.")
    ] = "zero-shot,supervised,fpl,ifpl,grip",
    presets: Annotated[str, typer.Option(help="default, paper.")] = "default",
    backbone: Annotated[str, typer.Option(help="nano, a hub name, or a folder.")] = "nano",
    template: Annotated[
        str | None,
        typer.Option(
            help="Text around a class name; known sets bring their own.", show_default=False
        ),
    ] = None,
    shots: Annotated[int, typer.Option(help="Labels per class in SSL.")] = 2,
    seeds: Annotated[int, typer.Option(help="How often labels are drawn anew.")] = 3,
    test_share: Annotated[
        float, typer.Option(help="Share held out to measure, where there is no official split.")
    ] = 0.3,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="A few images and two rounds: does it all work?")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the results.  [default: clipgrip-bench/NAME]", show_default=False
        ),
    ] = None,
    lang: Annotated[str, typer.Option(help="Language of the page: en or ja.")] = "en",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print results.json instead of the table.")
    ] = False,
) -> None:
    """Run the paper's grid on a data set whose labels are known, and compare.

    Test images are held out first, labels are drawn anew with each seed, finished cells are kept: the same command goes
    on where it was stopped.
    """
    from clipgrip.cli.screen import Screen, utf8_output

    utf8_output()
    from clipgrip.bench.results import results_json
    from clipgrip.bench.run import GridResult, GridSettings, names, run_grid
    from clipgrip.cli.results import check_language
    from clipgrip.report.grid import build_grid, text_table

    check_language(lang)
    folder = out or Path("clipgrip-bench") / (known or data.resolve().name)
    settings = GridSettings(
        data=data,
        out=folder,
        known=known,
        prompts=names(prompts),
        paradigms=names(paradigms),
        strategies=names(strategies),
        presets=names(presets),
        backbone=backbone,
        template=template,
        shots=shots,
        seeds=seeds,
        test_share=test_share,
        smoke=smoke,
    )
    screen, page = Screen(), folder / "results.html"

    def show(result: GridResult) -> None:
        _write_page(page, build_grid(result.facts, result.rows, lang), screen)  # type: ignore[arg-type]

    with screen.live():
        result = run_grid(settings, screen, show)
    if as_json:
        typer.echo(results_json(result.facts, result.rows), nl=False)
        return
    typer.echo(text_table(result.rows))
    typer.echo(f"page         {page}")
    typer.echo(f"figures      {folder / 'results.csv'}")


def _write_page(page: Path, html: str, screen: Screen) -> None:
    from clipgrip.written import write_dated

    write_dated(page, html.encode("utf-8", "backslashreplace"), "bench", screen.note)
