"""Findings as sentences: what speaks against the answers, and what helps most, in the reader's language."""

from __future__ import annotations

from collections.abc import Sequence

from clipgrip.trust.knowledge import JUDGED, LABELS_PER_CLASS, Finding, Help, Kind, helps
from clipgrip.words import Words, mark

LARGER = "openai/clip-vit-base-patch32"
HEADLINE = mark("The model seems to know nothing of these classes: take its answers for guesses.")
SENTENCES: dict[Kind, str] = {
    "demo": mark(
        "nano is made for its demos, drawn digits and drawn metal surfaces, and these images are unlike them."
    ),
    "script": mark(
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
HELPS: dict[Help, str] = {
    "model": mark(
        "Take another model, for example --backbone {model} for photographs: clipgrip models lists them and says how "
        "one comes to this machine."
    ),
    "labels": mark(
        "Label about {labels} images, {each} of each class where possible, and run again: they teach the model and "
        "show how often it is right."
    ),
    "words": mark(
        "Use other words: in classes.csv, the column prompt takes a few English words for what can be seen, as in "
        "“scratched metal surface”. The names that people read stay as they are."
    ),
}


def headline(say: Words) -> str:
    """That the answers are guesses."""
    return say(HEADLINE)


def reasons(found: Sequence[Finding], say: Words) -> list[str]:
    """A sentence for each finding."""
    return [_reason(one, say) for one in found]


def remedies(found: Sequence[Finding], classes: int, say: Words) -> list[str]:
    """What to do, what helps most first; empty where the model is not in doubt."""
    labels = say.number(max(JUDGED, LABELS_PER_CLASS * classes))
    values: dict[Help, dict[str, object]] = {
        "model": {"model": LARGER},
        "labels": {"labels": labels, "each": LABELS_PER_CLASS},
        "words": {},
    }
    return [say(HELPS[one], **values[one]) for one in helps(tuple(found))]


def _reason(one: Finding, say: Words) -> str:
    values = dict(one.values)
    if "names" in values:
        values["names"] = say.names(values["names"], 3)
    if "share" in values:
        values["share"] = say.percent(values["share"], 0)
    return say(SENTENCES[one.kind], **values)
