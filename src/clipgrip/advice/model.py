"""Findings as sentences: what speaks against the answers, and what helps most, in the reader's language."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from clipgrip.data.glossary import proposed
from clipgrip.trust.knowledge import JUDGED, LABELS_PER_CLASS, Finding, Help, Kind, helps
from clipgrip.words import Words, mark

PROPOSED = 12
"""Proposals that one sentence holds."""
LARGER = "openai/clip-vit-base-patch32"
HEADLINE = mark("The model seems to know nothing of these classes: take its answers for guesses.")
UNTESTED = mark(
    "Nothing shows yet whether these answers are better than guesses: the model seems to know nothing of these "
    "classes, and no class has two labels, of which one could be held out."
)
SENTENCES: dict[Kind, str] = {
    "demo": mark(
        "nano is made for its demos, drawn digits and drawn metal surfaces, and these images are unlike them."
    ),
    "script": mark(
        "The model cannot read these texts and takes them for single bytes, as it was trained in another script: "
        "{names}."
    ),
    "some-unread": mark(
        "The model cannot read these texts and takes them for single bytes, as it was trained in another script: "
        "{names}."
    ),
    "alike": mark("To the model the texts of all classes are nearly the same text."),
    "codes": mark("These texts look like codes, and no code says what can be seen: {names}."),
    "pointless": mark(
        "No class text fits some of the images clearly better than the others; where a model knows its classes, "
        "it does."
    ),
    "no-better": mark(
        "On {total} labeled images it answers {right} right; “{common_class}” for every image would be right on "
        "{common}."
    ),
    "one-class": mark(
        "{share} of the images are answered “{name}”. Either nearly all of them are, or the model cannot tell the "
        "classes apart: label some images that are not, or answer a few drawn at random."
    ),
}
HELPS: dict[Help | Literal["learn", "more", "second"], str] = {
    "model": mark(
        "Take another model, for example --backbone {model} for photographs: clipgrip models lists them and says how "
        "one comes to this machine."
    ),
    "labels": mark(
        "Label about {labels} images, {each} of each class where possible, and run again: they teach the model and "
        "show how often it is right."
    ),
    "learn": mark(
        "Let the run learn from the labels that are there ({given}): the strategy zero-shot does not. Take --strategy "
        "grip, or leave --strategy away."
    ),
    "more": mark(
        "Label about {labels} more images, of every class, and run again: the labels that are there ({given}) are not "
        "enough to teach the model these classes."
    ),
    "second": mark(
        "Label one more image of each class and run again: each label is then held out in turn, and that shows how "
        "good the answers are."
    ),
    "words": mark(
        "Use other words: in the file of classes, the column prompt takes a few English words for what can be seen, "
        "as in “scratched metal surface”. The names that people read stay as they are."
    ),
}

EYE = mark(
    "With labels a second eye sees what no word says: add --eye texture, which ships and needs no weights."
)


def headline(say: Words, found: Sequence[Finding] = ()) -> str:
    """That the answers are guesses, or that nothing shows whether labels made more of them."""
    return say(headline_of(found))


def headline_of(found: Sequence[Finding]) -> str:
    """The same, to be translated."""
    return UNTESTED if any(one.kind == "untested" for one in found) else HEADLINE


def reasons(found: Sequence[Finding], say: Words) -> list[str]:
    """A sentence for each finding, and for names in another script the English that the glossary has for them."""
    others = [one for one in found if one.kind != "untested"]  # which is the headline
    return [text for one in others for text in [_reason(one, say), *_english(one, say)]]


def remedies(
    found: Sequence[Finding],
    classes: int,
    say: Words,
    *,
    given: int = 0,
    learns: bool = True,
    run: str = "",
    eye: bool = False,
) -> list[str]:
    """What to do, what helps most first; empty where the model is not in doubt.

    Args:
        given: labels that are there already.
        learns: whether the strategy learns from labels.
        run: the folder, as a word of a command, whose commands for labeling are named; empty on its review's own page.
        eye: whether a second eye could stand beside the model and none does.
    """
    wanted = max(JUDGED, LABELS_PER_CLASS * classes)
    more = max(LABELS_PER_CLASS * classes, wanted - given)
    values: dict[Help | Literal["learn", "more", "second"], dict[str, object]] = {
        "model": {"model": LARGER},
        "labels": {"labels": say.number(wanted), "each": LABELS_PER_CLASS},
        "learn": {"given": say.number(given)},
        "more": {"labels": say.number(more), "given": say.number(given)},
        "second": {},
        "words": {},
    }
    order: list[Help | Literal["learn", "more", "second"]] = list(helps(tuple(found)))
    if given and order:
        place = order.index("labels")
        order[place] = "second" if any(one.kind == "untested" for one in found) else "more"
        if not learns:  # nothing is nearer at hand than labels that only need to be used
            order = ["learn", *order[:place], *order[place + 1 :]]
    beside = (_where(run, say) if run else "") + (say(" ") + say(EYE) if eye else "")
    return [
        say(HELPS[one], **values[one]) + (beside if one in ("labels", "more", "second") else "")
        for one in order
    ]


def _where(run: str, say: Words) -> str:
    """The commands that show which images to label."""
    return say(" ") + say(
        "Which ones: on a page by {page}, as a sheet to fill by {sheet}.",
        page=f"clipgrip review {run}",
        sheet=f"clipgrip labels suggest {run}",
    )


def _english(one: Finding, say: Words) -> list[str]:
    """The glossary's words for the texts that the model cannot read."""
    if one.kind != "script":
        return []
    pairs = [f"{name} → {words}" for name in one.values["names"] if (words := proposed(name))]
    if not pairs:
        return [
            say(
                "The glossary of inspection terms has no English for them: write a few English words for what can be "
                "seen into the column prompt of the file of classes."
            )
        ]
    return [
        say(
            "The glossary of inspection terms proposes: {pairs}. Write such words into the column prompt of the file "
            "of classes; clipgrip init does so for new projects.",
            pairs=say.names(pairs, PROPOSED),
        )
    ]


def _reason(one: Finding, say: Words) -> str:
    values = dict(one.values)
    if "names" in values:
        values["names"] = say.names(values["names"], 3)
    if "share" in values:
        values["share"] = say.percent(values["share"], 0)
    return say(SENTENCES[one.kind], **values)
