"""What to label next after a review: by its newest round, without the images that people answered on the page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from clipgrip.labeling import suggest
from clipgrip.labeling.suggest import Suggestions
from clipgrip.review.store import has_review, newest_round, open_review
from clipgrip.runs.audit_sheet import Sheet
from clipgrip.runs.events import Listener


def from_run(
    folder: Path,
    n: int,
    *,
    audits: Sequence[Sheet] = (),
    seed: int = 0,
    listener: Listener | None = None,
) -> Suggestions:
    """The images whose answers help a finished run, or the newest round of its review, most.

    Raises:
        RunError: the folder holds no finished run, or its review is damaged.
        BackboneError: the model is not here, or is another one than the run's.
    """
    apart, answered = frozenset[str](), frozenset[str]()
    if has_review(folder):
        with open_review(folder) as review:
            answers = review.answers()
        apart = frozenset(one.image for one in answers if one.purpose == "audit")
        answered = frozenset(one.image for one in answers)
    return suggest.from_run(
        newest_round(folder),
        n,
        audits=audits,
        apart=apart,
        answered=answered,
        seed=seed,
        listener=listener,
    )
