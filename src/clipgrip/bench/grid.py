"""Which cells a grid has, and how one is run."""

from __future__ import annotations

import hashlib
import itertools
import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch

from clipgrip import metrics
from clipgrip.backbone.base import Backbone
from clipgrip.bench.source import Source
from clipgrip.data.splits import PAPER_SEEDS, few_shots, paper_seen
from clipgrip.data.task import Task, ssl, trzsl, ul
from clipgrip.evaluate import robin_hood
from clipgrip.method import PRESETS, Method, learn, schedule, untuned
from clipgrip.prompts.base import Prompt, learned_parameters
from clipgrip.prompts.classifier import predict_proba, zero_shot
from clipgrip.runs.embedding import Embeds
from clipgrip.runs.inputs import Inputs, inputs_of
from clipgrip.strategy import Reached
from clipgrip.types import Labels, Probs

PARADIGMS = ("UL", "SSL", "TRZSL")
STRATEGIES = ("zero-shot", "supervised", "fpl", "ifpl", "grip")


@dataclass(frozen=True)
class Cell:
    """One training and its measurement; zero-shot has no prompt and no preset."""

    prompt: str
    paradigm: str
    strategy: str
    preset: str
    seed: int


def cells(
    prompts: Sequence[str],
    paradigms: Sequence[str],
    strategies: Sequence[str],
    presets: Sequence[str],
    seeds: int,
) -> list[Cell]:
    """Every combination that means something.

    Zero-shot stands once for all prompts, supervised tuning only where there are labels.
    """
    made: dict[Cell, None] = {}
    for paradigm, strategy, prompt, preset, seed in itertools.product(
        paradigms, strategies, prompts, presets, range(seeds)
    ):
        if strategy == "zero-shot":
            made[Cell("", paradigm, strategy, "", seed)] = None
        elif strategy != "supervised" or paradigm != "UL":
            made[Cell(prompt, paradigm, strategy, preset, seed)] = None
    return list(made)


