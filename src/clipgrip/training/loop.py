"""The training loop: optimiser steps on a prompt's learned values, the same for any prompt."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple, TypeVar

import torch
from torch import Tensor

from clipgrip.prompts.base import Prompt
from clipgrip.prompts.classifier import wide_logits
from clipgrip.training.loss import Loss, Weights, cross_entropy, loss_named, mixed_loss
from clipgrip.training.memory import InputRows, rows_at_once
from clipgrip.training.state import TrainingState

AnyPrompt = TypeVar("AnyPrompt", bound=Prompt)


@dataclass(frozen=True)
class Recipe:
    """How long and how fast a prompt learns. Either ``steps``, or ``epochs`` over the training rows."""

    optimizer: Literal["adam", "sgd"] = "adam"
    lr: float = 0.03
    steps: int = 60
    epochs: int = 0
    """Passes over the training rows; if not 0, ``steps`` does not apply."""
    batch_size: int = 4096
    weight_decay: float = 1.0
    momentum: float = 0.9
    warmup: float = 0.1
    """Share of the steps over which the learning rate rises from 0."""
    loss: str = "cross-entropy"
    """The loss of pseudolabels, one of ``loss.LOSSES``; people's labels always have cross-entropy."""


PAPER_RECIPE = Recipe(
    optimizer="sgd", lr=0.1, epochs=150, batch_size=64, weight_decay=0.1, warmup=5 / 150
)
"""Textual and visual prompts in the paper: 150 epochs, 5 of them warm-up, last epoch taken."""


def learning_rate(step: int, total: int, recipe: Recipe) -> float:
    """Linear warm-up, then a half cosine down to 0; ``step`` counts from 0."""
    warmup = round(total * recipe.warmup)
    if step < warmup:
        return recipe.lr * (step + 1) / warmup
    return recipe.lr * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))


def total_steps(rows: int, recipe: Recipe) -> int:
    """Number of optimiser steps of a training."""
    return recipe.epochs * math.ceil(rows / recipe.batch_size) or recipe.steps


def batches(rows: int, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Endless batches of positions: all rows if they fit into one batch, else passes in random order."""
    if rows <= size:
        while True:
            yield torch.arange(rows)
    while True:
        yield from torch.randperm(rows, generator=generator).split(size)


def tune(
    prompt: AnyPrompt,
    inputs: InputRows,
    targets: Tensor,
    labeled: Tensor,
    *,
    weights: Weights,
    recipe: Recipe,
    generator: torch.Generator,
    shift: Tensor | None = None,
    classes: Tensor | None = None,
    on_step: Callable[[int, int, float], None] = lambda *_: None,
    recalled: TrainingState | None = None,
    offer: Callable[[Callable[[], TrainingState]], None] = lambda _: None,
) -> AnyPrompt:
    """A new prompt, tuned from ``prompt``'s values.

    Args:
        prompt: where the tuning starts; returned itself if no row has any weight.
        inputs: (n, ...) rows as the prompt consumes them.
        targets: (n, C) distributions over the classes.
        labeled: (n,) the rows that a person labeled; the others are pseudolabeled.
        weights: of the mean loss of labeled and of pseudolabeled rows.
        recipe: optimiser, learning rate, number of steps.
        generator: draws the batches.
        shift: (C,) added to the logits of labeled rows (`label_shift`).
        classes: (C,) positions of the prompt's classes that take part; all where None.
        on_step: is called with (step, steps, loss).
        recalled: a state of this very training, from which it goes on bit for bit.
        offer: is called after each step with a function that makes the state, so that only what is kept is copied.
    """
    if not ((labeled.any() and weights.labeled) or ((~labeled).any() and weights.pseudo)):
        return prompt  # no row counts, and weight decay alone would move it
    values = {name: value.clone().requires_grad_() for name, value in prompt.learned().items()}
    tuned, optimizer = prompt.with_learned(values), _optimizer(list(values.values()), recipe)
    total, done, loss_of = total_steps(len(inputs), recipe), 0, loss_named(recipe.loss)
    source = batches(len(inputs), recipe.batch_size, generator)
    at_once = rows_at_once(prompt, inputs)
    if recalled is not None:
        recalled.restore(values, optimizer)
        done = recalled.step
    for step, rows in zip(range(total), source, strict=False):
        if step < done:
            continue
        optimizer.param_groups[0]["lr"] = learning_rate(step, total, recipe)
        optimizer.zero_grad()
        batch = Batch(inputs, targets, labeled, rows, loss_of, shift)
        loss = _backward(tuned, batch, weights, at_once, classes)
        optimizer.step()
        on_step(step + 1, total, loss)
        offer(partial(TrainingState.of, step + 1, values, optimizer))
    return prompt.with_learned({name: value.detach() for name, value in values.items()})


class Batch(NamedTuple):
    """Some ``rows`` (B,) of the training rows, and what their loss is computed from."""

    inputs: InputRows
    targets: Tensor
    labeled: Tensor
    rows: Tensor
    loss_of: Loss = cross_entropy
    shift: Tensor | None = None

    def loss(self, prompt: Prompt, class_embeds: Tensor, weights: Weights) -> Tensor:
        """The `mixed_loss` of these rows, with class embeddings (C, D)."""
        image_embeds = prompt.image_embeds(self.inputs[self.rows])
        logits = wide_logits(image_embeds, class_embeds, prompt.logit_scale)
        targets, labeled = (
            part[self.rows].to(logits.device) for part in (self.targets, self.labeled)
        )
        shift = None if self.shift is None else self.shift.to(logits.device)
        return mixed_loss(logits, targets, labeled, weights, self.loss_of, shift)

    def share(self, part: Tensor, weights: Weights) -> Weights:
        """The weights for one part of the batch, with which the losses of all parts sum to that of the batch.

        Each loss is a mean over rows of a kind, so a part counts by its share of the batch's rows of that kind.
        """
        whole, some = self.labeled[self.rows], self.labeled[part]
        kinds = (whole, some), (~whole, ~some)
        shares = [float(s.sum()) / max(1.0, float(w.sum())) for w, s in kinds]
        return Weights(weights.labeled * shares[0], weights.pseudo * shares[1])


def _backward(
    prompt: Prompt, batch: Batch, weights: Weights, at_once: int, classes: Tensor | None
) -> float:
    """Add the batch's gradient to the learned values and return its loss, in passes of at most ``at_once`` rows.

    The text side runs only once: the passes add up the gradient at the class embeddings, which is then backpropagated.
    """
    class_embeds = prompt.class_embeds()
    class_embeds = class_embeds if classes is None else class_embeds[classes]
    if len(batch.rows) <= at_once:
        loss = batch.loss(prompt, class_embeds, weights)
        loss.backward()
        return loss.item()
    leaf, total = class_embeds.detach().requires_grad_(class_embeds.requires_grad), 0.0
    for part in batch.rows.split(at_once):
        loss = batch._replace(rows=part).loss(prompt, leaf, batch.share(part, weights))
        loss.backward()
        total += loss.item()
    if leaf.grad is not None:
        class_embeds.backward(leaf.grad)
    return total


def _optimizer(values: list[Tensor], recipe: Recipe) -> torch.optim.Optimizer:
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(
            values, lr=recipe.lr, momentum=recipe.momentum, weight_decay=recipe.weight_decay
        )
    return torch.optim.AdamW(values, lr=recipe.lr, weight_decay=recipe.weight_decay)
