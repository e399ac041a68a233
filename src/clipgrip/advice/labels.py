"""What people's labels say of the answers, as sentences: the figure that needs no test set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clipgrip.words import Words, mark

FEW_A_CLASS = 3
"""Labels a class under which holding one out leaves hardly any: a held-out figure is then a lower bound."""
TRUSTED_FROM = 0.7
"""Share of held-out labels answered right from which a contradicted label is worth a second look."""


def label_sentences(facts: Mapping[str, Any] | None, say: Words) -> list[str]:
    """Of the part "labels" of metrics.json; nothing where no label taught."""
    if not facts:
        return []
    measured = facts["held_out"]
    if measured is None:
        text = say(
            "The run learned from {n} labels. No class has two, so none could be held out to see how good they are.",
            n=say.number(facts["given"]),
        )
        more = [
            *_misnamed(facts, say),
            *_without_a_label(facts, say),
            *_one_round(facts, say),
        ]
        return [*_of_all(facts, say), text, *_fit(facts, say), *more]
    sentences = [
        *_of_all(facts, say),
        say(
            "Of {n} labels, each held out in turn, {share} are answered right (95% interval {span}). Labels that were "
            "not drawn at random speak only for images like them.",
            n=say.number(measured["n"]),
            share=say.percent(measured["accuracy"], 0),
            span=say.span(measured["interval"]),
        ),
        _beside(measured, say),
        *_fit(facts, say),
        *_misnamed(facts, say),
        *_without_a_label(facts, say),
        *_of_few(facts, say),
    ]
    if not facts.get("has_text", True):
        sentences.append(say("No class has an embedding, so the labels alone decide."))
    elif facts["text_weight"] == 0:
        sentences.append(
            say("The class names add nothing to what the labels say, so the labels alone decide.")
        )
    if not facts["uses_unlabeled"] and facts.get("unlabeled") != 0:
        sentences.append(
            say(
                "The unlabeled images made these answers worse, so only the labels are learned from."
            )
        )
    return [*sentences, *_one_round(facts, say), *_contradicted(facts, measured, say)]


def _fit(facts: Mapping[str, Any], say: Words) -> list[str]:
    """How well it learned what it was told: no measure of new images; runs of before do not say."""
    found = facts.get("fit")
    if not found or not found["n"]:
        return []
    if found["right"] == found["n"]:
        text = mark("All {n} labels that it learned are answered as they were given.")
        return [say(text, n=say.number(found["n"]))]
    return [
        say(
            "Of the {n} labels that it learned, {right} are answered as they were given ({share}); the rest "
            "are answered otherwise.",
            n=say.number(found["n"]),
            right=say.number(found["right"]),
            share=say.percent(found["right"] / found["n"], 0),
        )
    ]


def _misnamed(facts: Mapping[str, Any], say: Words) -> list[str]:
    """Names that are not believed (`clipgrip.fewshot.misnamed`)."""
    names = facts.get("misnamed", [])
    if not names:
        return []
    if len(names) == 1:
        text = mark(
            "The labels of {names} contradict its name, which rather fits other images, so the labeled images count in "
            "its place. Check both: is the name right, and are its labels?"
        )
    else:
        text = mark(
            "The labels of {n} classes contradict their names, which rather fit other images, so the labeled images "
            "count in their place: {names}. Check both: are the names right, and are the labels?"
        )
    return [say(text, n=len(names), names=say.names(names))]


def _one_round(facts: Mapping[str, Any], say: Words) -> list[str]:
    """Why the other rounds that were asked for are not run."""
    if not facts.get("one_round") or not facts["uses_unlabeled"]:
        return []
    return [say("One round is run, since no held-out label shows that further rounds would help.")]


def _contradicted(facts: Mapping[str, Any], measured: Mapping[str, Any], say: Words) -> list[str]:
    """Labels that a model which is mostly right would not have given."""
    count = len(facts.get("contradicted", []))
    if not count or measured["accuracy"] < TRUSTED_FROM:
        return []
    return [
        say(
            "{n} labels are not what the model says without {n|it|them}: one of the two is wrong. {n|It comes|They "
            "come} first where the review asks for a second opinion.",
            n=say.number(count),
        )
    ]


def _of_all(facts: Mapping[str, Any], say: Words) -> list[str]:
    """Nothing is left to sort: the run is worth what it says of new images."""
    if facts.get("unlabeled") != 0:
        return []
    return [
        say(
            "Every image has a label, so there is nothing left to sort here: the run makes a classifier of new images "
            "from them, and holding labels out (cross-validation) measures it."
        )
    ]


def _of_few(facts: Mapping[str, Any], say: Words) -> list[str]:
    labeled = [count for count in facts["per_class"] if count]
    if sum(labeled) >= FEW_A_CLASS * len(labeled):
        return []
    return [
        say(
            "With so few labels a class that figure is too low: while one is held out, its class has hardly any."
        )
    ]


def held_out(metrics: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What a run's held-out labels say of its answers; None where none could be held out."""
    found: Mapping[str, Any] | None = (metrics.get("labels") or {}).get("held_out")
    return found


def labels_teach(facts: Mapping[str, Any] | None) -> bool:
    """Whether held-out labels are answered clearly better than the commonest class would: no guesses any more."""
    measured = (facts or {}).get("held_out")
    return measured is not None and measured["interval"][0] > measured["commonest"] / measured["n"]


def _without_a_label(facts: Mapping[str, Any], say: Words) -> list[str]:
    """Of classes that nobody gave a label, no figure says anything."""
    without = sum(count == 0 for count in facts["per_class"])
    if not without:
        return []
    if facts["text_weight"] == 0:
        return [
            say(
                "{n} classes have no label and {n|is never answered, since its name says|are never answered, since "
                "their names say} nothing of these images. Label some of {n|it|each}.",
                n=say.number(without),
            )
        ]
    return [
        say(
            "{n} classes have no label: only {n|its name speaks for it|their names speak for them}, and no figure here "
            "is about {n|it|them}.",
            n=say.number(without),
        )
    ]


def _beside(measured: Mapping[str, Any], say: Words) -> str:
    """The same labels by the commonest class, and by the names alone."""
    common = say.percent(measured["commonest"] / measured["n"], 0)
    if measured["text"] is None:
        return say("The commonest class for all of them would be right in {common}.", common=common)
    return say(
        "The commonest class for all of them would be right in {common}, the class names alone in {names}.",
        common=common,
        names=say.percent(measured["text"] / measured["n"], 0),
    )
