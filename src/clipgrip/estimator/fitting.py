"""One fit: rounds on a pool, and the head for new images that follows from them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

import clipgrip
from clipgrip.backbone.optional_cache import cache_of
from clipgrip.config import Settings
from clipgrip.data.classes import ClassNames
from clipgrip.data.ingest import Images, Ingested, ingest
from clipgrip.data.issues import Issue
from clipgrip.data.task import Task, paradigm
from clipgrip.errors import ConfigError, DataError
from clipgrip.estimator.heads import Head, final_head, head_of_labels
from clipgrip.estimator.inputs import class_vectors
from clipgrip.estimator.labels import Target, Vocabulary, read, target, unlabeled
from clipgrip.fewshot.joint import Joint
from clipgrip.method import PRESETS, Method, learn, schedule, teacher_of
from clipgrip.prompts.base import Prompt
from clipgrip.prompts.classifier import predict_proba
from clipgrip.prompts.residual import ResidualPrompt
from clipgrip.pseudolabel.refine.refiner import ZERO_SHOT
from clipgrip.runs.embedding import embed_manifest, model_of
from clipgrip.runs.inputs import inputs_of
from clipgrip.runs.outcome import prompt_facts
from clipgrip.runs.rounds import Start, method_for
from clipgrip.runs.tasks import make_task
from clipgrip.serving.predictor import Predictor
from clipgrip.strategy import Reached, Round, kept
from clipgrip.training.loop import Recipe
from clipgrip.trust.folders import folder_facts, folder_sentences
from clipgrip.types import ClassEmbeds, ImageEmbeds, Probs
from clipgrip.words import Words

RESIDUAL_RECIPE = Recipe(lr=0.001, steps=60, weight_decay=0.0)
"""For vectors of length one, whose numbers are small."""


@dataclass(frozen=True)
class Fitted:
    """What a fit leaves. ``predictor`` knows the model; None where X were embeddings."""

    head: Head
    vocabulary: Vocabulary
    rounds: list[Round] = field(repr=False)
    paradigm: str
    issues: tuple[Issue, ...] = ()
    predictor: Predictor | None = None


def fit_images(
    images: Images,
    y: Any,
    names: ClassNames | None,
    settings: Settings,
    method: Method | None = None,
    *,
    ignore_folders: bool = False,
    encoding: str | None = None,
) -> Fitted:
    """Embed the images, pseudolabel, tune, repeat.

    Raises:
        DataError: y does not fit the images, nobody names the classes, or no image can be used.
    """
    names, told = _told_of_images(images, y, names)
    labels = None if y is None else told.labels.tolist()
    ingested = ingest(
        images, classes=names, labels=labels, encoding=encoding, folders=not ignore_folders
    )
    _say_folders(ingested)
    model = model_of(settings)
    everywhere = settings.candidates == "all" or ingested.by_folder > 0
    given = torch.from_numpy(ingested.manifest.labels[ingested.manifest.pool])
    expected = make_task(given, names, seen=None, all_candidates=everywhere)
    start = Start.of(model, names, settings, method_for(settings, expected, method))
    cache = cache_of(model)
    embedded = embed_manifest(model, ingested.manifest, cache=cache)
    pool = embedded.embeds
    task = make_task(pool.pool_labels, names, seen=None, all_candidates=everywhere)
    start = start.suited_to(task, model, settings, method)
    text = start.answers({}, pool).pool
    told.vocabulary.compare(task.labels, text)
    inputs = inputs_of(start.prompt, model, pool).pool
    done = _rounds(
        start.prompt, inputs, pool.pool, task, (start.zero_shot, text), settings, start.method
    )
    tuned, joint, rounds = done.tuned, done.joint, done.rounds
    learned = tuned.learned() if tuned else {}
    facts = prompt_facts(settings, model, start, tuned=tuned, joint=joint)
    predictor = Predictor(facts, learned, start.class_embeds(learned), joint)
    head = final_head(predictor.class_embeds, facts.logit_scale, joint)
    issues = ingested.issues + embedded.issues
    return Fitted(head, told.vocabulary, rounds, paradigm(task), issues, predictor)


def _say_folders(ingested: Ingested) -> None:
    """A warning of labels that nobody gave as y."""
    said = folder_sentences(folder_facts(ingested), Words("en"), "ignore_folders=True")
    if said:
        warnings.warn(" ".join(said), UserWarning, stacklevel=4)


def _told_of_images(images: Images, y: Any, names: ClassNames | None) -> tuple[ClassNames, Target]:
    """The classes, and what y says of them."""
    if y is None:
        if names is None:
            raise DataError("class_names is not given, and neither is y. Give class_names.")
        return names, unlabeled(0, Vocabulary.of_names(names.display))
    if isinstance(images, str | os.PathLike):
        raise DataError(
            "y goes with a sequence of images, not with a folder: the order of files says nothing. "
            "Give a list of paths, or use clipgrip run with --labels."
        )
    told = target(y, names, len(images))
    if names is None:
        if not told.vocabulary.by_name:
            raise DataError(
                "y holds numbers, and class_names is not given: a model of images and texts needs the names. "
                "Give class_names, or names in y."
            )
        names = ClassNames.from_names(told.vocabulary.names.tolist())
    return names, told


def fit_embeds(
    embeds: ImageEmbeds,
    y: Any,
    names: ClassNames | None,
    class_embeds: Any,
    logit_scale: float,
    settings: Settings,
    method: Method | None = None,
) -> Fitted:
    """The same on embeddings (N, D): a residual of the class embeddings is tuned, as there is no text tower.

    Without class embeddings nothing can be pseudolabeled, and the head learns from the labels alone.
    """
    _check_needs_no_model(settings, class_embeds)
    if class_embeds is None:
        return _fit_labels(embeds, y, names, settings, method)
    vectors = class_vectors(class_embeds, None if names is None else len(names), embeds.shape[1])
    named = names or ClassNames.from_names(f"class {n}" for n in range(len(vectors)))
    told = _told_of_rows(y, names, named, len(embeds))
    everywhere = settings.candidates == "all"
    labels = torch.from_numpy(told.labels)
    task = make_task(labels, named, seen=None, all_candidates=everywhere)
    pool, prompt = embeds.to(vectors.dtype), ResidualPrompt.untuned(vectors, logit_scale)
    text = predict_proba(pool, vectors, logit_scale)
    told.vocabulary.compare(labels, text)
    chosen = _residual_method(settings, method)
    done = _rounds(prompt, pool, pool, task, (vectors, text), settings, chosen)
    learned = done.tuned.class_embeds() if done.tuned else vectors
    head = final_head(learned, logit_scale, done.joint)
    return Fitted(head, told.vocabulary, done.rounds, paradigm(task))


def _told_of_rows(y: Any, names: ClassNames | None, named: ClassNames, n_rows: int) -> Target:
    """What y says of embeddings; where nobody gave ``names``, classes are positions in class_embeds."""
    if y is None:
        of = Vocabulary.of_names if names else Vocabulary.of_positions
        return unlabeled(n_rows, of(named.display))
    if names is None and any(isinstance(value, str) for value in read(y)):
        raise DataError(
            "y holds names and class_embeds is given without class_names, so no row of class_embeds has a name. "
            "Give class_names in the order of the rows."
        )
    told = target(y, named, n_rows)
    silent = names is None and told.vocabulary.by_name
    return unlabeled(n_rows, Vocabulary.of_positions(named.display)) if silent else told


def _fit_labels(
    embeds: ImageEmbeds,
    y: Any,
    names: ClassNames | None,
    settings: Settings,
    method: Method | None,
) -> Fitted:
    if y is None:
        raise DataError(
            "GripClassifier requires y to be passed, but the target y is None: without class_embeds there is "
            "nothing else to learn from. Give labels, or class_embeds."
        )
    told = target(y, names, len(embeds))
    if len(set(told.labels.tolist()) - {-1}) < 2:
        raise DataError(
            "y has labels of fewer than two classes, and class_embeds is not given. Give one of them."
        )
    n_classes = len(told.vocabulary.names)
    chosen = _residual_method(settings, method)
    if settings.strategy == "supervised":
        chosen = replace(chosen, refine=ZERO_SHOT)
    labels = torch.from_numpy(told.labels)
    head = head_of_labels(embeds, labels, n_classes, chosen, settings.seed)
    return Fitted(head, told.vocabulary, [], "SSL")


def _check_needs_no_model(settings: Settings, class_embeds: Any) -> None:
    if settings.prompt != "textual":
        raise ConfigError(
            f'GripClassifier: prompt = "{settings.prompt}" needs images, and backbone="embeddings" has none. '
            "Leave prompt away, or name a model as backbone."
        )
    if settings.strategy == "zero-shot" and class_embeds is None:
        raise ConfigError(
            "GripClassifier: zero-shot on embeddings needs class_embeds. Give (C, D), a row for each class."
        )


def _residual_method(settings: Settings, method: Method | None) -> Method:
    method = method or PRESETS[settings.preset]["textual"]
    recipe = replace(RESIDUAL_RECIPE, steps=min(RESIDUAL_RECIPE.steps, method.recipe.steps))
    chosen = replace(method, recipe=recipe, many_labels=None)
    return replace(chosen, select="balanced") if settings.k else chosen


@dataclass(frozen=True)
class _Done:
    """What the rounds came to: the kept prompt, None for zero-shot, and what joins it with the labels."""

    rounds: list[Round]
    tuned: Prompt | None
    joint: Joint | None


def _rounds(
    prompt: Prompt,
    inputs: Tensor,
    image_embeds: ImageEmbeds,
    task: Task,
    text: tuple[ClassEmbeds, Probs],
    settings: Settings,
    method: Method,
) -> _Done:
    """All rounds of the settings' strategy, from the text's class embeddings (C, D) and answers (N, C) on."""
    texts, zero_shot = text
    ks = schedule(settings.strategy, task, k=settings.k, n_rounds=settings.rounds)
    asked = method if any(ks) else replace(method, refine=ZERO_SHOT)
    teacher = None
    if ks:
        teacher = teacher_of(asked, task, image_embeds, zero_shot, texts, seed=settings.seed)
    with few_threads():
        rounds = list(
            learn(
                prompt,
                inputs,
                task,
                Reached(0, zero_shot if teacher is None else teacher.start),
                ks=ks,
                method=method,
                image_embeds=image_embeds,
                seed=settings.seed,
                teacher=teacher,
            )
        )
    best = kept(rounds)
    if best is None:
        return _Done(rounds, None, teacher.joint(image_embeds) if teacher else None)
    return _Done(rounds, best.learner.prompt, best.joint)


@contextmanager
def few_threads() -> Iterator[None]:
    """Half of torch's threads while prompts are tuned, where clipgrip came too late to let them wait passively.

    Threads that spin while they wait keep a busy machine from its work (docs/decisions/0004).
    """
    before = torch.get_num_threads()
    if clipgrip.THREADS_SPIN and before > 1:
        torch.set_num_threads(before // 2)
    try:
        yield
    finally:
        torch.set_num_threads(before)
