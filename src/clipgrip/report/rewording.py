"""Names, other words for them and what these would change, as lines to read and as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.cells import cell_len

from clipgrip.advice.doubted import MARKS, ToldName, exchanges, how_to_take, in_short, reason
from clipgrip.data.classes import ClassNames
from clipgrip.files import AnyPath
from clipgrip.runs.rewording import AnswerChanges
from clipgrip.sentences import quoted
from clipgrip.trust.naming import NameFit, Naming
from clipgrip.words import Words, mark

NEARLY_ALL = 0.9
"""Share of the answers from which one class has swallowed the others."""
PAIRS = 4
"""Moves that are told for one wording, the most frequent ones."""


@dataclass(frozen=True)
class Tried:
    """Other texts for some classes, by position, or another template, and what it would change."""

    texts: dict[int, str]
    template: str | None
    moved: AnswerChanges

    def is_worth_a_try(self, now: Naming, *, judged: bool) -> bool:
        """Whether it moves answers and what is known speaks for it: labels, else how well the names fit.

        Where names are not ``judged`` and nothing is labeled, nothing is known: then no class may swallow the others.
        """
        moved = self.moved
        if not moved.moved:
            return False
        if moved.right is not None and (moved.right[0] != moved.right[1] or not judged):
            return moved.right[1] > moved.right[0]
        if not judged:
            before, swallowed = moved.largest
            return swallowed <= max(before, NEARLY_ALL)
        after = moved.fits
        pairs = [(now.names[c].fit, after.names[c].fit) for c in self.texts]
        gains = [round(a, 2) - round(b, 2) for b, a in pairs if a is not None and b is not None]
        fewer = len(now.doubted) - len(after.doubted)
        return min((fewer, *gains)) >= 0 and max((fewer, *gains)) > 0


@dataclass(frozen=True)
class Rewording:
    """All that is known of a run's names. ``against``: why the model is in doubt as a whole, no name is judged then."""

    classes: ClassNames
    names: Naming
    against: tuple[str, ...]
    proposed: tuple[Tried, ...]
    templates: tuple[Tried, ...]
    tried: tuple[Tried, ...]
    left_out: int = 0
    """Other words and templates that were tried and are not proposed: they would bring no gain."""
    examples: Mapping[str, str] = field(default_factory=dict)
    """By name, where an image that people gave the class lies."""
    labels_decide: bool = False
    """The run's answers come from labels alone, so that its own names move none of them."""

    @property
    def names_or_labels(self) -> list[list[str]]:
        """Classes whose names changed places, or their labels."""
        return [
            [one.name for one in ring]
            for ring in exchanges(list(map(self.about, self.names.doubted)))
        ]

    def about(self, one: NameFit) -> ToldName:
        """A name, to be said."""
        names = self.classes.display
        other = None if one.group is None else names[one.group]
        name = names[one.position]
        return ToldName(name, one.verdict, other, one.labeled, self.examples.get(name, ""))


def lines(found: Rewording, run: AnyPath, say: Words) -> list[str]:
    """To be read on a terminal; ``run`` is the folder to name."""
    shown = list(found.against) if found.against else _names(found, say)
    if found.labels_decide:
        text = mark(
            "In this run the labels alone decide: its names add nothing. All below is what the untuned model would "
            "answer; other words count once a new run finds that they help."
        )
        shown = [say(text), "", *shown]
    if found.proposed:
        shown += ["", say("Other words, and what the untuned model would answer with them:")]
        shown += [line for one in found.proposed for line in _trial(found, one, say)]
    if found.templates:
        shown += ["", say("Another text around every name:")]
        shown += [line for one in found.templates for line in _trial(found, one, say)]
    if found.left_out:
        shown += [
            "",
            say(
                "{n} other texts were tried and {n|is not listed: it|are not listed: they} would bring no gain.",
                n=say.number(found.left_out),
            ),
        ]
    if found.tried:
        shown += ["", say("Your words, and what the untuned model would answer with them:")]
        shown += [line for one in found.tried for line in _trial(found, one, say)]
    return [*shown, "", how_to_take(f"clipgrip review {quoted(run)}", say)]


