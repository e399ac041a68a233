"""Answers to images that were drawn at work: kept for good, and put right without losing the first one."""

from __future__ import annotations

from dataclasses import dataclass

from clipgrip.runs.watch.store import WatchStore


@dataclass(frozen=True)
class DailyAnswer:
    """What a person said of an image that was drawn at work; numbers count from 1."""

    number: int
    label: int
    """As it counts: as it was put right last."""
    predicted: int
    confidence: float
    by: str
    at: str
    corrected: bool = False


def daily_answers(store: WatchStore) -> list[DailyAnswer]:
    """Every answer to images that were drawn at work, in the order in which they count."""
    store.seals.check("answer")
    right = _corrections(store)
    query = "SELECT number, label, predicted, confidence, said_by, said_at FROM answer"
    return [
        DailyAnswer(
            number, right.get(number, label), predicted, confidence, by, at, number in right
        )
        for number, label, predicted, confidence, by, at in sorted(store.db.execute(query))
    ]


def answered_so_far(store: WatchStore) -> dict[str, int]:
    """Content hash -> class, of every answer as it counts."""
    store.seals.check("answer")
    right = _corrections(store)
    rows = store.db.execute("SELECT number, sha256, label FROM answer")
    return {sha256: right.get(number, label) for number, sha256, label in rows}


def _corrections(store: WatchStore) -> dict[int, int]:
    """Number of the answer -> class, the last one of each."""
    store.seals.check("correction")
    return dict(store.db.execute("SELECT answer, label FROM correction ORDER BY number"))
