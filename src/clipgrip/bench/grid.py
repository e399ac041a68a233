"""How a cell of the grid is run."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch

from clipgrip import __version__, metrics
from clipgrip.backbone.base import Backbone
from clipgrip.bench.cells import Cell
from clipgrip.bench.measures import measured
from clipgrip.bench.memory import PeakMemory
from clipgrip.bench.source import Source
from clipgrip.data.splits import PAPER_SEEDS, few_shots, paper_seen
from clipgrip.data.task import Task, ssl, trzsl, ul
from clipgrip.method import PRESETS, Method, learn, schedule, teacher_of, untuned
from clipgrip.prompts.base import Prompt, learned_parameters
from clipgrip.prompts.classifier import predict_proba, zero_shot
from clipgrip.runs.embedding import Embeds
from clipgrip.runs.inputs import Inputs, inputs_of
from clipgrip.strategy import Reached, Round, kept
from clipgrip.types import ClassEmbeds, Probs


@dataclass(frozen=True)
class _Start:
    """What a tuning begins with."""

    method: Method
    prompt: Prompt
    inputs: Inputs


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
        """Sixteen hex digits over all that determines a cell's figures; the release is a part of it."""
        determines = {
            "clipgrip": __version__,
            "cell": asdict(cell),
            "method": self.method(cell, self.task(cell)).facts() if cell.preset else {},
            "data": self.source.manifest.fingerprint,
            "images": self.backbone.image_key,
            "template": self.source.template,
            "shots": self.shots,
            "rounds": self.rounds,
            "steps": self.steps,
        }
        text = json.dumps(determines, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def method(self, cell: Cell, task: Task) -> Method:
        """The preset as it is on this task, shortened for a quick look."""
        method = PRESETS[cell.preset][cell.prompt].suited_to(task)
        if self.steps is None:
            return method
        return replace(method, recipe=replace(method.recipe, steps=self.steps, epochs=0))

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
        """The figures of one cell; its seconds are tuning and answering, without reading model and images."""
        task, classes = self.task(cell), self.source.manifest.classes.prompts
        zero = zero_shot(self.backbone, classes, self.source.template)
        start = self._start(cell, task) if cell.preset else None
        began, memory, scale = time.perf_counter(), PeakMemory(), self.backbone.logit_scale
        before = (
            predict_proba(self.embeds.pool, zero, scale),
            predict_proba(self.embeds.test, zero, scale),
        )
        after, facts = before, {"rounds": 0, "values": 0}
        if start is not None:
            done = self._rounds(cell, task, (zero, before[0]), start, on_step)
            if best := kept(done):
                after = best.probs, best.predict_proba(start.inputs.test)
            facts = {"rounds": len(done), "values": learned_parameters(start.prompt)}
        return {
            **asdict(cell),
            **self._figures(task, before, after),
            **facts,
            **self._drawn(task),
            "seconds": round(time.perf_counter() - began, 3),
            "peak_megabytes": memory.megabytes(),
        }

    def _rounds(
        self,
        cell: Cell,
        task: Task,
        text: tuple[ClassEmbeds, Probs],
        start: _Start,
        on_step: Callable[[int, int, float], None],
    ) -> list[Round]:
        (texts, probs), pool = text, self.embeds.pool
        teacher = teacher_of(start.method, task, pool, probs, texts, seed=cell.seed)
        return list(
            learn(
                start.prompt,
                start.inputs.pool,
                task,
                Reached(0, probs if teacher is None else teacher.start),
                ks=schedule(cell.strategy, task, n_rounds=self.rounds),
                method=start.method,
                image_embeds=pool,
                teacher=teacher,
                seed=cell.seed,
                on_step=on_step,
            )
        )

    def _start(self, cell: Cell, task: Task) -> _Start:
        method = self.method(cell, task)
        prompt = untuned(
            self.backbone,
            self.source.manifest.classes.prompts,
            method,
            template=self.source.template,
            seed=cell.seed,
            kind=cell.prompt,
        )
        return _Start(method, prompt, self._consumed(prompt))

    def _consumed(self, prompt: Prompt) -> Inputs:
        if prompt.consumes not in self._inputs:
            self._inputs[prompt.consumes] = inputs_of(prompt, self.backbone, self.embeds)
        return self._inputs[prompt.consumes]

    def _figures(
        self, task: Task, before: tuple[Probs, Probs], after: tuple[Probs, Probs]
    ) -> dict[str, Any]:
        hidden = torch.where(task.labels >= 0, -1, self.source.pool_truth)
        figures = {
            **measured(before[1], after[1], self.source.test_truth, task),
            "pool": metrics.accuracy(after[0], hidden),
            "pool_zero_shot": metrics.accuracy(before[0], hidden),
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
