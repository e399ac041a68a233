"""Tuning: a schedule of the learning rate, batches, and steps that change nothing but the new prompt."""

from __future__ import annotations

import math
from itertools import islice
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from builders import backbone, pool

from clipgrip.prompts.textual import TextualPrompt
from clipgrip.seeds import generator
from clipgrip.training.loop import (
    PAPER_RECIPE,
    Recipe,
    batches,
    learning_rate,
    total_steps,
    tune,
)
from clipgrip.training.loss import Weights


def test_the_learning_rate_rises_in_a_line_and_falls_as_half_a_cosine() -> None:
    recipe = Recipe(lr=1.0, warmup=0.2)
    got = [learning_rate(step, 10, recipe) for step in range(10)]
    falling = [0.5 * (1 + math.cos(math.pi * n / 8)) for n in range(8)]
    assert got == pytest.approx([0.5, 1.0, *falling])


def test_the_paper_warms_up_for_five_of_150_epochs_of_64() -> None:
    total = total_steps(640, PAPER_RECIPE)
    assert total == 1500
    rates = [learning_rate(step, total, PAPER_RECIPE) for step in range(total)]
    assert rates[0] == pytest.approx(0.1 / 50)
    assert rates[49] == rates[50] == pytest.approx(0.1)
    assert rates[775] == pytest.approx(0.05)  # half way down
    assert 0 < rates[-1] < 1e-6


def test_without_warm_up_it_starts_at_the_top_and_all_warm_up_ends_there() -> None:
    assert learning_rate(0, 10, Recipe(lr=0.3, warmup=0.0)) == 0.3
    assert learning_rate(9, 10, Recipe(lr=0.3, warmup=1.0)) == pytest.approx(0.3)
    assert learning_rate(0, 1, Recipe(lr=0.3)) == 0.3


def test_steps_count_by_themselves_or_as_epochs_of_begun_batches() -> None:
    assert total_steps(1000, Recipe(steps=60)) == 60
    assert total_steps(65, Recipe(steps=60, epochs=3, batch_size=64)) == 6


def test_all_rows_are_one_batch_where_they_fit() -> None:
    assert [b.tolist() for b in islice(batches(3, 3, generator(0)), 2)] == [[0, 1, 2]] * 2


def test_else_each_pass_sees_each_row_once_in_another_order() -> None:
    parts = list(islice(batches(10, 4, generator(0)), 6))
    assert [len(part) for part in parts] == [4, 4, 2] * 2
    first, second = torch.cat(parts[:3]).tolist(), torch.cat(parts[3:]).tolist()
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second


def prompt() -> TextualPrompt:
    return TextualPrompt.random(backbone(), ["a", "b c", "d"], n_ctx=3, generator=generator(0))


def tuned(recipe: Recipe, seed: int = 0, rows: int = 30, **changes: Any) -> TextualPrompt:
    inputs, labels = pool(rows, 3)
    settings: dict[str, Any] = {"weights": Weights(0.5, 0.5), "recipe": recipe} | changes
    return tune(
        prompt(),
        inputs,
        F.one_hot(labels, 3).float(),
        torch.arange(rows) < rows // 5,
        generator=generator(seed),
        **settings,
    )


def loss(of: TextualPrompt) -> float:
    inputs, labels = pool(30, 3)
    return F.cross_entropy(of.logits(inputs), labels).item()


@pytest.mark.parametrize(
    "recipe", [Recipe(steps=20, lr=0.02), Recipe("sgd", lr=0.01, epochs=4, batch_size=8)]
)
def test_tuning_lowers_the_loss_and_leaves_the_first_prompt_as_it_was(recipe: Recipe) -> None:
    before = prompt()
    kept = before.ctx.clone()
    inputs, labels = pool(30, 3)
    targets, labeled = F.one_hot(labels, 3).float(), torch.zeros(30, dtype=torch.bool)
    after = tune(
        before,
        inputs,
        targets,
        labeled,
        weights=Weights(0.0, 1.0),
        recipe=recipe,
        generator=generator(0),
    )
    assert torch.equal(before.ctx, kept)
    assert not before.ctx.requires_grad
    assert not after.ctx.requires_grad
    assert loss(after) < loss(before)


def test_the_same_generator_gives_the_same_prompt_and_another_another() -> None:
    recipe = Recipe(steps=5, batch_size=8)
    assert torch.equal(tuned(recipe).ctx, tuned(recipe).ctx)
    assert not torch.equal(tuned(recipe).ctx, tuned(recipe, seed=1).ctx)


def test_each_step_is_told_with_its_loss() -> None:
    told: list[tuple[int, int, float]] = []
    tuned(Recipe(steps=3), on_step=lambda *step: told.append(step))
    assert [step[:2] for step in told] == [(1, 3), (2, 3), (3, 3)]
    assert all(math.isfinite(step[2]) for step in told)


def test_no_steps_give_the_first_prompt_again() -> None:
    assert torch.equal(tuned(Recipe(steps=0)).ctx, prompt().ctx)


def test_labels_alone_may_weigh_in_small_batches_that_lack_them() -> None:
    result = tuned(Recipe(steps=12, batch_size=2), weights=Weights(1.0, 0.0))
    assert result.ctx.isfinite().all()


def test_nothing_to_learn_from_leaves_the_prompt_as_it_was() -> None:
    assert torch.equal(tuned(Recipe(steps=2), rows=0).ctx, prompt().ctx)


def test_sgd_is_the_papers_with_momentum_and_decay_by_hand() -> None:
    recipe = Recipe("sgd", lr=0.1, steps=3, weight_decay=0.1, momentum=0.9, warmup=0.0)
    inputs, labels = pool(30, 3)
    ctx, speed = prompt().ctx.clone(), torch.zeros_like(prompt().ctx)
    for step in range(3):
        value = ctx.clone().requires_grad_()
        F.cross_entropy(prompt().with_learned({"ctx": value}).logits(inputs), labels).backward()
        assert value.grad is not None
        speed = 0.9 * speed + value.grad + 0.1 * ctx
        ctx = ctx - learning_rate(step, 3, recipe) * speed
    got = tune(
        prompt(),
        inputs,
        F.one_hot(labels, 3).float(),
        torch.zeros(30, dtype=torch.bool),
        weights=Weights(0.0, 1.0),
        recipe=recipe,
        generator=generator(0),
    )
    torch.testing.assert_close(got.ctx, ctx, rtol=1e-4, atol=1e-5)
