"""How the answers were improved before each round learned from them, and why so."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from clipgrip.pseudolabel.refine import reasons
from clipgrip.report.reading import Reading
from clipgrip.words import Words, mark

JOINED = mark(
    "Each answer joins the tuned class names with a classifier of the images that learned from the same answers: "
    "words cannot say all that groups of images show."
)
WHY = {
    reasons.NOTHING_TO_DECIDE: mark("there was nothing to decide"),
    reasons.NONE_LOSES: mark("no class lost many of its images by it"),
    reasons.WOULD_DIVIDE: mark(
        "groups of similar images would have divided up a class that gets very many of the answers"
    ),
    reasons.LITTLE_RESISTANCE: mark("equally frequent classes ask for few changes"),
    reasons.NEARLY_EQUAL: mark("the classes seem to be about equally frequent"),
    reasons.UNEQUAL: mark(
        "the classes seem to be unequally frequent, or images are too few to tell"
    ),
    reasons.PER_CLASS: mark("on average {n} images for each class"),
    reasons.ABSENT: mark("{absent} of {classes} classes hardly appear in these images"),
    reasons.PER_PRESENT: mark("on average {n} images for each of the others"),
}


def refining(run: Reading, say: Words) -> list[str]:
    """A sentence for each stretch of rounds that were refined alike; none where rounds do not tell."""
    alike = groupby(_refined_rounds(run), key=lambda entry: entry["refined"])
    found = [_sentence([entry["number"] for entry in group], how, say) for how, group in alike]
    return [*found, say(JOINED)] if found and run.rounds[-1].get("joined") else found


def never_refined(run: Reading) -> bool:
    """Whether every round learned from answers that were left as they were."""
    return {entry["refined"]["method"] for entry in _refined_rounds(run)} == {"zero-shot"}


def would_divide(run: Reading) -> bool:
    """Whether a class that fills the images was kept whole in the last round."""
    rounds = _refined_rounds(run)
    return bool(rounds) and any(
        one["text"] == reasons.WOULD_DIVIDE for one in rounds[-1]["refined"]["why"]
    )


def _refined_rounds(run: Reading) -> list[dict[str, Any]]:
    """Rounds that say how they were refined; without reasons nobody asked for a refinement."""
    every = [entry for entry in run.rounds if (entry.get("refined") or {}).get("why")]
    return [entry for entry in every if entry["refined"]["method"] in reasons.DONE]


def _sentence(numbers: list[int], how: dict[str, Any], say: Words) -> str:
    first, last = numbers[0], numbers[-1]
    rounds = (
        say("Round {first}", first=first)
        if first == last
        else say("Rounds {first} to {last}", first=first, last=last)
    )
    why = [say(WHY[one["text"]], **one["values"]) for one in how["why"] if one["text"] in WHY]
    return say(
        "{rounds}: {done} ({why}).",
        rounds=rounds,
        done=say(reasons.DONE[how["method"]]),
        why=say("; ").join(why),
    )