@dataclass
class Bench:
    """A source on a backbone, ready to run cells; pixels are read when a prompt first asks for them."""

    source: Source
    backbone: Backbone
    embeds: Embeds = field(repr=False)
    shots: int = 2
    rounds: int | None = None
    steps: int | None = None
    """Instead of a recipe's own, for a quick look."""
    _inputs: dict[str, Inputs] = field(default_factory=dict, repr=False)

    def identity(self, cell: Cell) -> str:
        """Sixteen hex digits over all that determines a cell's figures."""
        method = PRESETS[cell.preset][cell.prompt].facts() if cell.preset else {}
        determines = {
            "cell": asdict(cell),
            "method": method,
            "data": self.source.manifest.fingerprint,
            "images": self.backbone.image_key,
            "template": self.source.template,
            "shots": self.shots,
            "rounds": self.rounds,
            "steps": self.steps,
        }
        text = json.dumps(determines, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def task(self, cell: Cell) -> Task:
        """Labels are drawn anew with each seed; TRZSL takes the paper's splits for the first three."""
        truth, classes = self.source.pool_truth, len(self.source.manifest.classes)
        if cell.paradigm == "UL":
            return ul(len(truth), classes)
        if cell.paradigm == "SSL":
            return ssl(few_shots(truth, classes, self.shots, cell.seed), classes)
        drawn = PAPER_SEEDS[cell.seed] if cell.seed < len(PAPER_SEEDS) else 1000 + cell.seed
        seen = paper_seen(classes, drawn)
        known = torch.isin(truth, torch.tensor(seen))
        return trzsl(torch.where(known, truth, -1), classes, seen)

    def run(
        self, cell: Cell, on_step: Callable[[int, int, float], None] = lambda *_: None
    ) -> dict[str, Any]:
        """The figures of one cell."""
        began, task = time.perf_counter(), self.task(cell)
        classes = self.source.manifest.classes.prompts
        zero = zero_shot(self.backbone, classes, self.source.template)
        scale = self.backbone.logit_scale
        before = (
            predict_proba(self.embeds.pool, zero, scale),
            predict_proba(self.embeds.test, zero, scale),
        )
        after, facts = before, {"rounds": 0, "values": 0}
        if cell.strategy != "zero-shot":
            after, facts = self._tuned(cell, task, before[0], on_step)
        seconds = time.perf_counter() - began
        return {
            **asdict(cell),
            **self._figures(task, before, after),
            **facts,
            "seconds": round(seconds, 3),
            "peak_megabytes": _peak_megabytes(),
        }

    def _tuned(
        self, cell: Cell, task: Task, start: Probs, on_step: Callable[[int, int, float], None]
    ) -> tuple[tuple[Probs, Probs], dict[str, Any]]:
        method = PRESETS[cell.preset][cell.prompt].suited_to(task)
        if self.steps:
            method = replace(method, recipe=replace(method.recipe, steps=self.steps, epochs=0))
        prompt = self._untuned(cell, method)
        inputs = self._consumed(prompt)
        ks = schedule(cell.strategy, task, n_rounds=self.rounds)
        done = list(
            learn(
                prompt,
                inputs.pool,
                task,
                Reached(0, start),
                ks=ks,
                method=method,
                image_embeds=self.embeds.pool,
                seed=cell.seed,
                on_step=on_step,
            )
        )
        learner = done[-1].learner
        answers = learner.predict_proba(), learner.predict_proba(inputs.test)
        return answers, {"rounds": len(done), "values": learned_parameters(prompt)}

    def _untuned(self, cell: Cell, method: Method) -> Prompt:
        return untuned(
            self.backbone,
            self.source.manifest.classes.prompts,
            method,
            template=self.source.template,
            seed=cell.seed,
            kind=cell.prompt,
        )

    def _consumed(self, prompt: Prompt) -> Inputs:
        if prompt.consumes not in self._inputs:
            self._inputs[prompt.consumes] = inputs_of(prompt, self.backbone, self.embeds)
        return self._inputs[prompt.consumes]

    def _figures(
        self, task: Task, before: tuple[Probs, Probs], after: tuple[Probs, Probs]
    ) -> dict[str, Any]:
        hidden = torch.where(task.labels >= 0, -1, self.source.pool_truth)
        truth = self.source.test_truth
        poor, rich = robin_hood(*(metrics.per_class(probs[1], truth) for probs in (before, after)))
        return {
            "test": _score(after[1], truth, task),
            "test_zero_shot": _score(before[1], truth, task),
            "pool": metrics.accuracy(after[0], hidden),
            "pool_zero_shot": metrics.accuracy(before[0], hidden),
            "poor_change": poor,
            "rich_change": rich,
            **_spread(metrics.per_class(before[1], truth), "before"),
            **_spread(metrics.per_class(after[1], truth), "after"),
            **_seen(after[1], truth, task),
        }


def _score(probs: Probs, truth: Labels, task: Task) -> float:
    """Accuracy; the harmonic mean of seen and unseen in TRZSL."""
    if bool(task.candidates.all()):
        return metrics.accuracy(probs, truth)
    return metrics.seen_unseen(probs, truth, task.candidates)[2]


def _seen(probs: Probs, truth: Labels, task: Task) -> dict[str, float]:
    if bool(task.candidates.all()):
        return {}
    seen, unseen, _ = metrics.seen_unseen(probs, truth, task.candidates)
    return {"seen": seen, "unseen": unseen}


def _spread(per_class: torch.Tensor, when: str) -> dict[str, float]:
    """Standard deviation over the classes, and the mean of the worst tenth of them."""
    known = per_class[~per_class.isnan()].sort().values
    worst = known[: max(1, len(known) // 10)]
    return {
        f"class_sd_{when}": float(known.std(unbiased=False)),
        f"worst_{when}": float(worst.mean()),
    }


def _peak_megabytes() -> int:
    """The most memory this process has held so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit // 2**20
