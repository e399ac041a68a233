"""Images that a report is not about, and those that it cannot show."""

from __future__ import annotations

from clipgrip.report.reading import Reading
from clipgrip.words import Words, mark


def missing(run: Reading, say: Words) -> list[str]:
    """What the figures are not about, and what cannot be shown."""
    all_ = int(run.data.get("pool", 0)) + int(run.data.get("test", 0))
    values = {"all": say.number(all_)}
    sentences = []
    if run.facts.lost:
        text = mark(
            "{n} of the {all} images of the run are gone or cannot be read; this report is about the others only."
        )
        sentences.append(say(text, n=say.number(run.facts.lost), **values))
    if run.facts.unseen:
        text = mark(
            "The files of {n} of the {all} images are gone: they are counted, but cannot be shown."
        )
        sentences.append(say(text, n=say.number(run.facts.unseen), **values))
    return sentences
