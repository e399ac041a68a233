"""Names that do not fit, as sentences in the reader's language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
    example: str = ""
    """Where an image that people gave the class lies."""


def exchanges(found: Sequence[ToldName]) -> list[tuple[ToldName, ...]]:
    """Labeled classes whose texts point at each other's images in a ring: names or labels changed places.

    Nothing here tells which of the two; only whoever looks at the images knows.
    """
    left = {one.name: one for one in found if one.verdict == "other" and one.labeled}
    rings = []
    for name in list(left):
        ring, then = [name], _after(name, left)
        while then and then not in ring:
            ring.append(then)
            then = _after(then, left)
        if then == name:
            rings.append(tuple(left.pop(one) for one in ring))
    return rings


def exchanged(found: Iterable[ToldName]) -> set[str]:
    """The names in any of these rings."""
    return {one.name for ring in exchanges(list(found)) for one in ring}


def _after(name: str, left: Mapping[str, ToldName]) -> str | None:
    """The class whose images a text points at; None where it is in no ring that is open."""
    return left[name].other if name in left else None


def in_short(found: Sequence[ToldName], classes: int, say: Words) -> str:
    """The names that are doubted, and of those that changed places with others that it may be the labels."""
    rings = exchanges(found)
    others = [one.name for one in found if not any(one in ring for ring in rings)]
    sentences = [_exchanged(ring, say) for ring in rings]
    if others:
        text = mark(
            "{n} of {classes} class texts {n|does|do} not seem to fit {n|its|their} images: {names}."
        )
        names = say.names([say("“{name}”", name=name) for name in others], 4)
        sentences.insert(0, say(text, n=len(others), classes=classes, names=names))
    return say(" ").join(sentences)


def _exchanged(ring: Sequence[ToldName], say: Words) -> str:
    names = say.names([say("“{name}”", name=one.name) for one in ring])
    either = say(
        "Either the names or the labels of these {n} classes seem exchanged: {names}.",
        n=len(ring),
        names=names,
    )
    images = [one.example for one in ring if one.example]
    if not images:
        return either
    look = say("Look at images labeled so: {images}.", images=say.names(images, 3))
    return f"{either}{say(' ')}{look}"


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
        return say("The text does not fit the {n} images labeled so.", n=say.number(one.labeled))
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
