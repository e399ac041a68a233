"""clipgrip next."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def next_(
    run: Annotated[Path, typer.Argument(help="Folder of a run that people have reviewed.")],
    by: Annotated[str, typer.Option(help="Who runs it.")] = "",
) -> None:
    """Run the next round of a review: learn anew with what people answered, as the page does.

    Images of the random audit are kept out of learning. Run it again to go on where it was stopped.
    """
    from clipgrip.cli.screen import Screen, utf8_output
    from clipgrip.review.rounds import harms, next_round

    utf8_output()
    screen = Screen()
    with screen.live():
        done = next_round(run, by, screen)
    facts = done.facts
    typer.echo(f"round {done.number}: {run / done.folder}")
    typer.echo(
        f"learned from {facts['labels']} labels; {facts['changed']} of {facts['images']} answers changed"
    )
    if facts["audited"]:
        before, after = (
            100 * facts[key] / facts["audited"] for key in ("right_before", "right_after")
        )
        typer.echo(
            f"right on {facts['audited']} audited images: {before:.1f} % before, {after:.1f} % after "
            f"({facts['put_right']} put right, {facts['put_wrong']} put wrong)"
        )
    else:
        typer.echo(
            "what it brought is not measured: no image of a random audit was answered before it"
        )
    if harms(facts):
        typer.echo(
            f"round {done.number} is held back: it made the audited answers worse, so the former model stays. "
            "The review page can use it anyway (Next round)."
        )
