"""clipgrip labels learn."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clipgrip.cli.arguments import By, run_folders
from clipgrip.cli.ui import Result, Ui


def learn(
    ui: Ui,
    run: Annotated[
        Path,
        typer.Argument(
            help="Folder of a run that people have reviewed.",
            autocompletion=run_folders,
            show_default=False,
        ),
    ],
    by: By = "",
) -> Result:
    """Run the next round of a review: learn anew with what people answered, as the page does.

    Images of the random audit are kept out of learning. Run it again to go on where it was stopped.
    """
    from clipgrip.review.rounds import harms, next_round

    with ui.screen.live():
        done = next_round(run, by, ui.screen)
    facts = done.facts
    lines = [
        f"round {done.number}: {run / done.folder}",
        f"learned from {facts['labels']} labels; {facts['changed']} of {facts['images']} answers changed",
    ]
    if facts["audited"]:
        before, after = (
            100 * facts[key] / facts["audited"] for key in ("right_before", "right_after")
        )
        lines.append(
            f"right on {facts['audited']} audited images: {before:.1f} % before, {after:.1f} % after "
            f"({facts['put_right']} put right, {facts['put_wrong']} put wrong)"
        )
    else:
        lines.append(
            "what it brought is not measured: no image of a random audit was answered before it"
        )
    if harms(facts):
        lines.append(
            f"round {done.number} is held back: it made the audited answers worse, so the former model stays. "
            "The review page can use it anyway (Next round)."
        )
    more = {"round": done.number, "folder": run / done.folder, "held_back": harms(facts)}
    return Result(lines, {**facts, **more})
