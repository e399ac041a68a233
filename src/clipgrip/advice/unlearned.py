"""Classes of which a run learned nothing, since none of its images was taken for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clipgrip.words import Words, mark


def unlearned(metrics: Mapping[str, Any]) -> list[str]:
    """Their names; none where nothing was tuned, or where a test shows of each how often it is recognised.

    Of classes that could not occur something else is said (`occurring`).
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
