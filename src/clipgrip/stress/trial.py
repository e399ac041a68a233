"""One trial: planted noise, one rule, one loss, one tuning, one accuracy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from jaxtyping import Float, Int
from torch import Tensor

from clipgrip.metrics import accuracy
from clipgrip.prompts.base import Prompt
from clipgrip.pseudolabel.pseudolabels import PseudoLabels
from clipgrip.pseudolabel.quality import selection_report
from clipgrip.pseudolabel.select import SELECTORS, selector
from clipgrip.pseudolabel.select.chosen import Context
from clipgrip.seeds import generator
from clipgrip.stress.noise import KINDS, noisy_answers
from clipgrip.task import ul
from clipgrip.training.learner import PromptLearner
from clipgrip.training.loop import Recipe
from clipgrip.training.loss import LOSSES
from clipgrip.types import ImageEmbeds, Labels, Probs

RATES = (0.0, 0.2, 0.4, 0.6)
ALL_ROWS = "own-best-class"
"""The rule beside which losses are compared: with no limit of k it takes every row for its answer."""
LOSSES_TRIED = tuple(name for name in LOSSES if name != "partial-label")
RULES_TRIED = tuple(name for name in SELECTORS if name not in (ALL_ROWS, "rounds"))
"""Here "rounds" would be "models" again: both compare with one other answer."""


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
    """All rules and losses against one kind and rate of noise."""
    losses = [(ALL_ROWS, loss) for loss in LOSSES_TRIED]
    rules = [
        (rule, "partial-label" if rule == "candidate-sets" else "cross-entropy")
        for rule in RULES_TRIED
    ]
    return [NoiseTrial(seed, kind, rate, *pair) for pair in losses + rules]


def measure(bench: NoiseBench, cells: list[NoiseTrial]) -> Iterator[dict[str, Any]]:
    """A row for each cell: what was chosen, how much of it is right, and the accuracy on the test images.

    A rule may take a class's fair share, N/C; where losses are compared every row is taken. The second model of
    "models" errs at the same rate, independently of the first: the best case for that rule.
    """
    for cell in cells:
        answers, other = (_planted(bench, cell, name) for name in ("answers", "other"))
        yield _trial(bench, cell, answers, other)


def _planted(bench: NoiseBench, cell: NoiseTrial, name: str) -> Probs:
    kind = cell.kind if cell.rate else next(iter(KINDS))
    draw = generator(cell.seed, "stress", name, kind, cell.rate)
    return noisy_answers(bench.zero_shot, bench.truth, cell.rate, kind, draw)


def _trial(bench: NoiseBench, cell: NoiseTrial, answers: Probs, other: Probs) -> dict[str, Any]:
    classes = answers.shape[1]
    every = cell.rule == ALL_ROWS
    k = len(answers) if every else bench.fair_share
    chosen = selector(cell.rule)(answers, k, Context(bench.pool, votes=(other,)))
    report = selection_report(chosen, answers, k)
    pseudolabels = PseudoLabels(chosen.rows, chosen.distributions(classes), chosen.confidence)
    recipe = replace(bench.recipe, loss=cell.loss)
    learner = PromptLearner(bench.prompt, bench.pool, recipe).fit(
        ul(len(answers), classes), pseudolabels, generator=generator(cell.seed, "stress", "tune")
    )
    right = chosen.labels == bench.truth[chosen.rows]
    wrong, purity = answers.argmax(dim=1) != bench.truth, report.estimated_purity
    return {
        **cell._asdict(),
        "noise": round(wrong.double().mean().item(), 6),
        "chosen": len(chosen.rows),
        "coverage": round(report.coverage, 6),
        "purity": round(right.double().mean().item(), 6) if len(right) else None,
        "estimated_purity": None if purity is None else round(purity, 6),
        "balance": round(report.balance, 6),
        "classes_short": len(report.short),
        "accuracy": round(accuracy(learner.predict_proba(bench.test), bench.test_truth), 6),
    }
