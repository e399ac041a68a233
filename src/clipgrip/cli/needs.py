"""How many images a pilot needs, in one line for each purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clipgrip.words import Sentence, mark

if TYPE_CHECKING:
    from clipgrip.pilot.plan import Need

PURPOSES = (
    mark("precision"),
    mark("class precision"),
    mark("accuracy"),
    mark("misses"),
    mark("overkill"),
    mark("automated"),
    mark("payback"),
)
"""What a number of images is for, as criteria are called."""


def said_need(need: Need) -> Sentence:
    """What one purpose asks for."""
    truth: str = ""
    if need.truth is not None:
        truth = Sentence(", if the truth is {truth}%", truth=f"{100 * need.truth:g}")
    width: str = ""
    if need.half_width is not None:
        width = Sentence(" ±{points} points", points=f"{100 * need.half_width:g}")
    images = (
        Sentence("no number of images is enough")
        if need.images is None
        else Sentence("{n} images", n=need.images)
    )
    purpose = Sentence(need.purpose)
    return Sentence(
        "  {purpose}{width}: {images}{truth}",
        purpose=purpose,
        width=width,
        images=images,
        truth=truth,
    )