def values(found: Rewording) -> dict[str, Any]:
    """The same as plain values."""
    judged = not found.against
    return {
        "judged": judged,
        "against": list(found.against),
        "labels_decide": found.labels_decide,
        "classes": [_class(found, one, judged) for one in found.names.names],
        "proposed": [_values(found, one) for one in found.proposed],
        "templates": [_values(found, one) for one in found.templates],
        "left_out": found.left_out,
        "names_or_labels_exchanged": found.names_or_labels,
        "tried": [_values(found, one) for one in found.tried],
    }


def _names(found: Rewording, say: Words) -> list[str]:
    names = found.classes.display
    width = min(30, max(map(cell_len, names)))
    shown = [
        f"{'' if one.fit is None else f'{one.fit:.2f}':>4}  {_padded(names[one.position], width)}  "
        f"{say(MARKS[one.verdict])}"
        for one in sorted(found.names.names, key=lambda n: (n.fit is None, n.fit, n.position))
    ]
    doubted = found.names.doubted
    head = say("How well each text fits its images, from 0 to 1; below 0.50 it is doubted:")
    if not doubted:
        return [head, *shown, say("No name is doubted.")]
    short = in_short([found.about(one) for one in doubted], len(names), say)
    why = [f"{names[one.position]}{say(': ')}{reason(found.about(one), say)}" for one in doubted]
    return [head, *shown, "", short, *why]


def _trial(found: Rewording, one: Tried, say: Words) -> list[str]:
    names, moved = found.classes.display, one.moved
    shown = [
        f"  {names[c]}{say(': ')}{say('“{name}”', name=text)}" for c, text in one.texts.items()
    ]
    if one.template is not None:
        shown.append(f"  {say('“{name}”', name=one.template)}")
    figures = [
        say(
            "{moved} of {of} answers would move.",
            moved=say.number(moved.moved),
            of=say.number(moved.of),
        )
    ]
    if not found.against:
        figures += [_fits(found, one, say)]
    if moved.right is not None:
        figures.append(
            say(
                "Right on {n} labeled images: {before} before, {after} after.",
                n=say.number(moved.labeled),
                before=say.number(moved.right[0]),
                after=say.number(moved.right[1]),
            )
        )
    own = {found.classes.prompts[c] for c in one.texts}
    if found.names_or_labels and len(own) > 1 and own == set(one.texts.values()):
        figures.append(
            say("Take this only if the names are what is exchanged, and not the labels.")
        )
    shown.append("    " + say(" ").join(figures))
    steps = [f"{names[a]} → {names[b]}{say(': ')}{n}" for a, b, n in moved.pairs[:PAIRS]]
    return shown + (["    " + say(", ").join(steps)] if steps else [])


def _fits(found: Rewording, one: Tried, say: Words) -> str:
    if len(one.texts) == 1:
        (c,) = one.texts
        before, after = (n.names[c].fit for n in (found.names, one.moved.fits))
        if before is None or after is None:
            return say(MARKS["unknown"])
        return say(
            "Fit {before} before, {after} after.", before=f"{before:.2f}", after=f"{after:.2f}"
        )
    return say(
        "Names doubted: {before} before, {after} after.",
        before=len(found.names.doubted),
        after=len(one.moved.fits.doubted),
    )


def _class(found: Rewording, one: NameFit, judged: bool) -> dict[str, Any]:
    names, c = found.classes.display, one.position
    return {
        "name": names[c],
        "text": found.classes.prompts[c],
        "fit": round(one.fit, 4) if judged and one.fit is not None else None,
        "verdict": one.verdict if judged else "unknown",
        "group": None if one.group is None or not judged else names[one.group],
        "labeled": one.labeled,
    }


def _values(found: Rewording, one: Tried) -> dict[str, Any]:
    names, moved, judged = found.classes.display, one.moved, not found.against
    facts: dict[str, Any] = {"texts": {names[c]: text for c, text in one.texts.items()}}
    if one.template is not None:
        facts["template"] = one.template
    return facts | {
        "moved": moved.moved,
        "of": moved.of,
        "pairs": [{"before": names[a], "after": names[b], "n": n} for a, b, n in moved.pairs],
        "fit": {names[c]: moved.fits.names[c].fit for c in one.texts} if judged else None,
        "doubted": [names[n.position] for n in moved.fits.doubted] if judged else None,
        "labeled": moved.labeled,
        "right_before": None if moved.right is None else moved.right[0],
        "right_after": None if moved.right is None else moved.right[1],
    }


def _padded(text: str, width: int) -> str:
    return text + " " * max(0, width - cell_len(text))
