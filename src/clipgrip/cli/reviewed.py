"""Which model a command means by a run that was reviewed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from clipgrip.cli.screen import Screen
from clipgrip.sentences import Sentence

if TYPE_CHECKING:
    from clipgrip.data.classes import ClassNames
    from clipgrip.runs.outcome import Outcome


def at_work(run: Path, screen: Screen) -> Path:
    """The folder of the newest round of a run's review, said on the screen; the run's own where there is none."""
    from clipgrip.review.store import newest_round

    newest = newest_round(run)
    if newest != run:
        screen.note(
            Sentence(
                "with the model that the review of {run} works with: {newest}",
                run=run,
                newest=newest,
            )
        )
    return newest


def classes_at_work(run: Path) -> ClassNames:
    """The classes of that round, so that a wrong name is told before any file is looked at."""
    from clipgrip.review.store import newest_round
    from clipgrip.runs.watch.upholding import classes_of

    return classes_of(newest_round(run))


def outcome_at_work(run: Path, screen: Screen) -> Outcome:
    """That round's outcome, with the progress of reading it; its folder is `at_work`'s."""
    from clipgrip.runs.reopen import reopen

    newest = at_work(run, screen)
    with screen.live():
        return reopen(newest, screen)
