"""Images as values for the page."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any, Literal

from clipgrip.review.desk import counted
from clipgrip.review.queues import surest
from clipgrip.review.web.state import Hall
from clipgrip.words import Words

Queue = Literal["doubtful", "surest", "helpful", "disagree", "asked", "second", "answered", "audit"]
EXAMPLES = 6
KEYS = "123456789qwertyupdfghjklxcm"
"""Of the classes in their order; what is left out means something else, or looks like 0 or 1."""


def batch(
    hall: Hall, say: Words, queue: Queue, klass: int | None, n: int, skip: int = 0, person: str = ""
) -> dict[str, Any]:
    """Images of a queue as values for the page, and how many are left."""
    rows = hall.queue(queue, klass, person)
    shown = rows[skip : skip + n].tolist()
    return {"left": len(rows), "images": [card(hall, say, row, queue) for row in shown]}


def card(hall: Hall, say: Words, row: int, queue: Queue) -> dict[str, Any]:
    """One image; without the model's answer where the audit asks."""
    desk = hall.desk
    view, image = desk.view, desk.view.rows[row]
    opinion = desk.opinion(image.sha256)
    shown: dict[str, Any] = {
        "image": image.sha256,
        "name": PurePosixPath(image.path).name,
        "path": image.path,
        "state": "open",
        "said": [],
    }
    if (
        desk.standing.audit[row] and queue != "audit"
    ):  # a disagreement about what measures the model
        shown |= {"class": 0, "proposed": "?", "second": "?", "confidence": 0.0}
    elif queue != "audit":
        shown |= {
            "class": int(view.label[row]),
            "proposed": desk.names[int(view.label[row])],
            "second": desk.names[int(view.second[row])],
            "confidence": round(float(view.confidence[row]), 3),
        }
    if opinion is not None:
        shown["state"] = opinion.state
        unsure = say("cannot tell")
        shown["said"] = [
            f"{person or '?'}: {unsure if id_ is None else desk.names[id_]}"
            for person, id_ in opinion.said
        ]
        if opinion.klass is not None:
            shown["decided"] = desk.names[opinion.klass]
    return shown


def class_choices(hall: Hall, queue: Queue) -> list[dict[str, Any]]:
    """Every class with its key and how many images of the queue it has."""
    by_class = queue in ("doubtful", "surest")
    rows = hall.queue(queue, None) if by_class else None
    ids = [one.id for one in hall.desk.view.classes]
    numbers = counted(hall.desk.view.label[rows], ids) if rows is not None else {}
    return [
        {
            "id": one.id,
            "name": one.name,
            "key": KEYS[n] if n < len(KEYS) else "",
            "n": numbers.get(one.id),
        }
        for n, one in enumerate(hall.desk.view.classes)
    ]


def keys(hall: Hall) -> dict[str, int]:
    """The first classes by their key."""
    return {key: one.id for key, one in zip(KEYS, hall.desk.view.classes, strict=False)}


def examples(hall: Hall) -> dict[str, list[str]]:
    """Class id -> its surest images: those that people decided first, then the model's most confident."""
    desk = hall.desk
    found = {}
    for one in desk.view.classes:
        people = [
            desk.view.rows[row].sha256
            for row in (desk.standing.klass == one.id).nonzero()[0][:EXAMPLES].tolist()
        ]
        sure = [desk.view.rows[row].sha256 for row in surest(desk, one.id)[:EXAMPLES].tolist()]
        found[str(one.id)] = (people[: EXAMPLES // 2] + sure)[:EXAMPLES]
    return found


def purpose(queue: Queue) -> str:
    """What an answer in a queue is for."""
    return {"audit": "audit", "disagree": "settle"}.get(queue, "review")
