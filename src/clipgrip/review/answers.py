"""People's opinion on each image, from all answers to it; and how long people took to answer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from clipgrip.review.states import ImageState
from clipgrip.review.store import Answer, StoredClass

LONGEST = 120.0
"""Most seconds per image that count as answering: longer, and the person was away from the screen."""


@dataclass(frozen=True)
class Opinion:
    """What people say of an image together. ``klass`` is the class id if it is decided."""

    state: ImageState
    klass: int | None
    people: tuple[str, ...]
    """The persons whose answers count, in the order of these."""
    by_person: tuple[tuple[str, int | None], ...]
    """Each person's last answer: (person, class id), None for "cannot tell"."""
    audit: bool
    """Drawn at random to measure: never learned from."""


def effective(classes: Iterable[StoredClass]) -> dict[int, int | None]:
    """Class id -> the class that it counts as today; None where it was split or taken away."""
    known = {one.id: one for one in classes}

    def follow(id_: int) -> int | None:
        one = known[id_]
        if one.state == "merged" and one.merged_into is not None:
            return follow(one.merged_into)
        return one.id if one.state == "active" else None

    return {id_: follow(id_) for id_ in known}


def opinions(answers: Iterable[Answer], counts_as: Mapping[int, int | None]) -> dict[str, Opinion]:
    """Content hash -> opinion, from answers in their order (undone ones left out).

    Each person's last word counts; ``settle`` ends what was said before. An answer whose class was split or taken away
    ends it too: the image is to be answered again, and is left out here. An image of the audit stays in, ``open``: it
    is asked again in the audit, and never learned from.
    """
    by_image: dict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        by_image[answer.image].append(answer)
    judged = {image: _opinion(some, counts_as) for image, some in by_image.items()}
    return {
        image: one for image, one in judged.items() if one.audit or one.state != ImageState.OPEN
    }


def _opinion(answers: list[Answer], counts_as: Mapping[int, int | None]) -> Opinion:
    audit = any(answer.purpose == "audit" for answer in answers)
    words: dict[str, int | None] = {}
    asked = False
    for answer in answers:
        void = answer.klass is not None and counts_as.get(answer.klass) is None
        if void or answer.purpose == "settle":
            words, asked = {}, False
        if void:
            continue
        if answer.verdict == "ask":
            asked = True
            continue
        words.pop(answer.person, None)
        words[answer.person] = None if answer.klass is None else counts_as[answer.klass]
    classes = {klass for klass in words.values() if klass is not None}
    people = tuple(words)
    if not words and not asked:
        state = ImageState.OPEN
    elif len(classes) > 1:
        state = ImageState.DISAGREE
    elif asked and len(words) < 2:
        state = ImageState.ASKED
    else:
        state = ImageState.DECIDED if classes else ImageState.UNSURE
    klass = classes.pop() if state == ImageState.DECIDED else None
    return Opinion(state, klass, people, tuple(words.items()), audit)


@dataclass(frozen=True)
class Pace:
    """Measured time of answering: median and quartiles in seconds an image, and how many were measured."""

    measured: int
    low: float
    middle: float
    high: float
    total: float


def pace(answers: Iterable[Answer]) -> Pace | None:
    """How long people took for an image; None before the first measured answer.

    Looks of more than ``LONGEST`` seconds are left out of the quartiles and count as ``LONGEST`` in the total.
    """
    looks = [answer.seconds for answer in answers if answer.seconds is not None]
    short = sorted(look for look in looks if look <= LONGEST)
    if not short:
        return None
    low, middle, high = (short[int(share * (len(short) - 1) + 0.5)] for share in (0.25, 0.5, 0.75))
    return Pace(len(short), low, middle, high, sum(min(look, LONGEST) for look in looks))
