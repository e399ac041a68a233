"""Who else is asked what they think of a run's answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from clipgrip.runs import second_opinion
from clipgrip.runs.audit_sheet import Audit
from clipgrip.runs.measuring import MeasuringAudit
from clipgrip.runs.outcome import Outcome
from clipgrip.runs.reopen import reopen


@pytest.fixture
def outcome(finished: Path) -> Outcome:
    return reopen(finished)


def answered(outcome: Outcome) -> np.ndarray:
    return Audit.of(outcome).pool.labels


def untaught(outcome: Outcome) -> Outcome:
    """The same images before anything was learned."""
    return replace(outcome, rounds=(), joint=None, answers=outcome.zero_shot)


def test_zero_shot_is_asked_where_the_run_learned(outcome: Outcome) -> None:
    labels, rows = answered(outcome), outcome.task.unlabeled
    assert outcome.learned
    found = second_opinion.second_opinion(outcome, labels)
    assert found == pytest.approx(
        outcome.zero_shot.pool[rows].numpy()[np.arange(len(rows)), labels]
    )


def test_refinement_is_asked_where_the_answers_are_zero_shot_s(
    outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = untaught(outcome)
    labels, rows = answered(plain), plain.task.unlabeled
    other = torch.full_like(plain.answers.pool, 0.25)
    monkeypatch.setattr(
        second_opinion, "refined_task", lambda *_: type("Found", (), {"probs": other})()
    )
    assert second_opinion.second_opinion(plain, labels).tolist() == [0.25] * len(rows)


def test_a_pool_too_large_to_compare_each_with_each_says_nothing_more(outcome: Outcome) -> None:
    plain = untaught(outcome)
    usual = plain.ready.method.refinement
    few = replace(usual, numerics=replace(usual.numerics, exact_rows=1))
    method = replace(plain.ready.method, refinement=few)
    plain = replace(plain, ready=replace(plain.ready, start=replace(plain.start, method=method)))
    found = second_opinion.second_opinion(plain, answered(plain))
    assert found.round(6) == pytest.approx(Audit.of(plain).pool.confidence)


def test_a_measuring_audit_reads_with_it_and_asks_once(
    outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(
        "clipgrip.runs.audit_sheet.second_opinion",
        lambda _, labels: asked.append(1) or np.linspace(0.1, 0.9, len(labels)),
    )
    audit = MeasuringAudit.of(outcome)
    nothing = np.zeros(0, dtype=np.int64)
    rows = audit.next_rows(22, nothing, nothing)
    labels = audit.audit.pool.labels
    everywhere = np.where(np.arange(len(labels)) % 3, labels, (labels + 1) % 4)
    rows = np.concatenate([rows, audit.next_rows(22, rows, everywhere[rows])])
    truth = everywhere[rows]
    assert asked == []
    readings = [audit.read(rows, truth) for _ in range(2)]
    assert asked == [1]
    alone = replace(audit, audit=replace(audit.audit, second=None)).read(rows, truth)
    assert readings[0] == readings[1]
    assert readings[0] != alone
