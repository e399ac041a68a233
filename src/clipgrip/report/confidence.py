"""How far confidence may be believed, what is only estimated, and whether the rounds went astray."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from clipgrip.pseudolabel.stop import ALARMS, reasons_of
from clipgrip.report.figures import reliability_curve
from clipgrip.report.reading import Reading
from clipgrip.runs.confidence import estimate_of
from clipgrip.words import Words, mark

FIGURES = {
    "ece_equal_mass": mark("Calibration error (ECE, bins of equally many images)"),
    "nll": mark("Log loss (NLL)"),
    "brier": mark("Brier score"),
}
WHY = dict(
    zip(
        ALARMS,
        (
            mark("one class takes over images of others"),
            mark("a class that many images had is divided up among others"),
            mark("some classes are hardly answered any more"),
            ALARMS[3],
        ),
        strict=True,
    )
)


@dataclass(frozen=True)
class Confidence:
    """A diagram and its figures before and after calibration, ready to print."""

    basis: str
    rows: list[tuple[str, str, str]]
    svg: Markup


def confidence(run: Reading, say: Words) -> Confidence | None:
    """The section on calibration; None where too few labels tell."""
    found = run.metrics.get("calibration")
    if not found:
        return None
    rows = [
        (say(name), f"{found['before'][key]:.3f}", f"{found['after'][key]:.3f}")
        for key, name in FIGURES.items()
    ]
    diagram = found["diagram"]
    svg = reliability_curve("reliability", diagram["before"], diagram["after"])
    return Confidence(_basis(found, say), rows, svg)


def honest_words(run: Reading, say: Words) -> list[str]:
    """One sentence of the verdict on calibration."""
    found = run.metrics.get("calibration")
    if not found:
        return []
    before, after = (found[when]["ece_equal_mass"] for when in ("before", "after"))
    text = (
        say(
            "The confidence is off by {before} on average (calibration error); one temperature of {value} makes that "
            "{after}.",
            before=say.percent(before),
            after=say.percent(after),
            value=f"{found['temperature']:.2f}",
        )
        if found["answers"] == "final"
        else say(
            "The confidence of untuned CLIP is off by {before} on average, judged by the labels given; one temperature "
            "of {value} makes that {after}. Tuned answers cannot be judged by labels they were learned from.",
            before=say.percent(before),
            after=say.percent(after),
            value=f"{found['temperature']:.2f}",
        )
    )
    return [text]


def estimated(run: Reading, say: Words) -> list[str]:
    """The accuracy of the untuned answers by labels, or as far as it can be guessed, with its warning."""
    guess = estimate_of(run.metrics)
    by_labels = guess is not None and guess.get("signal") == "labels"
    if not guess or (run.guesses and not by_labels):
        return []
    if by_labels:
        return [
            say(
                "Untuned CLIP answers {right} of the {n} labeled images right: {value}, 95% interval {span}. Labels "
                "that were not drawn at random speak only for images like the labeled ones.",
                right=say.number(guess["right"]),
                n=say.number(guess["labels"]),
                value=say.percent(guess["accuracy"], 0),
                span=say.span(guess["interval"]),
            )
        ]
    return [
        say(
            "Estimated without labels, untuned CLIP answers perhaps {value} right ({span}). This is no measurement and "
            "can be further off than the interval says, above all where class names do not fit: a random audit of 200 "
            "images is within ±7 points.",
            value=say.percent(guess["accuracy"], 0),
            span=say.span(guess["interval"]),
        )
    ]


def went_back(run: Reading, say: Words) -> list[str]:
    """Says that the rounds went astray and which answers these are."""
    stop = run.stopped
    if not stop:
        return []
    reasons = say(", ").join(_why(reason, say) for reason in reasons_of(stop["reason"]))
    texts = {"round": stop["round"], "reasons": reasons}
    if not stop["kept"] and run.metrics.get("labels"):
        return [
            say(
                "The rounds went astray in round {round}: {reasons}. The run ended there, and the answers are those "
                "that the labels alone give.",
                **texts,
            )
        ]
    if not stop["kept"]:
        return [
            say(
                "The rounds went astray in round {round}: {reasons}. The run ended there, and the answers are untuned "
                "CLIP's.",
                **texts,
            )
        ]
    return [
        say(
            "The rounds went astray in round {round}: {reasons}. The run ended there, and the answers are those of "
            "round {kept}.",
            kept=stop["kept"],
            **texts,
        )
    ]


def _why(reason: str, say: Words) -> str:
    return say(WHY[reason]) if reason in WHY else reason


def _basis(found: dict[str, Any], say: Words) -> str:
    if found.get("judged_by") == "audit":
        return say(
            "On {n} images of the random audit. After: at a temperature fitted on them, each image judged by the "
            "temperature of the others. predictions.csv, the review and clipgrip predict show the confidence after.",
            n=say.number(found["n"]),
        )
    if found["answers"] == "final":
        return say(
            "On {n} test images. After: at a temperature fitted on the test images, each image judged by the "
            "temperature of the others. The answers above are not changed by it.",
            n=say.number(found["n"]),
        )
    return say(
        "Answers of untuned CLIP on {n} labeled images. After: at a fitted temperature, each image judged by the "
        "temperature of the others.",
        n=say.number(found["n"]),
    )
