"""Why a refinement was taken, as sentences that can be said in other languages too."""

from __future__ import annotations

NOTHING_TO_DECIDE = "there is nothing to decide"
NONE_LOSES = "no class loses many of its images"
WOULD_DIVIDE = "clusters would divide up a class that gets many of the answers"
LITTLE_RESISTANCE = "equally frequent classes ask little of the answers"
NEARLY_EQUAL = "the classes seem to be about equally frequent"
UNEQUAL = "the classes seem to be unequally frequent, or images too few to tell"
PER_CLASS = "there are {n} images per class"
ABSENT = "{absent} of {classes} classes hardly appear in these images"
PER_PRESENT = "there are {n} images for each of the others"


class Reason(str):
    """One of these in English; ``text`` and ``values`` are for other languages."""

    text: str
    values: dict[str, int]

    def __new__(cls, text: str, **values: int) -> Reason:
        made = super().__new__(cls, text.format(**values))
        made.text, made.values = text, values
        return made
