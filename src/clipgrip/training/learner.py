"""A prompt with the pool it learns on: answers, and learns anew from pseudolabels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from clipgrip.mapped import stacked
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
    """``fit`` returns a new learner that starts from this one's prompt; nothing behind a name changes."""

    prompt: Prompt
    inputs: Tensor = field(repr=False)
    """(N, ...) the pool, as the prompt consumes it."""
    recipe: Recipe = field(default_factory=Recipe)
    labeled_share: float | None = 0.5
    """Weight of the labels against the pseudolabels; None for the paper's weights."""
    beside: Tensor | None = field(default=None, repr=False)
    """(N, e) what eyes see of the pool, where the inputs are pixels; embeddings bring it in columns of their own."""

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
        """(N, D) of the pool, as the prompt sees it, and what eyes see beside it."""
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
        """Tune on the task's labels and on pseudolabels; rows of the pool, both. The rest as in ``tune``."""
        truth = F.one_hot(task.labels[task.labeled], task.n_classes).to(pseudolabels.targets.dtype)
        rows = torch.cat([task.labeled, pseudolabels.rows])
        tuned = tune(
            self.prompt,
            Picked(self.inputs, rows),
            stacked(truth, pseudolabels.targets),
            torch.arange(len(rows)) < len(task.labeled),
            weights=self._weights(task, len(pseudolabels.rows)),
            recipe=self.recipe,
            generator=generator,
            shift=self._shift(task, pseudolabels),
            on_step=on_step,
            recalled=recalled,
            offer=offer,
        )
        return replace(self, prompt=tuned)

    def _shift(self, task: Task, pseudolabels: PseudoLabels) -> Tensor | None:
        """`label_shift` where every class may be answered and pseudolabels tell the shares; not in the paper's way."""
        if self.labeled_share is None or not len(pseudolabels.rows) or not len(task.labeled):
            return None
        if not bool(task.candidates.all()):
            return None
        return label_shift(task.labels[task.labeled], pseudolabels.targets)

    def _weights(self, task: Task, n_pseudo: int) -> Weights:
        n_labeled = len(task.labeled)
        if self.labeled_share is None:
            return paper_weights(n_labeled, n_pseudo, all_candidates=bool(task.candidates.all()))
        return mixing_weights(n_labeled, n_pseudo, labeled_share=self.labeled_share)
