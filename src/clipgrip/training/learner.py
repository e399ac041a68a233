"""A prompt with the pool it is tuned on: it answers the pool, and `fit` tunes it on labels and pseudolabels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from clipgrip.mapped import gathered, stacked
from clipgrip.prompts.base import Prompt
from clipgrip.prompts.classifier import wide_logits
from clipgrip.pseudolabel.pseudolabels import PseudoLabels
from clipgrip.pseudolabel.refine.chunks import answered
from clipgrip.task import Task
from clipgrip.training.loop import Recipe, tune
from clipgrip.training.loss import Weights, label_shift, mixing_weights, paper_weights
from clipgrip.training.memory import ANSWERED_AT_ONCE, Picked
from clipgrip.training.state import TrainingState
from clipgrip.types import ImageEmbeds, Probs


@dataclass(frozen=True)
class PromptLearner:
    """Immutable: ``fit`` returns a new learner and leaves this one's prompt as it is."""

    prompt: Prompt
    inputs: Tensor = field(repr=False)
    """(N, ...) the pool, as the prompt consumes it: embeddings (``Prompt.consumes``) or pixels."""
    recipe: Recipe = field(default_factory=Recipe)
    labeled_share: float | None = 0.5
    """Weight of the labels against the pseudolabels; None: the paper's weights."""
    beside: Tensor | None = field(default=None, repr=False)
    """(N, e) the eyes' columns of the pool, where the inputs are pixels; embeddings have them as their last columns."""

    def predict_proba(self, inputs: Tensor | None = None) -> Probs:
        """(N, C) for the pool, or for other inputs."""
        inputs, prompt = self.inputs if inputs is None else inputs, self.prompt
        with torch.no_grad():
            class_embeds = prompt.class_embeds()

            def answer(part: Tensor) -> Probs:
                logits = wide_logits(prompt.image_embeds(part), class_embeds, prompt.logit_scale)
                return logits.softmax(1).cpu()

            if inputs.ndim == 2:
                return answered(answer, inputs)
            return torch.cat([answer(part) for part in inputs.split(ANSWERED_AT_ONCE)])

    def image_embeds(self) -> ImageEmbeds:
        """(N, W) the pool as the prompt's image side embeds it, followed by the eyes' columns."""
        if self.prompt.consumes == "embeds":
            return self.inputs
        with torch.no_grad():
            parts = self.inputs.split(ANSWERED_AT_ONCE)
            seen = torch.cat([self.prompt.image_embeds(part).cpu() for part in parts])
        return seen if self.beside is None else torch.cat([seen, self.beside.to(seen.dtype)], dim=1)

    def fit(
        self,
        task: Task,
        pseudolabels: PseudoLabels,
        *,
        generator: torch.Generator,
        on_step: Callable[[int, int, float], None] = lambda *_: None,
        recalled: TrainingState | None = None,
        offer: Callable[[Callable[[], TrainingState]], None] = lambda _: None,
    ) -> PromptLearner:
        """Tune on the task's labels and on pseudolabels, both of rows of the pool; the other arguments as in `tune`.

        Classes that are absent take no part: the prompt would learn to deny them, and new images may be of them.
        """
        truth = F.one_hot(task.labels[task.labeled], task.n_classes).to(pseudolabels.targets.dtype)
        rows = torch.cat([task.labeled, pseudolabels.rows])
        targets, shift = stacked(truth, pseudolabels.targets), self._shift(task, pseudolabels)
        if (classes := task.occurring) is not None:
            targets = gathered(targets, torch.arange(len(targets)), classes)
            shift = None if shift is None else shift[classes]
        tuned = tune(
            self.prompt,
            Picked(self.inputs, rows),
            targets,
            torch.arange(len(rows)) < len(task.labeled),
            weights=self._weights(task, len(pseudolabels.rows)),
            recipe=self.recipe,
            generator=generator,
            shift=shift,
            classes=classes,
            on_step=on_step,
            recalled=recalled,
            offer=offer,
        )
        return replace(self, prompt=tuned)

    def _shift(self, task: Task, pseudolabels: PseudoLabels) -> Tensor | None:
        """(C,) the `label_shift`; None with the paper's weights, or if pseudolabels cannot be of every class."""
        if self.labeled_share is None or not len(pseudolabels.rows) or not len(task.labeled):
            return None
        if not task.shares_classes:
            return None
        return label_shift(task.labels[task.labeled], pseudolabels.targets)

    def _weights(self, task: Task, n_pseudo: int) -> Weights:
        n_labeled = len(task.labeled)
        if self.labeled_share is None:
            return paper_weights(n_labeled, n_pseudo, all_candidates=task.shares_classes)
        return mixing_weights(n_labeled, n_pseudo, labeled_share=self.labeled_share)
