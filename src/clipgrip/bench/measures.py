"""What a cell says about the test images."""

from __future__ import annotations

from clipgrip import metrics
from clipgrip.data.task import Task
from clipgrip.evaluate import robin_hood
from clipgrip.types import Labels, Probs


def measured(before: Probs, after: Probs, truth: Labels, task: Task) -> dict[str, float]:
    """Everything a cell says about the n test images, before and after tuning; NaN where there is nothing to say."""
    recalls = metrics.per_class(before, truth), metrics.per_class(after, truth)
    poor, rich = robin_hood(*recalls)
    figures = {
        "test": _score(after, truth, task),
        "test_zero_shot": _score(before, truth, task),
        "poor_change": poor,
        "rich_change": rich,
    }
    for when, recall in zip(("before", "after"), recalls, strict=True):
        figures[f"class_sd_{when}"] = metrics.class_spread(recall)
        figures[f"worst_{when}"] = metrics.worst_mean(recall)
    if not task.candidates.all():
        figures["seen"], figures["unseen"], _ = metrics.seen_unseen(after, truth, task.candidates)
    return figures


def _score(probs: Probs, truth: Labels, task: Task) -> float:
    """Accuracy; the harmonic mean of seen and unseen in TRZSL."""
    if bool(task.candidates.all()):
        return metrics.accuracy(probs, truth)
    return metrics.seen_unseen(probs, truth, task.candidates)[2]
