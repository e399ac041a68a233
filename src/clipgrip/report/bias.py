"""Which classes are preferred or forgotten, what rounds do to that, and groups of images compared."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from clipgrip.report.mixups import Pair, mixups
from clipgrip.report.pictures import Picture, error_picture
from clipgrip.report.reading import Reading
from clipgrip.trust.bias import (
    ClassBias,
    answered_shares,
    class_bias,
    confused_pairs,
    drift,
    expected_shares,
    is_worse,
)
from clipgrip.trust.groups import GroupShare, compare_groups
from clipgrip.words import Words

DOUBT = 0.5
"""Answers below this confidence are doubtful."""
STRIPS, IN_A_STRIP = 3, 6
"""Pairs of classes whose errors are shown, and pictures of each."""


@dataclass(frozen=True)
class ErrorStrip:
    """Typical errors of one pair of classes."""

    pair: Pair
    pictures: list[Picture]


@dataclass(frozen=True)
class GroupTable:
    """The groups of one column, the highest share first."""

    column: str
    groups: tuple[GroupShare, ...]


@dataclass(frozen=True)
class BiasSection:
    """Sentences, class rows, pictures of errors and group tables; what is not there is empty."""

    basis: str
    sentences: list[str]
    rows: tuple[ClassBias, ...]
    strips: list[ErrorStrip]
    tables: list[GroupTable]
    is_tested: bool


def bias_section(run: Reading, say: Words) -> BiasSection:
    """What the report says of bias: against the test's truth, or without one against an estimate."""
    test = run.facts.test
    if test is not None:
        known = test.labels >= 0
        probs, n = test.probs[known], len(run.names)
        expected = torch.bincount(test.labels[known], minlength=n) / max(1, int(known.sum()))
        basis = say("Expected are the true shares of the test images.")
    else:
        probs = run.facts.probs[run.rows]
        expected = expected_shares(probs)
        basis = say(
            "Expected shares are estimated: sure answers count as they are, doubtful ones for all classes alike. "
            "Without a test this is no proof."
        )
    found = class_bias(answered_shares(probs), expected, len(probs))
    sentences = [
        *_named(say("Answered far more often than expected: {names}."), found.preferred, run, say),
        *_named(say("Answered far less often than expected: {names}."), found.neglected, run, say),
    ] or [say("No class is answered far more or less often than expected.")]
    sentences.append(
        say(
            "{share} of the answers would have to change for the shares of the classes to be as expected.",
            share=say.percent(found.distance),
        )
    )
    sentences += _torn(run, say) if test is None else []
    sentences += _drift(run, say)
    rows = (*found.preferred, *found.neglected)[:10]
    return BiasSection(basis, sentences, rows, _strips(run), _tables(run), test is not None)


def _named(text: str, rows: tuple[ClassBias, ...], run: Reading, say: Words) -> list[str]:
    names = say.names([run.names[row.position] for row in rows])
    return [text.format(names=names)] if rows else []


def _torn(run: Reading, say: Words) -> list[str]:
    pairs = confused_pairs(run.facts.probs[run.rows], limit=3)
    named = [
        say("{first} / {second}", first=run.names[first], second=run.names[second])
        for first, second in pairs
    ]
    return [say("Most often torn between: {pairs}.", pairs=say.names(named))] if named else []


def _drift(run: Reading, say: Words) -> list[str]:
    before = ((run.metrics.get("zero_shot") or {}).get("pool") or {}).get("per_class")
    after = [entry["pool"]["per_class"] for entry in run.rounds if entry.get("pool")]
    if not before or not after:
        return []
    moved = drift([before, *after], expected_shares(run.facts.zero_shot[run.rows]))
    shares = {"was": say.percent(moved.distances[0]), "now": say.percent(moved.distances[-1])}
    if is_worse(moved, len(run.rows)):
        return [
            say(
                "Over the unlabeled images, rounds made the answers more one-sided: their distance to the estimated "
                "shares went from {was} to {now}. Check the preferred classes.",
                **shares,
            )
        ]
    return [
        say(
            "Over the unlabeled images, rounds did not make the answers more one-sided: their distance to the "
            "estimated shares went from {was} to {now}.",
            **shares,
        )
    ]


def _strips(run: Reading) -> list[ErrorStrip]:
    test = run.facts.test
    if test is None:
        return []
    called, strips = test.probs.argmax(1), []
    for pair in mixups(run).pairs[:STRIPS]:
        truth, answer = run.names.index(pair.first), run.names.index(pair.second)
        places = ((test.labels == truth) & (called == answer)).nonzero().flatten().tolist()
        strips.append(ErrorStrip(pair, [error_picture(run, test, p) for p in places[:IN_A_STRIP]]))
    return strips


def _tables(run: Reading) -> list[GroupTable]:
    test, columns = run.facts.test, run.facts.groups
    if test is not None:
        known = (test.labels >= 0).tolist()
        has = (test.probs.argmax(1) == test.labels).tolist()
    else:
        has = (run.facts.probs.max(1).values < DOUBT).tolist()
        known = [True] * len(has)
    tables = []
    for column, groups in columns.items():
        shown_groups = [group if keep else "" for group, keep in zip(groups, known, strict=True)]
        tables.append(
            GroupTable(column, compare_groups(shown_groups, has, comparisons=len(columns)))
        )
    return [table for table in tables if table.groups]
