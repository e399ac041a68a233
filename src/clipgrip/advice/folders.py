"""What folders and labels were taken for where that is not plain, as sentences, with the images they are about."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from clipgrip.data.issues import REASONS, Issue, Issues
from clipgrip.data.merge import TEST_HOLDS, TEST_LEFT_OUT
from clipgrip.words import Sentence, Words, mark

UNDO = "--ignore-folders"
"""The option of the commands that learn."""
ISSUES = "issues.csv"
"""Where they list what was not used."""
SHOWN = 3
REMARKS = {
    "folder-disagrees": mark(
        "{n} images lie in {n|a folder|folders} named like {n|another class than its label; the label holds|other "
        "classes than their labels; the labels hold}: {examples}."
    ),
    "conflicting-labels": mark(
        "{n} images have labels that contradict each other and {n|counts|count} as unlabeled: {examples}."
    ),
    "conflicting-tests": mark(
        "{n} test images have labels that contradict each other and {n|is|are} left out: {examples}."
    ),
    "label-beside-test": mark(
        "{n} test images have {n|another label in the labels to learn from; that of the test holds|other labels "
        "in the labels to learn from; those of the test hold}: {examples}."
    ),
    "nested-class-folders": mark(
        "{n} images lie in folders of several classes; the nearest is taken: {examples}."
    ),
    "folder-like-class": mark(
        "{n} folders are named almost like {n|a class, and its images are not labeled by it|classes, and their "
        "images are not labeled by them}: {examples}."
    ),
    "folder-of-test": mark(
        "Images below {n|this folder|these folders} are not labeled by their folders, as they may be meant to "
        "measure on: {examples}. To measure on them, give {n|it|one} as the test."
    ),
    "labels-not-read": mark(
        "{n} columns may hold labels and {n|is|are} not read as such ({issues} says why): {examples}."
    ),
    "labels-unseen": mark(
        "{n|A table holds|Tables hold} a model's answers that were left to a person; they are taken as people's "
        "labels ({issues}): {examples}."
    ),
    "labels-left-out": mark(
        "{n|A table says of some of its|Tables say of some of their} labels that they are not to learn from "
        "({issues}): {examples}."
    ),
    "labels-of-test": mark(
        "What is given to learn from is called as what one measures on ({issues}): {examples}."
    ),
    "labels-empty": mark(
        "{n} tables are given for labels and {n|holds none; is it|hold none; are they} filled, and saved? "
        "{examples}"
    ),
}
"""By what an issue is about (`_kind`)."""
OF_LABELS = frozenset(REMARKS) & frozenset(REASONS)


def folder_facts(labeled: int, images: int, issues: Issues) -> dict[str, Any] | None:
    """Of so many images, labeled by their folders and all; None where there is nothing to say."""
    found: dict[str, Any] = {}
    for one in issues.among(OF_LABELS):
        remark = found.setdefault(_kind(one), {"count": 0, "examples": []})
        remark["count"] += 1
        remark["examples"] += [_example(one)] if remark["count"] <= SHOWN else []
    remarks = {reason: found[reason] for reason in REMARKS if reason in found}
    if not labeled and not remarks:
        return None
    return {"labeled": labeled, "images": images, "remarks": remarks}


def folder_sentences(
    facts: Mapping[str, Any] | None, say: Words, undo: str = UNDO, issues: str = ISSUES
) -> list[str]:
    """How many images are labeled by their folders and how that is undone, and what was not plain."""
    if not facts:
        return []
    sentences = []
    if n := facts["labeled"]:
        values = {"n": say.number(n), "total": say.number(facts["images"]), "undo": undo}
        sentences.append(
            say(
                "{n} of {total} images lie in folders named like classes, which count as labels; {undo} undoes "
                "it.",
                **values,
            )
        )
    for reason, one in facts["remarks"].items():
        more = one["count"] - len(one["examples"])
        listed = say(", ").join(one["examples"])
        examples = say("{listed} and {rest} more", listed=listed, rest=more) if more else listed
        values = {"n": say.number(one["count"]), "examples": examples, "issues": issues}
        sentences.append(say(REMARKS[reason], **values))
    return sentences


def _kind(issue: Issue) -> str:
    """Its reason; of labels that contradict each other, what was done."""
    if issue.reason != "conflicting-labels":
        return issue.reason
    template = issue.detail.template if isinstance(issue.detail, Sentence) else ""
    return {TEST_LEFT_OUT: "conflicting-tests", TEST_HOLDS: "label-beside-test"}.get(
        template, issue.reason
    )


def _example(issue: Issue) -> str:
    """The image or folder, and the classes that are named beside it, in any language."""
    names = re.findall('"([^"]+)"', issue.detail)
    return f"{issue.path} ({', '.join(dict.fromkeys(names))})" if names else issue.path
