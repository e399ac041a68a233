"""The first thing a reader sees: what was done and how far it may be trusted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from clipgrip.advice.folders import folder_sentences
from clipgrip.advice.labels import held_out, label_sentences
from clipgrip.advice.model import UNTESTED, reasons, remedies
from clipgrip.advice.unlearned import occurring_sentences, unlearned_sentences
from clipgrip.report.audited import beside_the_test
from clipgrip.report.confidence import estimated, honest_words, went_back
from clipgrip.report.reading import Reading, Scores
from clipgrip.report.story import done, missing, strategy
from clipgrip.runs.knowledge import could_have_an_eye
from clipgrip.sentences import quoted
from clipgrip.words import Words, mark

Tone = Literal["good", "flat", "bad", "plain", "open", "audited", "guess"]
FEW_TEST_IMAGES = 100
SMALL_CHANGE = 0.02

BADGES: dict[Tone, str] = {
    "good": mark("Tuning helped"),
    "flat": mark("No clear difference"),
    "bad": mark("Tuning made it worse"),
    "plain": mark("Measured, not tuned"),
    "open": mark("Not measured yet"),
    "audited": mark("Measured by the audit"),
    "guess": mark("Guesses"),
}
HEADLINES: dict[Tone, str] = {
    "good": mark("{after} of the test images are answered right, {before} before tuning"),
    "flat": mark("{after} right after tuning, {before} before: too close to call"),
    "bad": mark("Only {after} right after tuning, {before} before: keep the untuned answers"),
    "plain": mark("CLIP without tuning answers {after} of the test images right"),
    "open": mark("{pool} images have an answer; how many are right is not measured yet"),
    "audited": mark("{after} of {n} images drawn at random are answered right"),
    "guess": mark(
        "The model seems to know nothing of these classes: take its {pool} answers for guesses"
    ),
}


@dataclass(frozen=True)
class Bar:
    """One accuracy with its interval, all shares from 0 to 1."""

    label: str
    kind: Literal["before", "after"]
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Figure:
    """A number to remember, with what it is."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Verdict:
    """All of the first section."""

    tone: Tone
    badge: str
    headline: str
    done: str
    strategy: str
    figures: list[Figure]
    points: list[str]
    bars: list[Bar] = field(default_factory=list)


def verdict(run: Reading, say: Words) -> Verdict:
    """The verdict in plain words."""
    tone = _tone(run)
    after, before, audited = run.after, run.before, run.facts.audited
    right = after["accuracy"] if after else audited.right.value if audited else None
    values = {
        "after": say.percent(right),
        "n": say.number(audited.right.total if audited else 0),
        "before": say.percent(before["accuracy"] if before else None),
        "pool": say.number(int(run.data.get("pool", len(run.facts.paths)))),
    }
    is_open = any(one.kind == "untested" for one in run.doubts)
    return Verdict(
        tone=tone,
        badge=say(BADGES["open" if is_open else tone]),
        headline=say(UNTESTED if is_open else HEADLINES[tone], **({} if is_open else values)),
        done=done(run, say),
        strategy=strategy(run, say),
        figures=_measured(run, after, say) if after else _unmeasured(run, say),
        points=missing(run, say)
        + _doubts(run, say)
        + folder_sentences(run.data.get("folders"), say)
        + went_back(run, say)
        + (_measured_points(run, after, say) if after else _by_audit(run, say))
        + label_sentences(run.metrics.get("labels"), say)
        + occurring_sentences(run.metrics, say)
        + unlearned_sentences(run.metrics, say)
        + ([] if after else _unmeasured_points(run, say)),
        bars=_bars(run, say),
    )


def _doubts(run: Reading, say: Words) -> list[str]:
    """What speaks against the answers, and what helps most, in this order."""
    given, eye = int(run.data.get("labeled", 0)), could_have_an_eye(run.metrics)
    folder, learns, n = quoted(run.facts.folder), run.is_tuned, len(run.names)
    advised = remedies(run.doubts, n, say, given=given, learns=learns, run=folder, eye=eye)
    return reasons(run.doubts, say) + advised


def _tone(run: Reading) -> Tone:
    if run.guesses:
        return "guess"
    if run.after is None:
        return "audited" if run.facts.audited else "open"
    if not run.is_tuned or run.before is None:
        return "plain"
    effects: dict[int, Tone] = {1: "good", 0: "flat", -1: "bad"}
    return effects[run.effect]


def _bars(run: Reading, say: Words) -> list[Bar]:
    bars = []
    if run.before:
        bars.append(_bar(say("Zero-shot CLIP"), "before", run.before))
    if run.after and run.is_tuned:
        bars.append(_bar(say("After tuning"), "after", run.after))
    return bars


def _bar(label: str, kind: Literal["before", "after"], scores: Scores) -> Bar:
    low, high = scores["interval"]
    return Bar(label, kind, scores["accuracy"], low, high)


def _measured(run: Reading, after: Scores, say: Words) -> list[Figure]:
    figures = [Figure(say("Accuracy"), say.percent(after["accuracy"]), _interval(after, say))]
    if run.is_tuned and run.before:
        change = after["accuracy"] - run.before["accuracy"]
        fixed, broken = run.paired
        note = say("{fixed} put right, {broken} put wrong", fixed=fixed, broken=broken)
        figures.append(Figure(say("Change by tuning"), say.points(change), note))
    if after.get("harmonic_mean") is not None:
        figures.append(Figure(say("Classes with labels"), say.percent(after.get("seen"))))
        note = say("harmonic mean of both {mean}", mean=say.percent(after["harmonic_mean"]))
        figures.append(
            Figure(say("Classes without labels"), say.percent(after.get("unseen")), note)
        )
    figures.append(Figure(say("Test images"), say.number(after["n"]), say("never trained on")))
    return figures


