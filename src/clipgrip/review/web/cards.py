"""Images as values for the page."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any, Literal

import numpy as np

from clipgrip.review.calibrated import shown_confidence
from clipgrip.review.queues import surest_of
from clipgrip.review.snapshot import ReviewSnapshot
from clipgrip.review.states import ImageState
from clipgrip.review.web.context import PageContext

Queue = Literal["doubtful", "surest", "helpful", "disagree", "asked", "second", "answered", "audit"]
EXAMPLES = 6
KEYS = "123456789qwertyupdfghjklxcm"
"""Of the classes in their order; what is left out means something else, or looks like 0 or 1."""


def batch(
    context: PageContext, queue: Queue, klass: int | None, n: int, skip: int = 0
) -> dict[str, Any]:
    """Images of a queue as values for the page, and how many are left."""
    rows = context.server.queue(context.snapshot, queue, klass, context.person)
    shown = rows[skip : skip + n].tolist()
    return {"left": len(rows), "images": [card(context, row, queue) for row in shown]}


def card(context: PageContext, row: int, queue: Queue) -> dict[str, Any]:
    """One image; without the model's answer where the audit asks."""
    snapshot, names = context.snapshot, context.snapshot.classes.names
    view, image = snapshot.view, snapshot.view.rows[row]
    opinion = snapshot.opinions.get(image.sha256)
    shown: dict[str, Any] = {
        "image": image.sha256,
        "name": PurePosixPath(image.path).name,
        "path": image.path,
        "state": ImageState.OPEN.word,
        "said": [],
    }
    if snapshot.states.audit[row] and queue != "audit":
        # a disagreement about what measures the model
        shown |= {"class": 0, "proposed": "?", "second": "?", "confidence": 0.0}
    elif queue != "audit":
        shown |= {
            "class": int(view.label[row]),
            "proposed": names[int(view.label[row])],
            "second": names[int(view.second[row])],
            "confidence": round(shown_confidence(snapshot, row), 3),
        }
    if opinion is not None:
        shown["state"] = opinion.state.word
        unsure = context.say("cannot tell")
        shown["said"] = [
            f"{person or '?'}: {unsure if id_ is None else names[id_]}"
            for person, id_ in opinion.by_person
        ]
        if opinion.klass is not None:
            shown["decided"] = names[opinion.klass]
    return shown


def class_choices(context: PageContext, queue: Queue) -> list[dict[str, Any]]:
    """Every class with its key and how many images of the queue it has."""
    by_class = queue in ("doubtful", "surest")
    snapshot = context.snapshot
    rows = context.server.queue(snapshot, queue, None) if by_class else None
    numbers = {} if rows is None else snapshot.classes.counts(snapshot.view.label[rows])
    return [
        {
            "id": one.id,
            "name": one.name,
            "key": KEYS[n] if n < len(KEYS) else "",
            "n": numbers.get(one.id),
        }
        for n, one in enumerate(snapshot.classes.active)
    ]


def keys(snapshot: ReviewSnapshot) -> dict[str, int]:
    """The first classes by their key."""
    return {key: one.id for key, one in zip(KEYS, snapshot.classes.active, strict=False)}


def examples(snapshot: ReviewSnapshot) -> dict[str, list[str]]:
    """Class id -> its surest images: those that people decided first, then the model's most confident."""
    found, rows = {}, snapshot.view.rows
    for one in snapshot.classes.active:
        decided = np.flatnonzero(snapshot.states.klass == one.id)[:EXAMPLES].tolist()
        sure = surest_of(snapshot, one.id, EXAMPLES).tolist()
        shown = (decided[: EXAMPLES // 2] + sure)[:EXAMPLES]
        found[str(one.id)] = [rows[row].sha256 for row in shown]
    return found


def purpose(queue: Queue) -> str:
    """What an answer in a queue is for."""
    return {"audit": "audit", "disagree": "settle"}.get(queue, "review")
