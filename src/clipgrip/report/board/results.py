"""What the evidence says: shares with their intervals, each class, and the criteria one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf

from clipgrip.metrics import Share
from clipgrip.pilot.criteria import Criterion, Judgement, Measured, judge, overall
from clipgrip.pilot.power import answers_for_yes
from clipgrip.pilot.store import Version, in_force
from clipgrip.report.board.facts import BoardFacts, Counts
from clipgrip.report.board.savings import Savings, savings
from clipgrip.trust.knowledge import Judged as Compared
from clipgrip.trust.knowledge import no_better


@dataclass(frozen=True)
class ClassResult:
    """A class: of its images those answered otherwise, of the images given its name those that are of another."""

    name: str
    is_ok: bool
    missed: Share
    overkill: Share


@dataclass(frozen=True)
class JudgedCriterion:
    """A criterion with what was found and what follows; ``more`` answers would prove what is seen so far."""

    criterion: Criterion
    found: Measured
    judgement: Judgement
    more: int | None = None


@dataclass(frozen=True)
class Results:
    """Everything that is reckoned from the facts."""

    facts: BoardFacts

    @cached_property
    def savings(self) -> Savings:
        """Hours and money."""
        return savings(self.facts)

    @cached_property
    def version(self) -> Version | None:
        """The criteria that were fixed before the first answer."""
        evidence = self.facts.evidence
        return in_force(self.facts.versions, evidence.first if evidence else None)

    @property
    def ok_classes(self) -> tuple[str, ...]:
        """Classes that mean OK: as asked for, else as the criteria say."""
        if self.facts.ok_classes or self.version is None:
            return self.facts.ok_classes
        return tuple(one for one in self.version.pilot.ok_classes if one in self.facts.class_names)

    @cached_property
    def accuracy(self) -> Share | None:
        """Images answered right; None without answers of people."""
        counts, evidence = self._counts, self.facts.evidence
        if counts is None or evidence is None:
            return None
        right = sum(row[c] for c, row in enumerate(counts))
        return Share(right, _sum(counts) + evidence.unsure)

    @cached_property
    def common(self) -> tuple[str, Share] | None:
        """The class that most of the answered images are of, and how many would be right if it were every answer."""
        counts, accuracy = self._counts, self.accuracy
        if counts is None or accuracy is None:
            return None
        sizes = [sum(row) for row in counts]
        most = sizes.index(max(sizes))
        return self.facts.class_names[most], Share(sizes[most], accuracy.total)

    @property
    def has_figures(self) -> bool:
        """Whether there is anything to decide on: answers, a promise, or hours and money."""
        facts, sums = self.facts, self.savings.sums["middle"]
        found = (self.accuracy, facts.automation, sums.hours_saved, sums.cost_start)
        return bool(facts.assumed) or any(one is not None for one in found)

    @property
    def is_no_better(self) -> bool:
        """Whether the answers are no better than that class throughout, as far as people answered."""
        if self.common is None or self.accuracy is None:
            return False
        name, share = self.common
        return no_better(Compared(self.accuracy.count, share.count, share.total, name))

    @cached_property
    def misses(self) -> Share | None:
        """Of the images that are no OK part, those answered as OK; None without OK classes or answers."""
        return self._apart(bad=True)

    @cached_property
    def overkill(self) -> Share | None:
        """Of the OK parts, those answered as not OK; None without OK classes or answers."""
        return self._apart(bad=False)

    @cached_property
    def classes(self) -> tuple[ClassResult, ...]:
        """Every class, the one missed most first; classes without images last."""
        counts = self._counts
        if counts is None:
            return ()
        found = [
            ClassResult(
                name,
                name in self.ok_classes,
                Share(sum(counts[c]) - counts[c][c], sum(counts[c])),
                Share(sum(row[c] for row in counts) - counts[c][c], sum(row[c] for row in counts)),
            )
            for c, name in enumerate(self.facts.class_names)
        ]
        return tuple(sorted(found, key=_worst_first))

    @cached_property
    def judged(self) -> tuple[JudgedCriterion, ...]:
        """The criteria in their order; empty where none were fixed in advance."""
        if self.version is None:
            return ()
        return tuple(self._judge(one, self.version) for one in self.version.pilot.criteria)

    @property
    def is_proven(self) -> bool:
        """Whether the worse end of an interval is judged, not the value."""
        return self.version is None or self.version.pilot.rule == "proven"

    @property
    def judgement(self) -> Judgement | None:
        """The verdict; None where no criteria were fixed in advance."""
        return overall(one.judgement for one in self.judged) if self.version else None

    def _judge(self, criterion: Criterion, version: Version) -> JudgedCriterion:
        found = self._found(criterion)
        judgement = judge(criterion, found, version.pilot.rule)
        return JudgedCriterion(
            criterion, found, judgement, self._more(criterion, found, judgement, version)
        )

    def _found(self, criterion: Criterion) -> Measured:
        shares = {"accuracy": self.accuracy, "misses": self.misses, "overkill": self.overkill}
        if criterion.name in shares:
            share = shares[criterion.name]
            return Measured(None) if share is None else Measured(share.value, share.interval)
        if criterion.name == "payback":
            return self._payback
        automation = self.facts.automation
        classes = len(self.facts.class_names)
        if automation is None or not automation.keeps(criterion.max_error or 0, classes):
            return Measured(None)
        return Measured(automation.share)

    @property
    def _payback(self) -> Measured:
        sums = self.savings.sums
        ends = [sums[case].payback_months for case in ("favourable", "middle", "cautious")]
        low, middle, high = ends
        if low is None or middle is None or high is None:
            return Measured(None)
        return Measured(middle, (low, high))

    def _more(
        self, criterion: Criterion, found: Measured, judgement: Judgement, version: Version
    ) -> int | None:
        """Further answers of the kind until yes is likely, where the value reaches the limit unproven."""
        shares = {"accuracy": self.accuracy, "misses": self.misses, "overkill": self.overkill}
        share = shares.get(criterion.name)
        if judgement != "conditions" or share is None or found.value is None:
            return None
        if not criterion.reaches(found.value, criterion.limit):
            return None
        needed = answers_for_yes(criterion, version.pilot.rule, found.value)
        if needed is None or needed > self.facts.pool:
            return None
        return max(1, needed - share.total)

    @property
    def _counts(self) -> Counts | None:
        evidence = self.facts.evidence
        return evidence.counts if evidence is not None and _sum(evidence.counts) else None

    def _apart(self, bad: bool) -> Share | None:
        counts, names = self._counts, self.facts.class_names
        if counts is None or not self.ok_classes:
            return None
        ok = [name in self.ok_classes for name in names]
        rows = [row for row, good in zip(counts, ok, strict=True) if good != bad]
        astray = sum(
            count for row in rows for count, good in zip(row, ok, strict=True) if good == bad
        )
        return Share(astray, sum(map(sum, rows)))


def _worst_first(one: ClassResult) -> tuple[float, float, str]:
    missed, overkill = one.missed.value, one.overkill.value
    return (inf if missed is None else -missed, inf if overkill is None else -overkill, one.name)


def _sum(counts: Sequence[Sequence[int]]) -> int:
    return sum(map(sum, counts))
