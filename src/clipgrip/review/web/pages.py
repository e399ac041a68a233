"""What each page shows, in the reader's language."""

from __future__ import annotations

from typing import Any

from clipgrip.advice.doubted import in_short, reason
from clipgrip.advice.labels import label_sentences
from clipgrip.advice.model import headline, reasons, remedies
from clipgrip.advice.unlearned import occurring_sentences
from clipgrip.data.sources import is_gone
from clipgrip.review import job
from clipgrip.review.classes import Moves
from clipgrip.review.draws import asked_for, chosen_draw
from clipgrip.review.exchange import EXPORTS, IMPORTS
from clipgrip.review.exchange.studio_tasks import labeling_config
from clipgrip.review.overview import Overview, Step, overview
from clipgrip.review.web import cards
from clipgrip.review.web.cards import Queue
from clipgrip.review.web.context import PageContext
from clipgrip.review.web.drawing import drawing, group_lines
from clipgrip.review.web.texts import (
    AUDIT_RESET,
    QUEUE_NAMES,
    STAGES,
    audit_reset,
    chance_of_change,
    held_back,
    hold_said,
    next_step,
    words_of_change,
    worth_of_confidence,
)
from clipgrip.review.web.work import folder_at_work
from clipgrip.runs.watch.status import rings
from clipgrip.trust.knowledge import knows_nothing
from clipgrip.words import Words
from clipgrip_line.trust.scope import ALL, group_name

FIRST = 60
"""Images that come with the page of single ones; the script fetches more."""


def overview_page(context: PageContext) -> str:
    """Where the review stands."""
    found = _overview(context)
    return context.page(
        "overview.html",
        tab="overview",
        o=found,
        step=next_step(found, context.say),
        link=LINKS[found.step],
        held=held_back(context.snapshot.round.rounds, context.say),
        terms=asked_for(context.server.session.store),
        **_doubts(found, context),
        doubted=_doubted(context),
        occurring=_occurring(context),
        **_groups(found, context),
        withdrawn=_withdrawn(found, context.say),
        rounds=[one for one in context.snapshot.round.rounds if "labels" in one.facts],
        running=job.progress(context.server.folder).state == "running",
        bars=_bars(found),
        rings=rings(folder_at_work(context.server)),
        gone=context.server.presence.look(context.snapshot.view.rows),
    )


LINKS: dict[Step, str] = {
    "settle": "/review?queue=disagree",
    "audit": "/audit",
    "more-audit": "/audit",
    "round": "/rounds",
    "review": "/review",
    "second": "/review?queue=asked",
    "rethink": "/review?queue=helpful",
    "done": "/files",
}


def grid_page(context: PageContext, queue: Queue, klass: int | None, n: int, skip: int) -> str:
    """Many images at a time."""
    found = cards.batch(context, queue, klass, n, skip)
    return context.page(
        "grid.html",
        tab="review",
        queue=queue,
        queues=QUEUE_NAMES,
        klass=klass,
        n=n,
        skip=skip,
        total=found["left"],
        cards=found["images"],
        classes=cards.class_choices(context, queue),
        keys=cards.keys(context.snapshot),
        purpose=cards.purpose(queue),
        worth=worth_of_confidence(context.snapshot, context.say),
    )


def one_page(context: PageContext, queue: Queue, klass: int | None, image: str) -> str:
    """One image at a time; the audit's without the model's answer, which would lead people on."""
    found = cards.batch(context, queue, klass, FIRST)
    images, drawn = found["images"], drawing(context) if queue == "audit" else {}
    even = not drawn or drawn["chosen"].kind == "alike"
    row = context.snapshot.view.row_by_hash.get(image)
    if row is not None:
        first = cards.card(context, row, queue)
        images = [first, *(card for card in images if card["image"] != image)]
    return context.page(
        "one.html",
        tab="audit" if queue == "audit" else "one",
        queue=queue,
        queues=QUEUE_NAMES,
        klass=klass,
        total=found["left"],
        images=images,
        classes=cards.class_choices(context, queue),
        keys=cards.keys(context.snapshot),
        examples={} if queue == "audit" else cards.examples(context.snapshot),
        purpose=cards.purpose(queue) if even else "apart",
        worth=worth_of_confidence(context.snapshot, context.say),
        goal=_overview(context) if queue == "audit" and even else None,
        reset=audit_reset(context.snapshot.round.rounds, context.say) if queue == "audit" else [],
        **drawn,
    )


def classes_page(context: PageContext) -> str:
    """Names, words for the model, and what may be done with them."""
    return context.page(
        "classes.html",
        tab="classes",
        lines=_overview(context).classes,
        named=context.server.names.lines(context.snapshot),
        doubted=_doubted(context),
        why=reason,
        changes=[
            (context.say.date(c.at), c.person, words_of_change(c, context.say))
            for c in reversed(context.server.session.store.changes())
        ][:50],
    )


def rounds_page(context: PageContext) -> str:
    """The next round: begin it, watch it, see what it brought."""
    return context.page(
        "rounds.html",
        tab="rounds",
        o=_overview(context),
        rounds=list(reversed(context.snapshot.round.rounds)),
        reset=AUDIT_RESET,
        hold_said=lambda facts: hold_said(context.snapshot.round.rounds, facts, context.say),
        chance_of=lambda facts: chance_of_change(facts, context.say),
        zero_shot=_strategy(context) == "zero-shot",
        by_labels=label_sentences(context.snapshot.view.outcome.labels, context.say),
        state=progress_of(context),
    )