def _interval(scores: Scores, say: Words) -> str:
    return say("95% interval {span}", span=say.span(scores["interval"]))


def _measured_points(run: Reading, after: Scores, say: Words) -> list[str]:
    points = [
        say(
            "On images like these, the accuracy lies between {low} and {high} with 95% confidence.",
            low=say.percent(after["interval"][0]),
            high=say.percent(after["interval"][1]),
        )
    ]
    points += _beside_the_commonest(run, after, say) + beside_the_test(run.facts.audited, say)
    if run.is_tuned and run.before:
        points.append(_paired_sentence(run, say))
    if after["n"] < FEW_TEST_IMAGES:
        points.append(
            say(
                "{n} test images are few: label more of them for a narrower interval.", n=after["n"]
            )
        )
    if weak := _weak(run, after):
        points.append(say("Found less than half of the time: {names}.", names=say.names(weak)))
    return points + _no_answers(run, say) + honest_words(run, say)


def _beside_the_commonest(run: Reading, after: Scores, say: Words) -> list[str]:
    common = after.get("commonest")
    if common is None:
        return []
    name, share = run.names[common[0]], common[1] / after["n"]
    texts = {"name": name, "share": say.percent(share)}
    if after["accuracy"] < share:
        return [
            say(
                "That is worse than to answer “{name}” for every test image: {share} right.",
                **texts,
            )
        ]
    return [say("To answer “{name}” for every test image would be {share} right.", **texts)]


def _weak(run: Reading, after: Scores) -> list[str]:
    found = zip(after["per_class"], run.names, strict=False)
    weak = [(share, name) for share, name in found if share is not None and share < 0.5]
    return [name for _, name in sorted(weak, key=lambda pair: pair[0])]


def _paired_sentence(run: Reading, say: Words) -> str:
    fixed, broken = run.paired
    sentence = say(
        "On the same test images, tuning put {fixed} wrong answers right, and {broken} right answers wrong.",
        fixed=say.number(fixed),
        broken=say.number(broken),
    )
    return sentence if run.effect else sentence + say(" ") + say("That may be chance.")


def _unmeasured(run: Reading, say: Words) -> list[Figure]:
    given = sum(count > 0 for count in run.pool_counts)
    figures = [_audited(run, say)]
    if run.unlabeled:
        shown = say("{given} of {all}", given=given, all=len(run.names))
        figures.append(Figure(say("Classes with answers"), shown))
    if run.unlabeled and run.rounds and not run.stopped:
        note = say("of the answers, in the last round")
        figures.append(Figure(say("Changed"), say.percent(run.rounds[-1]["changed"]), note))
    if (mean := run.pool.get("mean_confidence")) is not None:
        figures.append(
            Figure(say("Mean confidence"), f"{mean:.2f}", say("this is not the accuracy"))
        )
    return figures


def _audited(run: Reading, say: Words) -> Figure:
    found = run.facts.audited
    if found is None or found.right.exact is None:
        if labels := held_out(run.metrics):
            note = say("{n} labels, each held out in turn", n=say.number(labels["n"]))
            return Figure(say("Right on labels"), say.percent(labels["accuracy"], 0), note)
        return Figure(say("Accuracy"), say("unknown"), say("no test labels were given"))
    note = say("95% interval {span}", span=say.span(found.right.exact))
    return Figure(say("Accuracy"), say.percent(found.right.value), note)


def _by_audit(run: Reading, say: Words) -> list[str]:
    """The audited figure beside the commonest class."""
    found = run.facts.audited
    if found is None:
        return []
    texts = {"name": found.common, "share": say.percent(found.common_right.value)}
    if found.right.count < found.common_right.count:
        return [say("That is worse than “{name}” for every image: {share} right.", **texts)]
    return [say("“{name}” for every image would be {share} right.", **texts)]


def _unmeasured_points(run: Reading, say: Words) -> list[str]:
    points = [
        say(
            "The confidence is CLIP's own and uncalibrated: a mean of 0.90 does not mean that 90% of the answers "
            "are right."
        ),
    ]
    points += [] if run.facts.audited or held_out(run.metrics) else estimated(run, say)
    points += honest_words(run, say)
    if run.unlabeled:
        points += _no_answers(run, say) + _settled(run, say)
    if run.facts.audited:
        return points
    points.append(
        say(
            "To learn the accuracy, label 100 to 200 images picked at random as a test: at an accuracy of 70%, "
            "100 images tell it to ±9.0 points, 200 to ±6.4."
        )
    )
    return points


def _no_answers(run: Reading, say: Words) -> list[str]:
    counts = dict(zip(run.names, run.pool_counts, strict=False))
    empty = [name for name in counts if not counts[name] and name not in run.data.get("absent", ())]
    return [say("No image was given to: {names}.", names=say.names(empty))] if empty else []


def _settled(run: Reading, say: Words) -> list[str]:
    one_round = (run.metrics.get("labels") or {}).get("one_round")
    if not run.rounds or run.stopped or one_round:
        return []
    share = say.percent(changed := run.rounds[-1]["changed"])
    text = (
        mark(
            "The answers have settled: {share} changed in the last round. Settled is not yet right."
        )
        if changed < SMALL_CHANGE
        else mark("The answers have not settled: {share} still changed in the last round.")
    )
    return [say(text, share=share)]
