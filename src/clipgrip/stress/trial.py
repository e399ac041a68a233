"""One trial: planted noise, one rule, one tuning, one accuracy."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clipgrip.metrics import accuracy
from clipgrip.prompts.base import Prompt
from clipgrip.pseudolabel.pseudolabels import PseudoLabels
from clipgrip.pseudolabel.select import SELECTORS, selector
from clipgrip.pseudolabel.select.top import balanced
from clipgrip.seeds import generator
from clipgrip.stress.noise import KINDS, noisy_answers
from clipgrip.task import ul
from clipgrip.training.learner import PromptLearner
from clipgrip.training.loop import Recipe
from clipgrip.types import ImageEmbeds, Labels, Probs

RATES = (0.0, 0.2, 0.4, 0.6)
ALL_ROWS = "own-best-class"
"""What the rules are compared with: every row for its answer. Balance without a limit of k is that."""
RULES_TRIED = (ALL_ROWS, *SELECTORS)
LOSS = "cross-entropy"
"""What all rules learn by; older versions compared others too."""


class NoiseTrial(NamedTuple):
    """What one trial tries. ``rate`` is the share of wrong answers planted."""

    seed: int
    kind: str
    rate: float
    rule: str
    loss: str


@dataclass(frozen=True)
class NoiseBench:
    """A prompt and images (N, D) whose truth is known, to plant noise in; test images to measure on."""

    prompt: Prompt = field(repr=False)
    pool: ImageEmbeds = field(repr=False)
    truth: Labels = field(repr=False)
    test: Float[Tensor, "n D"] = field(repr=False)
    test_truth: Int[Tensor, " n"] = field(repr=False)
    zero_shot: Probs = field(repr=False)
    """(N, C) the model's own answers for the pool: their confidence is what the planted answers have."""
    recipe: Recipe = field(default_factory=Recipe)

    @property
    def fair_share(self) -> int:
        """Images of the pool per class."""
        return max(1, len(self.truth) // self.zero_shot.shape[1])


def blocks(seeds: int) -> list[tuple[int, str, float]]:
    """Seed, kind and rate of noise; without noise all kinds are one."""
    noisy = [(kind, rate) for kind in KINDS for rate in RATES if rate]
    return [(seed, *one) for seed in range(seeds) for one in [("none", 0.0), *noisy]]


def block(seed: int, kind: str, rate: float) -> list[NoiseTrial]:
    """All rules against one kind and rate of noise."""
    return [NoiseTrial(seed, kind, rate, rule, LOSS) for rule in RULES_TRIED]


def is_tried(row: Mapping[str, Any]) -> bool:
    """Whether a row's rule and loss are still among those that are tried."""
    return row["rule"] in RULES_TRIED and row["loss"] == LOSS


def measure(bench: NoiseBench, cells: list[NoiseTrial]) -> Iterator[dict[str, Any]]:
    """A row for each cell: what was chosen, how much of it is right, and the accuracy on the test images.

    A rule may take a class's fair share, N/C, but for `ALL_ROWS`.
    """
    for cell in cells:
        yield _trial(bench, cell, planted(bench, cell))


def planted(bench: NoiseBench, cell: NoiseTrial, name: str = "answers") -> Probs:
    """(N, C) answers with the noise of a trial; those of another ``name`` err independently."""
    kind = cell.kind if cell.rate else next(iter(KINDS))
    draw = generator(cell.seed, "stress", name, kind, cell.rate)
    return noisy_answers(bench.zero_shot, bench.truth, cell.rate, kind, draw)


def _trial(bench: NoiseBench, cell: NoiseTrial, answers: Probs) -> dict[str, Any]:
    classes = answers.shape[1]
    every = cell.rule == ALL_ROWS
    k = len(answers) if every else bench.fair_share
    chosen = (balanced if every else selector(cell.rule))(answers, k)
    pseudolabels = PseudoLabels(chosen.rows, chosen.distributions(classes), chosen.confidence)
    recipe = replace(bench.recipe, loss=cell.loss)
    learner = PromptLearner(bench.prompt, bench.pool, recipe).fit(
        ul(len(answers), classes), pseudolabels, generator=generator(cell.seed, "stress", "tune")
    )
    right = chosen.labels == bench.truth[chosen.rows]
    wrong, confidence = answers.argmax(dim=1) != bench.truth, chosen.confidence.double()
    counts = torch.bincount(chosen.labels, minlength=classes)
    return {
        **cell._asdict(),
        "noise": round(wrong.double().mean().item(), 6),
        "chosen": len(chosen.rows),
        "coverage": round(len(chosen.rows) / len(answers), 6),
        "purity": round(right.double().mean().item(), 6) if len(right) else None,
        # too high: the most confident rows are those whose confidence is overstated most
        "estimated_purity": round(confidence.mean().item(), 6) if len(right) else None,
        "balance": round(balance(counts), 6),
        "classes_short": int((counts < k).sum()),
        "accuracy": round(accuracy(learner.predict_proba(bench.test), bench.test_truth), 6),
    }


def balance(counts: Tensor) -> float:
    """Normalised entropy of the counts (C,), from 0 (one class has all) to 1 (all have as many); 1 for one class."""
    total, classes = counts.sum().item(), len(counts)
    if total == 0:
        return 0.0
    if classes < 2:
        return 1.0
    shares = counts[counts > 0].double() / total
    return abs(-(shares * shares.log()).sum().item() / math.log(classes))
