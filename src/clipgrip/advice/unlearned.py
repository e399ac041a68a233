"""Classes that no image of a run is: as somebody said, or as none was taken for them, and so none taught them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clipgrip.words import Words, mark


def unlearned(metrics: Mapping[str, Any]) -> list[str]:
    """Their names; none where nothing was tuned, or where a test shows of each how often it is recognised.

    Of classes that could not occur something else is said (`occurring_sentences`).
    """
    if not metrics["rounds"] or metrics["final"].get("test"):
        return []
    answered = metrics["final"]["pool"]["per_class"]
    labeled = (metrics.get("labels") or {}).get("per_class") or [0] * len(answered)
    classes, absent = metrics["data"]["classes"], metrics["data"].get("absent", ())
    counted = zip(classes, answered, labeled, strict=True)
    return [name for name, *some in counted if not any(some) and name not in absent]


def unlearned_sentences(metrics: Mapping[str, Any], say: Words) -> list[str]:
    """That such classes are recognised less often among new images (docs/decisions/0080 measures how much)."""
    names = unlearned(metrics)
    if not names:
        return []
    text = (
        mark(
            "No image here is taken for {names}. The run has none of this class to go by, so new images of it may be "
            "recognised less often than by the untuned model. If it can occur, add images of it and run again; if not, "
            "name those that can (--may-occur)."
        )
        if len(names) == 1
        else mark(
            "No image here is taken for {n} of the classes ({names}). The run has none of them to go by, so new "
            "images of them may be recognised less often than by the untuned model. Where they can occur, add images "
            "and run again; where not, name those that can (--may-occur)."
        )
    )
    return [say(text, n=say.number(len(names)), names=say.names(names))]


def occurring_sentences(metrics: Mapping[str, Any], say: Words) -> list[str]:
    """How many may, which of them labels added, and how the others are answered; nothing where nobody said so."""
    absent, classes = metrics["data"].get("absent"), metrics["data"]["classes"]
    if not absent:
        return []
    chosen = metrics["settings"]["may_occur"]
    added = [name for name in classes if name not in absent and name not in chosen]
    text = mark(
        "{n} of {classes} classes may occur here, as you said. The images here are taken for no other; of new images "
        "the names alone say whether they are of another."
    )
    if (metrics.get("labels") or {}).get("text_weight") == 0:
        text = mark(
            "{n} of {classes} classes may occur here, as you said. No image is taken for another, new ones neither, "
            "since the labels show that the names say nothing of these images: label some of the others too."
        )
    more = mark("Labels show that {names} occur too, so they are among them.")
    counts = {"n": say.number(len(classes) - len(absent)), "classes": say.number(len(classes))}
    return [say(text, **counts), *([say(more, names=say.names(added))] if added else [])]