def files_page(context: PageContext) -> str:
    """In and out."""
    snapshot = context.snapshot
    rows = snapshot.view.rows.and_(snapshot.round.missing)
    gone = sorted(row.path for row in rows if is_gone(row.source))
    return context.page(
        "files.html",
        tab="files",
        exports=EXPORTS,
        imports=IMPORTS,
        answers=len(snapshot.answers),
        images=len(rows),
        gone=gone,
        config=labeling_config([one.name for one in snapshot.classes.active]),
    )


def progress_of(context: PageContext) -> dict[str, Any]:
    """How far the next round is."""
    progress, say = job.progress(context.server.folder), context.say
    stage = STAGES.get(progress.stage, STAGES["begin"])
    return {
        "state": progress.state,
        "loading": context.server.loading,
        "current": context.snapshot.round.number,
        "stage": say(stage),
        "share": progress.share,
        "left": "" if progress.left is None else _roughly(progress.left, say),
        "rounds": progress.rounds,
        "error": progress.errors.get(say.language, progress.error),
        "round": progress.round,
    }


def _roughly(seconds: float, say: Words) -> str:
    """A time that is not known better: no tenths."""
    if seconds < 55:
        return say("{n} s", n=max(5, 5 * round(seconds / 5)))
    if seconds < 5400:
        return say("{n} min", n=max(1, round(seconds / 60)))
    return say("{n} h", n=f"{seconds / 3600:.1f}")


def moves_of(context: PageContext, moves: Moves) -> dict[str, Any]:
    """What other words would change."""
    say = context.say
    return {
        "sentence": say(
            "{moved} of {of} answers would move.",
            moved=say.number(moves.moved),
            of=say.number(moves.of),
        ),
        "pairs": [{"before": a, "after": b, "n": n} for a, b, n in moves.pairs[:8]],
        "images": [{"image": i, "before": a, "after": b} for i, a, b in moves.images],
    }


def _overview(context: PageContext) -> Overview:
    store, snapshot = context.server.session.store, context.snapshot
    return overview(snapshot, asked_for(store), chosen=chosen_draw(snapshot, store))


def _groups(found: Overview, context: PageContext) -> dict[str, Any]:
    """How each group stands, where they are drawn apart."""
    if found.proof is None or not found.proof.promise.apart:
        return {"groups": []}
    chosen = chosen_draw(context.snapshot, context.server.session.store)
    return {"groups": group_lines(context, chosen, found.proof)}


def _withdrawn(found: Overview, say: Words) -> str:
    """That what this audit promised was withdrawn at work, or which groups of it; empty where all of it stands."""
    names = found.deciders.withdrawn
    if not names:
        return ""
    if not found.deciders.stands:
        return say(
            "The promise of this audit was withdrawn at work: daily answers showed more errors than promised. People "
            "decide until a new audit promises anew: that of the next round, or one drawn by clipgrip audit draw with "
            "another --seed."
        )
    groups = [
        say("all classes") if one == ALL else say.translated(group_name(one)) for one in names
    ]
    return say(
        "Withdrawn at work, since daily answers showed more errors than promised: {groups} of this audit. What other "
        "promises hold is still the model's. A new audit promises these anew: that of the next round, or one drawn by "
        "clipgrip audit draw with another --seed.",
        groups=say.names(groups, 6),
    )


def _strategy(context: PageContext) -> str:
    """Of the run whose model is in use."""
    return str(context.snapshot.view.outcome.run.settings["strategy"])


def _doubts(o: Overview, context: PageContext) -> dict[str, Any]:
    """What speaks against the answers, and what helps most, as sentences."""
    say, learns = context.say, _strategy(context) != "zero-shot"
    given = int(context.snapshot.view.learned.sum())
    return {
        "guesses": headline(say, o.doubts) if knows_nothing(o.doubts) else "",
        "against": reasons(o.doubts, say),
        "remedies": remedies(o.doubts, len(o.classes), say, given=given, learns=learns),
    }


def _doubted(context: PageContext) -> str:
    """One sentence about the names that do not seem to fit; empty where all do."""
    lines = context.server.names.lines(context.snapshot).values()
    doubted = [line.about for line in lines if line.doubted]
    return in_short(doubted, len(lines), context.say)


def _occurring(context: PageContext) -> list[str]:
    """Which classes may occur, and what an answer outside them does."""
    say = context.say
    found = occurring_sentences(context.snapshot.view.outcome.metrics, say)
    outside = say("Answer with any class: one outside these may occur too from the next round on.")
    return [*found, outside] if found else []


def _bars(o: Overview) -> list[tuple[str, float, float, int]]:
    """(kind, start, width, images) of each part of the whole, in per cent."""
    parts = (
        ("people", o.people + o.given),
        ("model", o.model),
        ("doubt", o.disagree + o.unsure + o.asked),
        ("open", o.open),
    )
    start, bars = 0.0, []
    for kind, n in parts:
        width = 100 * n / max(1, o.images)
        bars.append((kind, start, width, n))
        start += width
    return bars
