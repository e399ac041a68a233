"""From wealths to an alarm that people understand: which score, which way, since which image, with pictures."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from clipgrip_line.trust.changepoint import binned, change_point
from clipgrip_line.trust.drift import Course, budgets, period_budget, ringing
from clipgrip_line.trust.line import Alarm, SeenImage, State, WatchedLine
from clipgrip_line.trust.ranks import BLOCK, Codes, Counts, Values, counted
from clipgrip_line.trust.scores import SCORES, SHARE

ALPHA = 0.01
"""Usual budget: the probability that anything of a line ever rings while nothing has changed."""
OF_IMAGES = 0.25
"""Share of the budget for the images; the rest is for the promises, where evidence costs people's answers."""
PICTURES = 12
PERHAPS = 0.1
"""Share of the level of an alarm from which something may be changing: at most ten times as often false."""
ENOUGH = 20
"""Images from which a median says which way a score moved."""


def image_budgets(line: WatchedLine, period: int, classes: int) -> Values:
    """(M + C,) what each monitor may use in this period."""
    return budgets(len(SCORES), classes, period_budget(OF_IMAGES * line.alpha, period))


def loudest(line: WatchedLine, state: State) -> tuple[float, dict[str, Any]]:
    """How near the nearest monitor is to an alarm (1 rings), and which it is."""
    levels = state.monitors.wealth * image_budgets(line, state.period, len(state.monitors.labels))
    return float(np.max(levels)), _named(int(np.argmax(levels)))


def rung(
    line: WatchedLine,
    before: State,
    course: Course,
    history: Sequence[SeenImage],
    showable: Container[str] | None = None,
) -> dict[str, Any] | None:
    """Where and what rings first; None where nothing does. ``history``: the kept images, the new ones last.

    ``showable``: contents whose pictures can be shown, where not all can.
    """
    budget = image_budgets(line, before.period, len(course.monitors.labels))
    loud = ringing(course.wealth, budget)
    if not loud.any():
        return None
    first = int(loud.any(1).argmax())
    level = course.wealth[first] * budget
    monitor = int(np.where(loud[first], level, -1.0).argmax())
    at = before.images + first + 1
    facts = described(line, before, monitor, at, history, showable)
    others = set(np.flatnonzero(loud.any(0)).tolist()) - {monitor}
    return {"at": at, "facts": {**facts, "others": [_named(one) for one in sorted(others)]}}


def heard_more(alarm: Alarm, line: WatchedLine, before: State, course: Course) -> Alarm | None:
    """The alarm that still rings with the other monitors that have joined it; None where none has."""
    budget = image_budgets(line, before.period, len(course.monitors.labels))
    loud = np.flatnonzero(ringing(course.wealth, budget).any(0)).tolist()
    known = [*alarm.facts["others"], {one: alarm.facts[one] for one in ("monitor", "class")}]
    more = [_named(one) for one in loud if _named(one) not in known]
    if not more:
        return None
    return replace(alarm, facts={**alarm.facts, "others": [*alarm.facts["others"], *more]})


def described(
    line: WatchedLine,
    state: State,
    monitor: int,
    at: int,
    history: Sequence[SeenImage],
    showable: Container[str] | None = None,
) -> dict[str, Any]:
    """What an alarm says: the score, which way it moved, since when, and pictures from before and after."""
    named = _named(monitor)
    since, between = _dated(named, state, [one for one in history if one.number <= at])
    after = [one for one in history if one.number >= since]
    earlier = [one for one in history if one.number < since]
    rises = _rises(named, state, earlier, [one for one in after if one.number <= at])
    shown_before = _evenly(_typical(named, _of(earlier, showable)), PICTURES)
    shown_after = _plainest(named, rises, _of(after, showable))
    pictures = [{"path": one.path, "sha256": one.sha256} for one in shown_before]
    return {
        **named,
        "rises": rises,
        "since": since,
        "since_between": between,
        "since_at": after[0].seen_at if after else "",
        "before": (pictures + line.facts["pictures"])[:PICTURES],
        "after": [{"path": one.path, "sha256": one.sha256} for one in shown_after],
    }


def _of(images: Sequence[SeenImage], showable: Container[str] | None) -> list[SeenImage]:
    return [one for one in images if showable is None or one.sha256 in showable]


def _dated(
    named: dict[str, Any], state: State, history: Sequence[SeenImage]
) -> tuple[int, list[int]]:
    """Number of the image since which it most probably changed, and the first and the last that it may be.

    ``state``: the monitors before the images that rang; theirs of this period that are kept are no reference.
    """
    images = [one for one in history if one.number > state.before]
    codes, known = _values(named, images), sum(one.number <= state.images for one in images)
    if named["monitor"] == SHARE:
        seen = state.monitors.labels
        counts = np.array([seen.sum() - seen[named["class"]], seen[named["class"]]])
        bins, reference = codes, counts - np.bincount(codes[:known], minlength=2)
    else:
        seen = state.monitors.seen[SCORES.index(named["monitor"])]
        bins, reference = binned(codes, seen - counted(codes[:known, None])[0])
    found = change_point(bins, np.maximum(reference, 0))
    earliest = images[found.earliest - 1].number + 1 if found.earliest else images[0].number
    return images[found.likeliest].number, [earliest, images[found.latest].number]


def _named(monitor: int) -> dict[str, Any]:
    if monitor < len(SCORES):
        return {"monitor": SCORES[monitor], "class": None}
    return {"monitor": SHARE, "class": monitor - len(SCORES)}


def _values(named: dict[str, Any], images: Sequence[SeenImage]) -> Codes:
    if named["monitor"] == SHARE:
        return np.array([one.label == named["class"] for one in images], dtype=np.int64)
    place = SCORES.index(named["monitor"])
    return np.array([one.codes[place] for one in images], dtype=np.int64)


def _rises(
    named: dict[str, Any], state: State, earlier: Sequence[SeenImage], after: Sequence[SeenImage]
) -> bool:
    new, old = _values(named, after), _values(named, earlier)
    if named["monitor"] == SHARE:
        seen = state.monitors.labels
        share = old.mean() if len(old) >= ENOUGH else seen[named["class"]] / max(seen.sum(), 1)
        return bool(new.mean() > share)
    if len(old) >= ENOUGH:
        return bool(np.median(new) > np.median(old))
    return bool(np.median(new) > _median(state.monitors.seen[SCORES.index(named["monitor"])]))


def _median(counts: Counts) -> int:
    total = counts.reshape(BLOCK * BLOCK).cumsum()
    return int(np.searchsorted(total, (total[-1] + 1) // 2)) if total[-1] else 0


def _typical(named: dict[str, Any], images: Sequence[SeenImage]) -> list[SeenImage]:
    """The half of the images in the middle of a score; of a class's share, all."""
    values = _values(named, images)
    if named["monitor"] == SHARE or len(images) < 4 * PICTURES:
        return list(images)
    low, high = np.percentile(values, (25, 75))
    return [one for one, value in zip(images, values, strict=True) if low <= value <= high]


def _evenly(images: Sequence[SeenImage], most: int) -> list[SeenImage]:
    places = np.unique(np.linspace(0, len(images) - 1, min(most, len(images))).round().astype(int))
    return [images[place] for place in places.tolist()] if len(images) else []


def _plainest(named: dict[str, Any], rises: bool, images: Sequence[SeenImage]) -> list[SeenImage]:
    """The images that show the change most plainly, in the order in which they came."""
    values = _values(named, images)
    order = np.argsort(-values if rises else values, kind="stable")[:PICTURES]
    return [images[place] for place in np.sort(order).tolist()]
