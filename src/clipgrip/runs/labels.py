"""What the given labels taught a run: the facts that are stored, and the classifier made again from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clipgrip.fewshot.joint import Joint
from clipgrip.fewshot.teacher import Teacher, joint_without_labels, teaches
from clipgrip.metrics import exact_interval
from clipgrip.runs.embedding import Embeds
from clipgrip.runs.prepare import Prepared
from clipgrip.runs.rounds import head_of, pseudolabels_of
from clipgrip.runs.store import StoredRound


def label_facts(
    teacher: Teacher | None, embeds: Embeds, ks: Sequence[int], names: Sequence[str] = ()
) -> dict[str, Any] | None:
    """The part of metrics.json about the given labels; None without a teacher.

    ``ks`` are the rounds of the schedule. With the class ``names``, those that do not fit their images are listed.
    """
    if teacher is None:
        return None
    facts = teacher.facts()
    if names and teacher.misnamed:
        facts["misnamed"] = [names[c] for c in teacher.misnamed]
    if not teacher.has_text:
        facts["has_text"] = False
    if facts["held_out"]:
        held_out = facts["held_out"]
        held_out["accuracy"] = held_out["right"] / held_out["n"]
        held_out["interval"] = list(exact_interval(held_out["right"], held_out["n"]))
    if not len(teacher.task.unlabeled):
        facts["unlabeled"] = 0
    if len(teacher.worthwhile(ks)) < len(ks):
        facts["one_round"] = True
    facts["contradicted"] = [
        [embeds.pool_rows[row].sha256, answer] for row, answer in teacher.contradicted()
    ]
    return facts


def joint_of_run(
    facts: Mapping[str, Any], ready: Prepared, through: Embeds, stored: StoredRound | None
) -> Joint | None:
    """The joined classifier of a stored run; ``through`` are its images as the prompt sees them (`embeds_through`)."""
    labels, head = facts.get("labels"), ready.method.head
    learned, scale = {} if stored is None else stored.learned, ready.start.prompt.logit_scale
    if labels is None or head is None or not teaches(head, ready.task):
        if stored is None:
            return None
        pseudolabels = pseudolabels_of(stored, ready.embeds, ready.task.n_classes)
        text = ready.start.class_embeds(learned if ready.task.absent is None else {}), scale
        head = head_of(stored, ready.method)
        return joint_without_labels(through.pool_joined, text, ready.task, pseudolabels, head)
    pool, texts = ready.embeds.pool_joined, ready.start.texts
    teacher = Teacher.of(pool, ready.text_answers, ready.task, head, texts)
    text, own = (ready.start.class_embeds(learned), scale), None
    if labels["uses_unlabeled"] and stored is not None:
        own = pseudolabels_of(stored, ready.embeds, ready.task.n_classes)
    joint = teacher.joint(through.pool_joined, own)
    return joint.reluctant(through.pool_joined, text, teacher.weights.may_lose(head))
