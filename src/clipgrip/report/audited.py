"""What people's answers to images drawn at random say of a run's own answers, beside the commonest class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clipgrip.metrics import Share
from clipgrip.review.doubts import baseline
from clipgrip.review.measure import errors
from clipgrip.review.snapshot import read_snapshot
from clipgrip.review.store import has_review, open_review
from clipgrip.runs.audit_store import is_uniform, stored_answers, stored_audits
from clipgrip.runs.outcome import Outcome
from clipgrip.runs.store import open_store
from clipgrip.trust.knowledge import Judged
from clipgrip.words import Sentence, Words


@dataclass(frozen=True)
class Audited:
    """Right answers among the audited images, and the class that most of these are of."""

    right: Share
    common: str
    common_right: Share

    @property
    def judged(self) -> Judged:
        """As it is compared with the commonest class."""
        return Judged(self.right.count, self.common_right.count, self.right.total, self.common)


def audited(folder: Path, outcome: Outcome) -> Audited | None:
    """By the review in a run's folder, else by the last sheet of clipgrip audit draw; None where nobody answered."""
    if has_review(folder):
        with open_review(folder) as store:
            snapshot = read_snapshot(folder, store)
        found = errors(snapshot)
        common = baseline(snapshot, found)
        if common is not None:
            total = found.overall.total
            return Audited(Share(total - found.overall.count, total), common.name, common.right)
    with open_store(outcome.folder) as runs:
        audits = [one for one in stored_audits(runs, outcome.run.id) if is_uniform(one.audit)]
        truth = dict(stored_answers(runs, outcome.run.id, audits[-1].audit)) if audits else {}
    rows, answers = outcome.embeds.pool_rows, outcome.answers.pool.argmax(1).numpy()
    known = rows.among(truth)
    pairs = list(zip(answers[known].tolist(), rows.values(truth)[known].tolist(), strict=True))
    return compared(pairs, outcome.manifest.classes.display)


def compared(pairs: Sequence[tuple[int, int]], names: Sequence[str]) -> Audited | None:
    """Of (answer, truth), truth -1 where nobody can tell; None without any that is known."""
    truth = [t for _, t in pairs if t >= 0]
    if not truth:
        return None
    sizes = [truth.count(c) for c in range(len(names))]
    most = sizes.index(max(sizes))
    right = Share(sum(a == t for a, t in pairs), len(pairs))
    return Audited(right, names[most], Share(sizes[most], len(pairs)))


def line(found: Audited) -> Sentence:
    """For the terminal."""
    low, high = (100 * edge for edge in found.right.exact or (0.0, 1.0))
    worse = found.right.count < found.common_right.count
    return Sentence(
        (
            "audited      {right}% right of {total} drawn at random (95% interval {low} to {high}), worse than "
            "{common}% by {name} for every image"
        )
        if worse
        else (
            "audited      {right}% right of {total} drawn at random (95% interval {low} to {high}), beside "
            "{common}% by {name} for every image"
        ),
        right=f"{100 * (found.right.value or 0.0):.1f}",
        total=found.right.total,
        low=f"{low:.1f}",
        high=f"{high:.1f}",
        common=f"{100 * (found.common_right.value or 0.0):.1f}",
        name=found.common,
    )


def beside_the_test(found: Audited | None, say: Words) -> list[str]:
    """Why a headline that is of the test and the audited figure differ; nothing where nobody audited."""
    if found is None or found.right.exact is None:
        return []
    return [
        say(
            "The figure above is of the test images, which were given with their labels. The audit asked about {n} "
            "images drawn at random from those without a label: {share} right (95% interval {span}). Where the two "
            "differ, the audit is of the images that the model answers here.",
            n=say.number(found.right.total),
            share=say.percent(found.right.value),
            span=say.span(found.right.exact),
        )
    ]
