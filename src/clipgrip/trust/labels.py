"""What people's labels say of the answers, as sentences: the figure that needs no test set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clipgrip.words import Words


def label_sentences(facts: Mapping[str, Any] | None, say: Words) -> list[str]:
    """Of the part "labels" of metrics.json; nothing where no label taught."""
    if not facts:
        return []
    held = facts["held_out"]
    if held is None:
        return [
            say(
                "The run learned from {n} labels. No class has two, so none could be held out to see how good they "
                "are.",
                n=say.number(facts["given"]),
            )
        ]
    sentences = [
        say(
            "Of {n} labels, each held out in turn, {share} are answered right (95% interval {span}). Labels that were "
            "not drawn at random speak only for images like them.",
            n=say.number(held["n"]),
            share=say.percent(held["accuracy"], 0),
            span=say.span(held["interval"]),
        ),
        _beside(held, say),
    ]
    if facts["text_weight"] == 0:
        sentences.append(
            say("The class names say nothing of these images, so the labels alone decide.")
        )
    if not facts["uses_unlabeled"]:
        sentences.append(
            say(
                "The unlabeled images made these answers worse, so only the labels are learned from."
            )
        )
    if count := len(facts.get("contradicted", [])):
        sentences.append(
            say.count(
                count,
                "{n} label is not what the model says without it: one of the two is wrong. It comes first where the "
                "review asks for a second opinion.",
                "{n} labels are not what the model says without them: one of the two is wrong. They come first where "
                "the review asks for a second opinion.",
            )
        )
    return sentences


def held_out(metrics: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What a run's held-out labels say of its answers; None where none could be held out."""
    found: Mapping[str, Any] | None = (metrics.get("labels") or {}).get("held_out")
    return found


def labels_teach(facts: Mapping[str, Any] | None) -> bool:
    """Whether held-out labels are answered clearly better than the commonest class would: no guesses any more."""
    held = (facts or {}).get("held_out")
    return held is not None and held["interval"][0] > held["commonest"] / held["n"]


def _beside(held: Mapping[str, Any], say: Words) -> str:
    """The same labels by the commonest class, and by the names alone."""
    common = say.percent(held["commonest"] / held["n"], 0)
    if held["text"] is None:
        return say("The commonest class for all of them would be right in {common}.", common=common)
    return say(
        "The commonest class for all of them would be right in {common}, the class names alone in {names}.",
        common=common,
        names=say.percent(held["text"] / held["n"], 0),
    )
