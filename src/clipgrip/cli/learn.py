"""clipgrip labels learn."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from clipgrip.cli.arguments import By, argument, run_folders
from clipgrip.cli.ui import Result, Ui
from clipgrip.sentences import Sentence

if TYPE_CHECKING:
    from clipgrip.review.store import ReviewRound


def learn(
    ui: Ui,
    run: Annotated[
        Path, argument("Folder of a run that people have reviewed.", autocompletion=run_folders)
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
    more = {"round": done.number, "folder": run / done.folder, "held_back": harms(facts)}
    return Result(_lines(done, run / done.folder), {**facts, **more})


def _lines(done: ReviewRound, folder: Path) -> list[str]:
    """What a person reads."""
    from clipgrip.review.rounds import harms

    facts = done.facts
    lines: list[str] = [
        Sentence("round {number}: {folder}", number=done.number, folder=folder),
        Sentence(
            "learned from {labels} labels; {changed} of {images} answers changed",
            labels=facts["labels"],
            changed=facts["changed"],
            images=facts["images"],
        ),
    ]
    if facts["audited"]:
        before, after = (
            100 * facts[key] / facts["audited"] for key in ("right_before", "right_after")
        )
        lines.append(
            Sentence(
                "right on {audited} audited images: {before}% before, {after}% after ({right} put "
                "right, {wrong} put wrong)",
                audited=facts["audited"],
                before=f"{before:.1f}",
                after=f"{after:.1f}",
                right=facts["put_right"],
                wrong=facts["put_wrong"],
            )
        )
    else:
        lines.append(
            Sentence(
                "what it brought is not measured: no image of a random audit was answered before it"
            )
        )
    if harms(facts):
        lines.append(
            Sentence(
                "round {number} is held back: it made the audited answers worse, so the former model "
                "stays. The review page can use it anyway (Next round).",
                number=done.number,
            )
        )
    return lines
