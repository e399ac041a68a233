"""What is not known, what may go wrong, and where each figure comes from."""

from __future__ import annotations

from dataclasses import dataclass

from clipgrip.report.board.doubts import doubts
from clipgrip.report.board.figures import (
    assumption_text,
    evidence_text,
    promise_source,
    quantity,
)
from clipgrip.report.board.results import Results
from clipgrip.report.board.savings import measured
from clipgrip.words import Words, mark


@dataclass(frozen=True)
class Risk:
    """What may go wrong, what is known about it, and what is done."""

    name: str
    known: str
    done: str


@dataclass(frozen=True)
class SourceNote:
    """The letter behind a figure, and where it comes from."""

    letter: str
    text: str


def unknowns(results: Results, say: Words) -> tuple[str, ...]:
    """Everything a reader might take for granted and that nobody has measured."""
    return tuple(
        sentence
        for sentence in (
            *doubts(results, say),
            evidence_text(results, say) if results.accuracy is None else "",
            _lost(results, say),
            _no_ok(results, say),
            _unsure(results, say),
            _empty_classes(results, say),
            _against(results, say),
            _missing(results, say),
            _seconds(results, say),
            _errors_free(results, say),
        )
        if sentence
    )


def _lost(results: Results, say: Words) -> str:
    lost = say.number(results.facts.lost)
    text = mark("{n} images are gone or cannot be read, and stand in no figure here.")
    return say(text, n=lost) if results.facts.lost else ""


def risks(results: Results, say: Words) -> tuple[Risk, ...]:
    """Bias, drift, wrong labels, chance."""
    audits = results.savings.value("audits_per_year").middle
    return (
        Risk(
            say("Bias: one class, line or camera is judged worse than the others"),
            _weakest(results, say),
            say(
                "Misses and overkill stand apart for each class. clipgrip report --groups compares lines, cameras and "
                "shifts."
            ),
        ),
        Risk(
            say("Drift: parts, light or camera change after this result"),
            say(
                "The result holds for images like those of {created}.",
                created=say.date(results.facts.created)[:10],
            ),
            say(
                "{n} images a year are drawn at random and audited; this is in the cost. If more are wrong than "
                "promised, people decide again until the cause is found.",
                n=quantity(audits, say),
            ),
        ),
        Risk(
            say("Wrong labels: people err, too"),
            _people(results, say),
            say(
                "Look at the worst errors: some may be right, and the label wrong. A second person answers what is in "
                "doubt."
            ),
        ),
        Risk(
            say("Chance: a sample is not the whole"),
            say("Nothing is known: no image was answered.")
            if results.accuracy is None
            else evidence_text(results, say),
            say(
                "Every share stands with its 95% interval. A criterion is met where its worse end meets it."
            )
            if results.is_proven
            else say(
                "Every share stands with its 95% interval. A criterion is met where the share itself meets it."
            ),
        ),
    )


def sources(results: Results, say: Words) -> tuple[SourceNote, ...]:
    """The sources by letter."""
    facts = results.facts
    return (
        SourceNote("A", _answers_source(results, say)),
        SourceNote("B", promise_source(results, say)),
        SourceNote("C", _seconds_source(results, say)),
        SourceNote(
            "D",
            say(
                "Sums of the assumptions above; each formula stands in board.xlsx and follows its cells. Cautious and "
                "favourable differ from the middle by {spread}, where nothing else is given.",
                spread=say.percent(results.savings.spread, 0),
            ),
        ),
        SourceNote(
            "E",
            say(
                "Run {run} of {created} in {folder}: {pool}, model {backbone}, clipgrip {version}.",
                run=facts.run[:12],
                created=say.date(facts.created),
                folder=facts.folder,
                pool=say("{n} images", n=say.number(facts.pool)),
                backbone=facts.backbone,
                version=facts.clipgrip,
            ),
        ),
    )


def source_word(source: str, say: Words) -> str:
    """Where an assumption comes from, in a word."""
    if source == "measured":
        return say("measured")
    if source == "given":
        return say("assumed by you")
    return say("default") if source == "default" else say("unknown")


def _no_ok(results: Results, say: Words) -> str:
    if results.ok_classes or results.accuracy is None:
        return ""
    return say(
        "Which classes mean OK was not said (--ok-class), so misses and overkill are shown per class only."
    )


