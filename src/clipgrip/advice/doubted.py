"""Names that do not fit, as sentences in the reader's language."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from clipgrip.trust.naming import Verdict
from clipgrip.words import Words, mark

MARKS: dict[Verdict, str] = {
    "fits": mark("fits"),
    "nothing": mark("fits no group"),
    "other": mark("fits another's images"),
    "unknown": mark("too little to say"),
}


class ToldName(NamedTuple):
    """What is said of one class; ``other`` is the class whose images its text points at."""

    name: str
    verdict: Verdict
    other: str | None = None
    labeled: int = 0


def in_short(doubted: Sequence[str], classes: int, say: Words) -> str:
    """One sentence about the names that are doubted."""
    text = (
        mark("{n} of {classes} class texts does not seem to fit its images: {names}.")
        if len(doubted) == 1
        else mark("{n} of {classes} class texts do not seem to fit their images: {names}.")
    )
    quoted = [say("“{name}”", name=name) for name in doubted]
    return say(text, n=len(doubted), classes=classes, names=say.names(quoted, 4))


def where_to_look(command: str, say: Words) -> str:
    """Where more is said."""
    return say(
        "The report shows them under Names; {command} proposes other words.", command=command
    )


def reason(one: ToldName, say: Words) -> str:
    """Why a name is doubted; empty where it is not."""
    if one.verdict == "other":
        text = (
            mark("The text fits the images labeled “{other}” better than those labeled “{name}”.")
            if one.labeled
            else mark("The images that the text fits best are those of “{other}”.")
        )
        return say(text, other=one.other, name=one.name)
    if one.verdict != "nothing":
        return ""
    if one.labeled:
        return say.count(
            one.labeled,
            "The text does not fit the {n} image labeled so.",
            "The text does not fit the {n} images labeled so.",
        )
    return say(
        "No group of images is clearly what the text says: it does not fit what is seen, or hardly any such image is "
        "here."
    )


def how_to_take(review: str, say: Words) -> str:
    """What makes other words count; ``review`` is the command of the review."""
    return say(
        "To take other words, write them into the column prompt of the list of classes and run again, or keep them "
        "on the page Class names of {review}.",
        review=review,
    )
