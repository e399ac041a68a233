"""Each class on a line: what it was given, how much of it is found, and how that changed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from clipgrip.evaluate import robin_hood
from clipgrip.report.reading import Reading
from clipgrip.words import Words

SHOWN = 40
"""Up to so many classes stand in one open table; above, the worst ones and a folded table of all."""
WORST = 20
CLEAR = 0.05
"""Mean changes that differ by less are called alike."""


@dataclass(frozen=True)
class ClassRow:
    """One class. Shares are from 0 to 1, None where there is nothing to measure."""

    position: int
    name: str
    prompt: str
    answers: int
    share: float
    pseudolabels: int | None
    tests: int | None
    found: float | None
    precision: float | None
    before: float | None
    is_short: bool

    @property
    def change(self) -> float | None:
        """Found after less found before."""
        if self.found is None or self.before is None:
            return None
        return self.found - self.before


def class_rows(run: Reading) -> list[ClassRow]:
    """All classes, those that need attention first: found least, or without a test answered least."""
    rows = [_row(run, c) for c in range(len(run.names))]
    return sorted(
        rows, key=lambda row: (2.0 if row.found is None else row.found, row.answers, row.position)
    )


def _row(run: Reading, c: int) -> ClassRow:
    last = run.best_round
    after, before = run.after or {}, run.before or {}
    return ClassRow(
        position=c,
        name=run.names[c],
        prompt=str(_at(run.data.get("prompts"), c) or ""),
        answers=run.pool_counts[c],
        share=run.pool_counts[c] / max(1, max(run.pool_counts)),
        pseudolabels=_at(last.get("per_class"), c),
        tests=_at(run.test_counts, c),
        found=_at(after.get("per_class"), c),
        precision=_at(after.get("precision"), c),
        before=_at(before.get("per_class"), c),
        is_short=run.names[c] in last.get("short_classes", ()),
    )


def _at(values: Any, c: int) -> Any:
    return values[c] if values and c < len(values) else None


def spread_sentences(run: Reading, say: Words) -> list[str]:
    """Whether tuning helped the poor classes ("Robin Hood"), and how the worst tenth did."""
    if not (run.is_tuned and run.before and run.after):
        return []
    before, after = _tensor(run.before["per_class"]), _tensor(run.after["per_class"])
    return _robin_hood(before, after, say) + _worst_tenth(before, after, say)


def _robin_hood(before: Tensor, after: Tensor, say: Words) -> list[str]:
    poor, rich = robin_hood(before, after)
    if math.isnan(poor) or math.isnan(rich):
        return []
    figures = say(
        "Poor classes (found less often than the average before tuning) changed by {poor} on average, the others by "
        "{rich}.",
        poor=say.points(poor),
        rich=say.points(rich),
    )
    return [figures + say(" ") + _meaning(poor, rich, say)]


def _meaning(poor: float, rich: float, say: Words) -> str:
    if poor < -CLEAR:
        return say("Tuning cost the weak classes: look at them before use.")
    if poor > rich + CLEAR:
        return say("Tuning helped the weak classes most.")
    if rich > poor + CLEAR:
        return say("The weak classes gained less than the strong ones.")
    return say("The weak classes gained about as much as the strong ones.")


def _worst_tenth(before: Tensor, after: Tensor, say: Words) -> list[str]:
    known = ~(before.isnan() | after.isnan())
    n = int(known.sum()) // 10
    if n == 0:
        return []
    was, now = (values[known].sort().values[:n].mean().item() for values in (before, after))
    text = say(
        "The worst tenth of the classes is found {was} of the time before, {now} after.",
        was=say.percent(was),
        now=say.percent(now),
    )
    return [text]


def _tensor(values: list[float | None]) -> Tensor:
    return torch.tensor(
        [math.nan if value is None else value for value in values], dtype=torch.double
    )
