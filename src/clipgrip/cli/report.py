"""clipgrip report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    lang: Annotated[str, typer.Option(help="Language: en or ja.")] = "en",
    groups: Annotated[
        Path | None,
        typer.Option(
            help="CSV with path and a column per grouping (line, camera, shift) to compare."
        ),
    ] = None,
) -> None:
    """Write report.html of a run anew, for example in another language."""
    from clipgrip.cli.results import check_language, write_report
    from clipgrip.cli.screen import Screen, utf8_output
    from clipgrip.runs.reopen import reopen

    utf8_output()
    check_language(lang)
    screen = Screen()
    with screen.live():
        outcome = reopen(run, screen)
    typer.echo(f"report       {write_report(outcome, lang, groups)}")
