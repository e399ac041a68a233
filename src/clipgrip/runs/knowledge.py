"""Checks whether the model knows the classes, before anything is learned; the findings are stored with the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from clipgrip.advice.labels import labels_teach
from clipgrip.backbone.base import Backbone
from clipgrip.backbone.names import EMBEDDINGS, NANO
from clipgrip.backbone.precomputed import PrecomputedModel
from clipgrip.data.classes import ClassNames
from clipgrip.mapped import picked
from clipgrip.metrics import commonest
from clipgrip.runs.embedding import Embeds
from clipgrip.runs.prepare import Prepared
from clipgrip.runs.store import StoredRun
from clipgrip.runs.untuned_model import Answers
from clipgrip.task import Task
from clipgrip.trust.knowledge import (
    KINDS,
    Finding,
    Judged,
    Signs,
    findings,
    knows_nothing,
    no_better,
    untested,
)
from clipgrip.trust.pointing import best_cosine, likeness, pointing
from clipgrip.trust.wording import is_code, unread
from clipgrip.types import ClassEmbeds, Labels, Probs


def knowledge(ready: Prepared, backbone: Backbone) -> tuple[Finding, ...]:
    """Findings against zero-shot's answers, from names, texts, images and labels; none without texts."""
    start = ready.start
    if not start.has_texts:
        return ()
    texts, answers = start.zero_shot, ready.zero_shot
    return knowledge_of(backbone, start.classes, texts, ready.embeds, answers, ready.task)


def knowledge_of(
    backbone: Backbone,
    classes: ClassNames,
    texts: ClassEmbeds,
    embeds: Embeds,
    answers: Answers,
    task: Task,
) -> tuple[Finding, ...]:
    """`knowledge` for class embeddings (C, D) and their answers."""
    # of precomputed embeddings nobody knows the texts behind them, so names say nothing
    given = isinstance(backbone, PrecomputedModel)
    names, prompts = classes.display, dict.fromkeys(classes.prompts)
    rows = task.unlabeled
    free, may_be = len(rows) > 0 and task.shares_classes, task.candidate_classes
    lie = pointing(picked(answers.pool, rows, may_be)) if free else None
    signs = Signs(
        names=names,
        demo_model=backbone.name == NANO,
        best_cosine=best_cosine(embeds.pool, texts),
        likeness=likeness(texts, backbone.logit_scale) if len(names) > 1 else None,
        codes=() if given else tuple(text for text in prompts if is_code(text)),
        unread=() if given else unread(tuple(prompts), backbone.text.tokenize),
        pointing=None if lie is None else replace(lie, top_class=int(may_be[lie.top_class])),
        judged=judged(answers.pool, embeds.pool_labels, names)
        or judged(answers.test, embeds.test_labels, names),
    )
    return findings(signs)


def judged(probs: Probs, labels: Labels, names: tuple[str, ...]) -> Judged | None:
    """How many labeled images the answers (N, C) get right, and the commonest class would; None without labels."""
    known = labels >= 0
    if not bool(known.any()):
        return None
    right = int((probs.argmax(1) == labels)[known].sum())
    position, common = commonest(labels)
    return Judged(right, common, int(known.sum()), names[position])


def could_have_an_eye(metrics: Mapping[str, Any]) -> bool:
    """Whether a run could use an eye: it has images, and no eye yet."""
    return metrics["backbone"]["name"] != EMBEDDINGS and not metrics.get("eyes")


def is_guessing(run: StoredRun) -> bool:
    """Whether a run's answers look like guesses; never for a run with test images, which measure them."""
    return not run.facts["data"].get("test") and knows_nothing(doubts(run.facts))


def doubts(metrics: Mapping[str, Any]) -> tuple[Finding, ...]:
    """The stored findings against a run's answers; none where a test or held-out labels refute them.

    They do where the answers are better than the commonest class. Runs of older versions have no findings.
    """
    scores = (metrics.get("final") or {}).get("test")
    if scores is not None and not _is_chance(scores):
        return ()
    if scores is None and labels_teach(metrics.get("labels")):
        return ()
    known = [one for one in metrics.get("knowledge") or () if one["kind"] in KINDS]
    found = tuple(
        Finding(one["kind"], {k: v for k, v in one.items() if k != "kind"}) for one in known
    )
    labels = metrics.get("labels")
    return untested(found, labels["held_out"]) if labels and scores is None else found


def _is_chance(scores: Mapping[str, Any]) -> bool:
    right, (_, common) = round(scores["accuracy"] * scores["n"]), scores.get("commonest", (0, 0))
    return no_better(Judged(right, common, scores["n"], ""))