def _unsure(results: Results, say: Words) -> str:
    evidence = results.facts.evidence
    if evidence is None or not evidence.unsure:
        return ""
    return say(
        "People could not tell the class of {n} drawn images: that counts as wrong in the accuracy, and "
        "nowhere else.",
        n=say.number(evidence.unsure),
    )


def _empty_classes(results: Results, say: Words) -> str:
    empty = [one.name for one in results.classes if not one.missed.total]
    if not empty:
        return ""
    return say(
        "No answered image shows these classes, so their misses are unknown: {names}.",
        names=say.names(empty),
    )


def _against(results: Results, say: Words) -> str:
    """Assumptions of the reader's where the run itself shows another value."""
    against = []
    for one in results.savings.assumptions:
        seen = measured(one.key, results.facts) if one.source == "given" else None
        if seen is None or seen[0].middle == one.middle:
            continue
        assumed, found = (
            assumption_text(one, value, results.facts.currency, say)
            for value in (one.middle, seen[0].middle)
        )
        what = say(one.kind.what)
        against.append(
            say("{what} {assumed}, measured {found}", what=what, assumed=assumed, found=found)
        )
    if not against:
        return ""
    return say("Assumed by you, though it was measured: {names}.", names=say.names(against))


def _missing(results: Results, say: Words) -> str:
    free = results.savings.value("cost_per_error").middle == 0
    idle = {"error_rate"} if free else set()  # what costs nothing may stay unknown
    missing = [
        one
        for one in results.savings.assumptions
        if one.source == "unknown" and one.key not in idle
    ]
    if not missing:
        return ""
    return say(
        "Not known and not assumed: {names}. Give them with --assume, or fill the yellow cells of board.xlsx.",
        names=say.names([say(one.kind.what) for one in missing], 9),
    )


def _seconds(results: Results, say: Words) -> str:
    if results.savings.value("seconds_today").source != "measured":
        return ""
    return say(
        "The seconds were measured on the review page. Judging the part itself may take longer or shorter: measure it, "
        "and give seconds_today."
    )


def _errors_free(results: Results, say: Words) -> str:
    if results.savings.value("cost_per_error").source != "default":
        return ""
    return say(
        "What a wrong decision costs is not counted, neither of the model nor of people (cost_per_error)."
    )


def _weakest(results: Results, say: Words) -> str:
    worst = next((one for one in results.classes if one.missed.total), None)
    if worst is None:
        return say("Nothing is known: no image was answered.")
    return say(
        "Missed most: {name}, {share} ({count} of {total}).",
        name=worst.name,
        share=say.percent(worst.missed.value),
        count=worst.missed.count,
        total=worst.missed.total,
    )


def _people(results: Results, say: Words) -> str:
    evidence = results.facts.evidence
    if evidence is None:
        return say("Nobody has answered yet.")
    if not evidence.by:
        return say("Who labeled the images is not recorded.")
    return say("Answered by {names}.", names=say.names(evidence.by, 4))


def _answers_source(results: Results, say: Words) -> str:
    evidence = results.facts.evidence
    text = evidence_text(results, say)
    if evidence is None or results.accuracy is None:
        return text
    period = {"first": say.date(evidence.first), "last": say.date(evidence.last)}
    more = say("First answer {first}, last {last}; file {where}.", where=evidence.where, **period)
    return say(" ").join([text, more, say("Intervals: Wilson, 95%.")])


def _seconds_source(results: Results, say: Words) -> str:
    facts = results.facts
    efforts = [one for one in (facts.audit_effort, facts.review_effort) if one is not None]
    if not efforts:
        return say("No seconds per image were measured; those used are assumed.")
    answers, hours = sum(one.answers for one in efforts), sum(one.hours for one in efforts)
    return say(
        "Seconds per image measured over {answers} answers, {hours} hours in all; file {where}.",
        answers=say.number(answers),
        hours=f"{hours:.1f}",
        where=efforts[0].where,
    )


def assumption_rows(results: Results, say: Words) -> list[tuple[str, ...]]:
    """Label, the three cases, the source, and the key of each assumption."""
    rows: list[tuple[str, ...]] = []
    for one in results.savings.assumptions:
        low, middle, high = (
            assumption_text(one, value, results.facts.currency, say)
            for value in (one.cautious, one.middle, one.favourable)
        )
        rows.append((say(one.kind.what), low, middle, high, source_word(one.source, say), one.key))
    return rows
