"""What speaks against the model's answers, in the words of the report for the board."""

from __future__ import annotations

from clipgrip.advice.model import headline, reasons
from clipgrip.report.board.results import Results
from clipgrip.trust.knowledge import JUDGED, knows_nothing
from clipgrip.words import Words


def doubts(results: Results, say: Words) -> list[str]:
    """What speaks against the answers: measured, or seen before anything is."""
    found = results.facts.doubts
    if results.accuracy is not None and results.accuracy.total >= JUDGED:
        if results.common is None or not results.is_no_better:
            return []
        name, share = results.common
        text = say(
            "The model is no better than “{name}” for every image ({right} and {common} right of {total}).",
            name=name,
            right=say.number(results.accuracy.count),
            common=say.number(share.count),
            total=say.number(share.total),
        )
        return [text]
    return ([headline(say, found)] if knows_nothing(found) else []) + reasons(found, say)
