"""From a folder to the facts for the board: by the review in it where there is one, else by the run itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from clipgrip.report.board.facts import BoardFacts
from clipgrip.report.board.from_review import review_facts
from clipgrip.report.board.from_run import Asked, run_facts
from clipgrip.review.store import has_review, open_review
from clipgrip.runs.events import Listener
from clipgrip.runs.reopen import reopen


def board_facts(folder: Path, asked: Asked, listener: Listener | None = None) -> BoardFacts:
    """Everything the report says about the run in a folder, the review in it included.

    Raises:
        RunError: the folder holds no finished run.
        ConfigError: an OK class that the run does not know.
    """
    if has_review(folder):
        with open_review(folder) as store:
            found = review_facts(folder, store, asked)
        if found is not None:
            return replace(found, home=str(folder))
    return run_facts(reopen(folder, listener), asked)
