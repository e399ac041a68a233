"""Why a refinement was chosen, as sentences that can be translated."""

from __future__ import annotations

from collections.abc import Mapping

from clipgrip.sentences import Sentence, mark

DONE = {
    "joined": mark("similar images improved the answers"),
    "co-training": mark("what eyes see and what the model sees taught each other"),
    "clusters": mark("groups of similar images improved the answers"),
    "balance": mark("the answers were improved by giving each class equally many images"),
    "half-balance": mark("the answers were moved half-way to equally many images of each class"),
    "zero-shot": mark("the answers were left as they were"),
}
"""What a method of refinement did, for people."""
NOTHING_TO_DECIDE = mark("there is nothing to decide")
NONE_LOSES = mark("no class loses many of its images")
WOULD_DIVIDE = mark("clusters would divide up a class that gets many of the answers")
LITTLE_RESISTANCE = mark("equally frequent classes ask little of the answers")
NEARLY_EQUAL = mark("the classes seem to be about equally frequent")
UNEQUAL = mark("the classes seem to be unequally frequent, or images too few to tell")
PER_CLASS = mark("there are {n} images per class")
ABSENT = mark("{absent} of {classes} classes hardly appear in these images")
PER_PRESENT = mark("there are {n} images for each of the others")


class Reason(Sentence):
    """One of the sentences above, with its numbers."""

    values: Mapping[str, int]

    @property
    def text(self) -> str:
        """The sentence without its numbers, to compare it with those above."""
        return self.template
