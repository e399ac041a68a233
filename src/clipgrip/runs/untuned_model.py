"""The model before the first round: zero-shot's class embeddings, the untuned prompt and the method."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from torch import Tensor

from clipgrip.backbone.base import Backbone
from clipgrip.backbone.names import EMBEDDINGS
from clipgrip.config import Settings
from clipgrip.data.classes import ClassNames
from clipgrip.fewshot.joint import Joint, joined_probs
from clipgrip.method import PRESETS, Method
from clipgrip.prompts.base import Prompt
from clipgrip.prompts.classifier import zero_shot
from clipgrip.runs.embedding import Embeds
from clipgrip.starts import untuned
from clipgrip.task import Task
from clipgrip.training.loop import Recipe
from clipgrip.types import ClassEmbeds, Probs

RESIDUAL_RECIPE = Recipe(lr=0.001, steps=60, weight_decay=0.0)
"""Training of a residual: its values shift vectors of length one, so steps are small."""


@dataclass(frozen=True)
class Answers:
    """Probabilities for the pool (N, C) and for the test images (n, C)."""

    pool: Probs
    test: Float[Tensor, "n C"]


@dataclass(frozen=True)
class UntunedModel:
    """Zero-shot's class embeddings (C, D), zeros without texts, and the untuned prompt."""

    classes: ClassNames
    zero_shot: ClassEmbeds = field(repr=False)
    prompt: Prompt = field(repr=False)
    method: Method

    @property
    def has_texts(self) -> bool:
        """Whether there are class embeddings, of texts or prototypes; False where labels alone define the classes."""
        return bool(self.zero_shot.any())

    @property
    def texts(self) -> ClassEmbeds | None:
        """`zero_shot`; None where there are no texts."""
        return self.zero_shot if self.has_texts else None

    @classmethod
    def of(
        cls, backbone: Backbone, classes: ClassNames, settings: Settings, method: Method
    ) -> UntunedModel:
        """Encode the class names for zero-shot, and make the prompt to tune."""
        prompt = untuned(
            backbone,
            classes.prompts,
            method,
            template=settings.template,
            seed=settings.seed,
            kind=settings.prompt,
        )
        texts = zero_shot(backbone, classes.prompts, settings.template)
        started = cls(classes, texts, prompt, method)
        if started.has_texts:
            return started
        return replace(started, method=replace(method, recipe=replace(method.recipe, steps=0)))

    def suited_to(
        self, task: Task, backbone: Backbone, settings: Settings, own: Method | None = None
    ) -> UntunedModel:
        """This model, or one made anew where undecodable images have changed the task and so the method."""
        method = method_for(settings, task, own)
        if method == self.method or not self.has_texts:
            return self
        return UntunedModel.of(backbone, self.classes, settings, method)

    def tuned(self, learned: dict[str, Tensor]) -> Prompt:
        return self.prompt.with_learned(learned)

    def class_embeds(self, learned: dict[str, Tensor]) -> ClassEmbeds:
        """(C, D) of learned values; zero-shot's where nothing was learned."""
        if not learned:
            return self.zero_shot
        with torch.no_grad():
            return self.tuned(learned).class_embeds()

    def answers(
        self, learned: dict[str, Tensor], embeds: Embeds, joint: Joint | None = None
    ) -> Answers:
        """Probabilities for pool and test by the learned values; ``embeds`` are as the prompt sees the images."""
        class_embeds, scale = self.class_embeds(learned), self.prompt.logit_scale
        pool, test = (
            joined_probs(images, class_embeds, scale, joint)
            for images in (embeds.pool_joined, embeds.test_joined)
        )
        return Answers(pool, test)


def residual(method: Method) -> Method:
    """The method for precomputed embeddings, which tunes a residual of the class embeddings."""
    steps = min(RESIDUAL_RECIPE.steps, method.recipe.steps)
    return replace(method, recipe=replace(RESIDUAL_RECIPE, steps=steps), many_labels=None)


def method_for(settings: Settings, task: Task, own: Method | None = None) -> Method:
    """The method of the settings for this task: the preset's, or ``own``, with the settings' refinement values."""
    method = own or PRESETS[settings.preset][settings.prompt]
    method = residual(method) if settings.backbone == EMBEDDINGS else method.suited_to(task)
    if settings.strategy == "zero-shot":  # nothing is tuned, so a template needs no words to tune
        method = Method(init="random", n_ctx=0, refinement=method.refinement, banks=method.banks)
    method = replace(method, refinement=method.refinement.with_values(settings.refinement))
    # giving k asks for the surest images of each class in the place of all: k of them, in grip growing to k
    return replace(method, select="balanced") if settings.k else method
