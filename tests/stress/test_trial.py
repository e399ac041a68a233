"""Trials: every rule against every noise, each repeatable, and noise costs something."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from builders import backbone, pool

from benchmarks.research.selectors import Known, rules
from clipgrip.prompts.textual import TextualPrompt
from clipgrip.pseudolabel.select import SELECTORS
from clipgrip.seeds import generator
from clipgrip.stress.noise import KINDS
from clipgrip.stress.trial import (
    ALL_ROWS,
    RATES,
    NoiseBench,
    NoiseTrial,
    balance,
    block,
    blocks,
    is_tried,
    measure,
    planted,
)
from clipgrip.training.loop import Recipe

IMAGES, TRUTH = pool(80, 4)


@pytest.fixture(scope="module")
def bench() -> NoiseBench:
    names = ["a", "b c", "d", "e f g"]
    prompt = TextualPrompt.random(backbone(), names, n_ctx=3, generator=generator(0))
    probs = torch.randn(60, 4, generator=torch.Generator().manual_seed(0))
    probs[torch.arange(60), TRUTH[:60]] += 2
    return NoiseBench(
        prompt, IMAGES[:60], TRUTH[:60], IMAGES[60:], TRUTH[60:], probs.softmax(1),
        Recipe(steps=12, lr=0.05),
    )  # fmt: skip


def row(bench: NoiseBench, *cell: Any) -> dict[str, Any]:
    (found,) = measure(bench, [NoiseTrial(*cell)])
    return found


def test_blocks_are_every_kind_at_every_rate_and_no_noise_once() -> None:
    found = blocks(2)
    assert len(found) == len(set(found)) == 2 * (1 + len(KINDS) * (len(RATES) - 1))
    assert blocks(1) == found[: len(found) // 2]  # more seeds add, and change nothing


def test_a_block_tries_all_rows_and_all_rules_that_ship() -> None:
    cells = block(0, "pairs", 0.2)
    assert [cell.rule for cell in cells] == [ALL_ROWS, *SELECTORS]
    assert {cell.loss for cell in cells} == {"cross-entropy"}
    assert all(is_tried(cell._asdict()) for cell in cells)
    assert not is_tried({"rule": "margin", "loss": "cross-entropy"})
    assert not is_tried({"rule": ALL_ROWS, "loss": "absolute"})


def test_every_trial_of_a_block_says_what_was_chosen_and_how_good_it_was(bench: NoiseBench) -> None:
    cells = block(0, "uniform", 0.4)
    rows = list(measure(bench, cells))
    for found, cell in zip(rows, cells, strict=True):
        assert (found["rule"], found["loss"], found["noise"]) == (cell.rule, cell.loss, 0.4)
        assert 0 <= found["accuracy"] <= 1
        assert found["chosen"] <= (60 if cell.rule in (ALL_ROWS, "everything") else 60 // 4 * 4)


def test_a_trial_gives_the_same_row_again(bench: NoiseBench) -> None:
    cell = 0, "pairs", 0.4, "balanced", "cross-entropy"
    assert row(bench, *cell) == row(bench, *cell)


def test_all_rows_are_as_pure_as_the_noise_allows_and_agreement_makes_purer(
    bench: NoiseBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rule "models" is one of benchmarks/research: what it registers can be tried too."""
    everyone = row(bench, 0, "uniform", 0.4, ALL_ROWS, "cross-entropy")
    assert (everyone["coverage"], everyone["purity"]) == (1.0, 0.6)
    other = planted(bench, NoiseTrial(0, "uniform", 0.4, "models", "cross-entropy"), "other")
    for name, rule in rules(Known(votes=(other,))).items():
        monkeypatch.setitem(SELECTORS, name, rule)
    agreeing = row(bench, 0, "uniform", 0.4, "models", "cross-entropy")
    assert agreeing["purity"] > 0.7


def test_a_row_counts_rows_classes_and_confidence(bench: NoiseBench) -> None:
    counts = torch.bincount(TRUTH[:60], minlength=4)
    everyone = row(bench, 0, "none", 0.0, ALL_ROWS, "cross-entropy")
    assert everyone["classes_short"] == 4  # without a limit of k no class is full
    assert everyone["balance"] == pytest.approx(balance(counts), abs=1e-6)
    confidence = bench.zero_shot.max(1).values.double()
    assert everyone["estimated_purity"] == pytest.approx(confidence.mean().item(), abs=1e-5)
    even = row(bench, 0, "none", 0.0, "balanced", "cross-entropy")
    assert (even["coverage"], even["balance"], even["classes_short"]) == (1.0, 1.0, 0)


def test_balance_is_0_where_one_class_has_all_and_1_where_all_have_as_many() -> None:
    found = [balance(torch.tensor(counts)) for counts in ([0, 0], [3, 0], [2, 2], [5], [3, 1])]
    assert found[:4] == [0.0, 0.0, 1.0, 1.0]
    assert 0.8 < found[4] < 0.82


def test_noise_costs_accuracy(bench: NoiseBench) -> None:
    clean = row(bench, 0, "none", 0.0, ALL_ROWS, "cross-entropy")
    noisy = row(bench, 0, "swallowed", 0.6, ALL_ROWS, "cross-entropy")
    assert clean["purity"] == 1.0
    assert noisy["accuracy"] < clean["accuracy"] - 0.1
