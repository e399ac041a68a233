"""The facts of a run under the names a report uses."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from clipgrip.metrics import exact_interval
from clipgrip.report.facts import RunFacts
from clipgrip.runs.knowledge import doubts
from clipgrip.trust.knowledge import JUDGED, Finding, knows_nothing, no_better
from clipgrip.types import Labels

Scores = dict[str, Any]


@dataclass(frozen=True)
class Reading:
    """A view of the facts; what is not there is None or empty."""

    facts: RunFacts

    @property
    def metrics(self) -> dict[str, Any]:
        """The content of metrics.json."""
        return self.facts.metrics

    @property
    def settings(self) -> dict[str, Any]:
        """The run's settings."""
        return dict(self.metrics.get("settings", {}))

    @property
    def data(self) -> dict[str, Any]:
        """Counts, fingerprint and prompts of the data."""
        return dict(self.metrics.get("data", {}))

    @property
    def strategy(self) -> str:
        """zero-shot, supervised, fpl, ifpl or grip."""
        return str(self.settings.get("strategy", "zero-shot"))

    @property
    def takes_all(self) -> bool:
        """Whether rounds tuned on all images with soft targets, not on the k surest of each class."""
        return (self.metrics.get("method") or {}).get("select") == "everything"

    @property
    def is_tuned(self) -> bool:
        """Whether there is an after to compare with the before."""
        return self.strategy != "zero-shot"

    @property
    def rounds(self) -> list[dict[str, Any]]:
        """The rounds that were run, in order."""
        return list(self.metrics.get("rounds", []))

    @property
    def stopped(self) -> dict[str, Any] | None:
        """The round that ended the run before its time, why, and the round that is kept."""
        return self.metrics.get("stopped")

    @property
    def unlabeled(self) -> int:
        """Images that the model answered, as no label did; all, where an older run does not say."""
        return int(self.data.get("unlabeled", len(self.facts.paths)))

    @property
    def doubts(self) -> tuple[Finding, ...]:
        """What speaks against the answers: by the audit where people answered enough of it."""
        found, audited = doubts(self.metrics), self.facts.audited
        if audited is None or audited.right.total < JUDGED:
            return found
        if not no_better(audited.judged):
            return ()
        return (
            Finding("no-better", vars(audited.judged)),
            *(one for one in found if one.kind not in ("no-better", "untested")),
        )

    @property
    def guesses(self) -> bool:
        """Whether the answers are to be taken for guesses."""
        return knows_nothing(self.doubts)

    @property
    def best_round(self) -> dict[str, Any]:
        """The round whose answers the run gives; empty for zero-shot."""
        number = (
            self.stopped["kept"] if self.stopped else len(self.rounds) and self.rounds[-1]["number"]
        )
        return next((entry for entry in self.rounds if entry["number"] == number), {})

    @property
    def before(self) -> Scores | None:
        """Zero-shot answers on the test images."""
        return (self.metrics.get("zero_shot") or {}).get("test")

    @property
    def after(self) -> Scores | None:
        """The run's answers on the test images."""
        return (self.metrics.get("final") or {}).get("test")

    @property
    def pool(self) -> dict[str, Any]:
        """What the run's answers for the pool look like."""
        return dict((self.metrics.get("final") or {}).get("pool") or {})

    @property
    def names(self) -> tuple[str, ...]:
        """Display names of the classes."""
        return self.facts.class_names

    @cached_property
    def rows(self) -> Tensor:
        """Pool rows nobody labeled; all rows where all are labeled."""
        free = (self.facts.labels < 0).nonzero().flatten()
        return free if len(free) else torch.arange(len(self.facts.labels))

    @cached_property
    def answers(self) -> Labels:
        """(N,) the run's answer for each image of the pool."""
        return self.facts.probs.argmax(1)

    @cached_property
    def confidence(self) -> Tensor:
        """(N,) the probability of that answer."""
        return self.facts.probs.max(1).values

    @cached_property
    def pool_counts(self) -> list[int]:
        """(C,) answers given."""
        counts = torch.bincount(self.answers[self.rows], minlength=len(self.names)).tolist()
        return list(self.pool.get("per_class") or counts)

    @cached_property
    def test_counts(self) -> list[int]:
        """(C,) test images of each class; empty without a test."""
        if self.facts.test is None:
            return []
        labels = self.facts.test.labels
        return torch.bincount(labels[labels >= 0], minlength=len(self.names)).tolist()

    @cached_property
    def paired(self) -> tuple[int, int]:
        """Test images that tuning put right, and those it put wrong."""
        test = self.facts.test
        if test is None:
            return 0, 0
        known = test.labels >= 0
        was = (test.zero_shot.argmax(1) == test.labels)[known]
        now = (test.probs.argmax(1) == test.labels)[known]
        return int((now & ~was).sum()), int((was & ~now).sum())

    @property
    def effect(self) -> int:
        """1 where tuning helped beyond chance, -1 where it harmed, 0 where it cannot be told apart.

        Of the test images whose verdict changed, the share put right is compared with one half (95%, two-sided).
        """
        fixed, broken = self.paired
        low, high = exact_interval(fixed, fixed + broken)
        return int(low > 0.5) - int(high < 0.5)
