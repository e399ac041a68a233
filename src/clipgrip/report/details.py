"""Everything that is needed to do the run again, as named tables of text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clipgrip.report.reading import Reading, Scores
from clipgrip.words import Words, mark

SCORES = {
    "accuracy": mark("Accuracy"),
    "ece": mark("Calibration error (ECE)"),
    "nll": mark("Log loss (NLL)"),
    "brier": mark("Brier score"),
    "seen": mark("Accuracy, classes with labels"),
    "unseen": mark("Accuracy, classes without labels"),
    "harmonic_mean": mark("Harmonic mean of the two"),
}


KEYS = {
    "backbone": mark("model"),
    "prompt": mark("what is tuned"),
    "strategy": mark("strategy"),
    "preset": mark("tuned numbers"),
    "rounds": mark("rounds"),
    "k": mark("pseudolabels a class"),
    "seed": mark("seed of random numbers"),
    "template": mark("text around a class name"),
    "candidates": mark("classes that unlabeled images may take"),
    "may_occur": mark("classes that may occur"),
    "precision": mark("number format"),
    "engine": mark("what computes"),
    "eye": mark("eyes beside the model"),
    "refinement": mark("better answers from the pool"),
    "fingerprint": mark("digest"),
    "labeled": mark("images with a label"),
    "unlabeled": mark("images without a label"),
    "not_used": mark("files not used"),
    "pool": mark("images to learn from"),
    "test": mark("images to measure on"),
    "logit_scale": mark("scale of the logits"),
    "name": mark("name"),
    "revision": mark("version"),
    "ingest": mark("reading the files"),
    "embed": mark("looking at the images"),
    "total": mark("all together"),
    "cpus": mark("processor cores"),
    "processor": mark("processor"),
    "system": mark("operating system"),
    "threads": mark("threads"),
}
"""What a key of metrics.json is, in words."""
TIMES = {**KEYS, "rounds": mark("tuning")}


@dataclass(frozen=True)
class DetailTable:
    """Lines of a name and one or more cells."""

    title: str
    rows: list[tuple[str, ...]]
    head: tuple[str, ...] = ()


def tables(run: Reading, say: Words) -> list[DetailTable]:
    """Settings, data, backbone, times, versions and scores, those that there are."""
    counts = {k: v for k, v in run.data.items() if not isinstance(v, list | tuple)}
    made = [
        _plain(say("Settings"), run.settings, say),
        _plain(say("Data"), counts, say),
        _plain(say("Backbone"), run.metrics.get("backbone", {}), say),
        _eyes(run, say),
        _times(run, say),
        _plain(
            say("Versions"),
            {"clipgrip": run.metrics.get("clipgrip", ""), **run.metrics.get("versions", {})},
            say,
        ),
        _plain(say("Machine"), run.metrics.get("machine", {}), say),
        _scores(run, say),
    ]
    return [table for table in made if table.rows]


def _plain(title: str, values: Mapping[str, Any], say: Words) -> DetailTable:
    plain = {key: value for key, value in values.items() if not isinstance(value, dict)}
    return DetailTable(title, [(_name(key, say), _text(value)) for key, value in plain.items()])


def _name(key: str, say: Words, keys: Mapping[str, str] = KEYS) -> str:
    """In words, with the key by which it stands in metrics.json and in options."""
    return say("{words} ({key})", words=say(keys[key]), key=key) if key in keys else key


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "–"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _eyes(run: Reading, say: Words) -> DetailTable:
    """What saw the images beside the model, and how much each counted."""
    eyes = run.metrics.get("eyes", ())
    rows: list[tuple[str, ...]] = [
        (
            eye["name"],
            say.percent(eye["share"] if eye.get("read", True) else None, 0),
            eye["fingerprint"],
        )
        for eye in eyes
    ]
    return DetailTable(
        say("Eyes beside the backbone"), rows, ("", say("Share"), say("Fingerprint"))
    )


def _times(run: Reading, say: Words) -> DetailTable:
    seconds = run.metrics.get("seconds", {})
    return DetailTable(
        say("Times"),
        [(_name(key, say, TIMES), say.seconds(value)) for key, value in seconds.items()],
    )


def _scores(run: Reading, say: Words) -> DetailTable:
    after = run.after or {}
    before = run.before if run.is_tuned else None
    head = ("", say("Before tuning"), say("After tuning")) if before else ()
    keys = [key for key in SCORES if after.get(key) is not None]
    rows = [(say(SCORES[key]), *_cells(key, before, after)) for key in keys]
    return DetailTable(say("Scores on the test images"), rows, head)


def _cells(key: str, before: Scores | None, after: Scores) -> tuple[str, ...]:
    both = (before, after) if before else (after,)
    return tuple(_text(scores.get(key)) for scores in both)
