"""Which cells a grid has, how each is run, and what it says about the test images."""

from __future__ import annotations

import hashlib
import itertools
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch

from clipgrip import __version__, metrics
from clipgrip.backbone.base import Backbone
from clipgrip.bench.memory import PeakMemory
from clipgrip.bench.source import Source
from clipgrip.bench.splits import PAPER_SEEDS, few_shots, paper_seen
from clipgrip.config import Settings
from clipgrip.evaluate import robin_hood
from clipgrip.method import PRESETS, Method
from clipgrip.prompts.base import Prompt, learned_parameters
from clipgrip.runs.embedding import Embeds
from clipgrip.runs.inputs import Inputs, inputs_of
from clipgrip.runs.prepare import Prepared
from clipgrip.runs.untuned_model import Answers, UntunedModel, method_for
from clipgrip.strategy import best_round
from clipgrip.task import Task, ssl, trzsl, ul
from clipgrip.types import Labels, Probs


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

    def identity(self, cell: GridCell) -> str:
        """Sixteen hex digits over all that determines a cell's figures; the release is a part of it."""
        determines = {
            "clipgrip": __version__,
            "cell": asdict(cell),
            "method": self.method(cell, self.task(cell)).fingerprint() if cell.preset else "",
            "data": self.source.manifest.fingerprint,
            "images": self.backbone.image_key,
            "template": self.source.template,
            "shots": self.shots,
            "rounds": self.rounds,
            "steps": self.steps,
        }
        text = json.dumps(determines, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def method(self, cell: GridCell, task: Task) -> Method:
        """The preset as it is on this task, shortened for a quick look."""
        method = PRESETS[cell.preset][cell.prompt].suited_to(task)
        if self.steps is None:
            return method
        return replace(method, recipe=replace(method.recipe, steps=self.steps, epochs=0))

    def task(self, cell: GridCell) -> Task:
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
        self, cell: GridCell, on_step: Callable[[int, int, float], None] = lambda *_: None
    ) -> dict[str, Any]:
        """The figures of one cell; its seconds are tuning and answering, without reading model and images."""
        ready = self._prepared(cell, self.task(cell))
        inputs = self._consumed(ready.start.prompt) if cell.preset else None
        began, memory = time.perf_counter(), PeakMemory()
        after, facts = ready.zero_shot, {"rounds": 0, "values": 0}
        if inputs is not None:
            done = list(ready.learn(inputs.pool, on_step=on_step))
            if best := best_round(done):
                after = Answers(best.probs, best.predict_proba(inputs.test, inputs.test_beside))
            facts = {"rounds": len(done), "values": learned_parameters(ready.start.prompt)}
        return {
            **asdict(cell),
            **self._figures(ready, after),
            **facts,
            **self._drawn(ready.task),
            "seconds": round(time.perf_counter() - began, 3),
            "peak_megabytes": memory.megabytes(),
        }

    def _prepared(self, cell: GridCell, task: Task) -> Prepared:
        values: dict[str, Any] = {"strategy": cell.strategy, "seed": cell.seed}
        if cell.preset:
            values |= {"prompt": cell.prompt, "preset": cell.preset}
        settings = Settings(template=self.source.template, rounds=self.rounds, **values)
        method = self.method(cell, task) if cell.preset else method_for(settings, task)
        start = UntunedModel.of(self.backbone, self.source.manifest.classes, settings, method)
        return Prepared(settings, start, self.embeds, task)

    def _consumed(self, prompt: Prompt) -> Inputs:
        if prompt.consumes not in self._inputs:
            self._inputs[prompt.consumes] = inputs_of(prompt, self.backbone, self.embeds)
        return self._inputs[prompt.consumes]

    def _figures(self, ready: Prepared, after: Answers) -> dict[str, Any]:
        task, before = ready.task, ready.zero_shot
        hidden = torch.where(task.labels >= 0, -1, self.source.pool_truth)
        figures = {
            **measured(before.test, after.test, self.source.test_truth, task),
            "pool": metrics.accuracy(after.pool, hidden),
            "pool_zero_shot": metrics.accuracy(before.pool, hidden),
        }
        return {name: None if value != value else value for name, value in figures.items()}

    def _drawn(self, task: Task) -> dict[str, Any]:
        """What the seed drew, so that a figure can be traced: seen classes, or the labeled images' hashes."""
        names, rows = self.source.manifest.classes.display, self.embeds.pool_rows
        if task.candidates.all():
            return {"labeled": [rows[n].sha256[:16] for n in task.labeled.tolist()]}
        return {
            "seen_classes": [names[n] for n in (~task.candidates).nonzero().squeeze(1).tolist()]
        }


PARADIGMS = ("UL", "SSL", "TRZSL")
STRATEGIES = ("zero-shot", "supervised", "fpl", "ifpl", "grip")


@dataclass(frozen=True)
class GridCell:
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
) -> list[GridCell]:
    """Every combination that means something.

    Zero-shot stands once for all prompts, supervised tuning only where there are labels.
    """
    made: dict[GridCell, None] = {}
    for paradigm, strategy, prompt, preset, seed in itertools.product(
        paradigms, strategies, prompts, presets, range(seeds)
    ):
        if strategy == "zero-shot":
            made[GridCell("", paradigm, strategy, "", seed)] = None
        elif strategy != "supervised" or paradigm != "UL":
            made[GridCell(prompt, paradigm, strategy, preset, seed)] = None
    return list(made)


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
