"""What the page of the random audit says of its draw: how it draws, how each group stands, what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clipgrip.review.draws import (
    ChosenDraw,
    Kind,
    apart_proof,
    asked_for,
    chosen_draw,
    measured_so_far,
)
from clipgrip.review.measure import AuditProof
from clipgrip.review.queues import audited
from clipgrip.review.web.context import PageContext
from clipgrip.review.web.texts import KINDS
from clipgrip.runs.audit_sheet import BY_CLASS
from clipgrip.trust.measured import FEWEST
from clipgrip.trust.steps import Scope, Wider
from clipgrip.words import Words, mark

INTRO: dict[Kind, str] = {
    "alike": mark(
        "These images were drawn at random. What you answer measures the model and is never learned from, so the "
        "model's own answer is not shown."
    ),
    "class": mark(
        "These images were drawn at random within each class that the model answers. What you answer proves the "
        "promise of that class; the next round learns from it. The model's own answer is not shown."
    ),
    "ok": mark(
        "These images were drawn at random among those that the model takes for OK, and among the others. What you "
        "answer proves how many are missed and how many are overkill; the next round learns from it. The model's own "
        "answer is not shown."
    ),
    "measure": mark(
        "These images were drawn to measure, more of the doubtful ones. What you answer gives the accuracy of all; the "
        "next round learns from it. The model's own answer is not shown."
    ),
}
MISSES, OVERKILL = mark("taken for OK: misses"), mark("taken for a defect: overkill")


@dataclass(frozen=True)
class GroupLine:
    """How one group stands."""

    name: str
    images: int
    answered: int
    wrong: int
    decided: int
    """Images that the model may decide now."""
    next: str
    pays: bool


def drawing(context: PageContext) -> dict[str, Any]:
    """Values for the page."""
    store, snapshot, say = context.server.session.store, context.snapshot, context.say
    chosen = chosen_draw(snapshot, store)
    proof = apart_proof(snapshot, chosen) if chosen.apart else None
    return {
        "chosen": chosen,
        "terms": chosen.terms if chosen.kind != "alike" else asked_for(store),
        "kinds": KINDS,
        "intro": say(INTRO[chosen.kind]),
        "ok": _ok(chosen, context),
        "groups": [] if proof is None else group_lines(context, chosen, proof),
        "measured": _measured(context) if chosen.kind == "measure" else "",
        "may_plan": not audited(snapshot).any(),
        "most": int((snapshot.round.draw.pool_rows >= 0).sum()),
        "may_draw": snapshot.view.as_run and snapshot.round.draw.audit is not None,
    }


def group_lines(context: PageContext, chosen: ChosenDraw, proof: AuditProof) -> list[GroupLine]:
    """Each group in the order of the classes."""
    audit, say = context.snapshot.round.draw.audit, context.say
    assert audit is not None
    rows, truth = (np.array(values, dtype=np.int64) for values in (proof.rows, proof.truth))
    labels = audit.pool.labels
    steps = {one.group: one for one in proof.promise.wider}
    lines = []
    names = _names(chosen, context)
    for group, scope, name in zip(proof.groups, proof.promise.scopes, names, strict=True):
        mine = group.members(labels[rows])
        given = truth[mine]
        # one that nobody can tell counts against the model
        wrong = np.where(given >= 0, group.wrong[labels[rows][mine], given], True)
        step = steps.get(group.name)
        lines.append(
            GroupLine(
                name,
                int(group.members(labels).sum()),
                int(mine.sum()),
                int(wrong.sum()),
                int((group.members(labels) & proof.promise.decided).sum()),
                next_of(scope, step, say),
                step is not None and step.pays,
            )
        )
    return lines


def next_of(scope: Scope, step: Wider | None, say: Words) -> str:
    """What the next answers of a group would bring."""
    if scope.whole:
        return say("proven for all its images")
    if step is None:
        return say("too few images for a proof: people decide")
    if step.right is None:
        return say("stop: no number of answers proves more")
    more = say(
        "{right} more right answers in a row would let the model decide {images} images more",
        right=say.number(step.right),
        images=say.number(step.gain),
    )
    return more if step.pays else say("stop: {more}, too many for what they add", more=more)


def _names(chosen: ChosenDraw, context: PageContext) -> Sequence[str]:
    if chosen.apart == BY_CLASS:
        return [one.name for one in context.snapshot.classes.active]
    return [context.say(MISSES), context.say(OVERKILL)]


def _ok(chosen: ChosenDraw, context: PageContext) -> list[int]:
    """Ids of the classes that mean OK."""
    if chosen.kind != "ok":
        return []
    active = context.snapshot.classes.active
    places = chosen.apart.removeprefix("ok").split("_")
    return [active[int(place)].id for place in places]


def _measured(context: PageContext) -> str:
    """The accuracy so far."""
    found, say = measured_so_far(context.snapshot), context.say
    if found is None:
        return say("The accuracy shows from {n} answers on.", n=FEWEST)
    whole = found.overall
    return say(
        "{value} of the images without a label are answered rightly (95% interval {span}, by {n} answers).",
        value=say.percent(whole.value),
        span=say.span((whole.low, whole.high)),
        n=say.number(whole.answers),
    )
