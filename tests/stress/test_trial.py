"""Trials: every rule and every loss against every noise, each repeatable, and noise costs something."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from builders import backbone, pool

from clipgrip.prompts.textual import TextualPrompt
from clipgrip.pseudolabel.select import SELECTORS
from clipgrip.seeds import generator
from clipgrip.stress.noise import KINDS
from clipgrip.stress.trial import ALL_ROWS, RATES, NoiseBench, NoiseTrial, block, blocks, measure
from clipgrip.training.loop import Recipe
from clipgrip.training.loss import LOSSES

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


def test_a_block_tries_all_losses_on_all_rows_and_all_rules() -> None:
    cells = block(0, "pairs", 0.2)
    assert len(cells) == len(set(cells))
    assert {cell.rule for cell in cells} == set(SELECTORS) - {"rounds"}
    assert {cell.loss for cell in cells} == set(LOSSES)
    assert {cell.loss for cell in cells if cell.rule == ALL_ROWS} == set(LOSSES) - {"partial-label"}


def test_every_trial_of_a_block_says_what_was_chosen_and_how_good_it_was(bench: NoiseBench) -> None:
    cells = block(0, "uniform", 0.4)
    rows = list(measure(bench, cells))
    for found, cell in zip(rows, cells, strict=True):
        assert (found["rule"], found["loss"], found["noise"]) == (cell.rule, cell.loss, 0.4)
        assert 0 <= found["accuracy"] <= 1
        assert found["chosen"] <= (60 if cell.rule in (ALL_ROWS, "everything") else 60 // 4 * 4)


def test_a_trial_gives_the_same_row_again(bench: NoiseBench) -> None:
    assert row(bench, 0, "pairs", 0.4, "balanced", "absolute") == row(
        bench, 0, "pairs", 0.4, "balanced", "absolute"
    )


def test_all_rows_are_as_pure_as_the_noise_allows_and_agreement_makes_purer(
    bench: NoiseBench,
) -> None:
    everyone = row(bench, 0, "uniform", 0.4, ALL_ROWS, "cross-entropy")
    assert (everyone["coverage"], everyone["purity"]) == (1.0, 0.6)
    agreeing = row(bench, 0, "uniform", 0.4, "models", "cross-entropy")
    assert agreeing["purity"] > 0.7


def test_noise_costs_accuracy(bench: NoiseBench) -> None:
    clean = row(bench, 0, "none", 0.0, ALL_ROWS, "cross-entropy")
    noisy = row(bench, 0, "swallowed", 0.6, ALL_ROWS, "cross-entropy")
    assert clean["purity"] == 1.0
    assert noisy["accuracy"] < clean["accuracy"] - 0.1
