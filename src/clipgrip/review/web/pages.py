"""What each page shows, in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

from clipgrip.data.sources import is_there
from clipgrip.markup import templates
from clipgrip.review import job
from clipgrip.review.classes import Moves
from clipgrip.review.exchange import EXPORTS, IMPORTS
from clipgrip.review.exchange.studio_tasks import labeling_config
from clipgrip.review.overview import Overview, Step, asked_for, overview
from clipgrip.review.web import cards
from clipgrip.review.web.cards import Queue
from clipgrip.review.web.state import Hall
from clipgrip.review.web.texts import QUEUE_NAMES, STAGES, for_script, next_step, words_of_change
from clipgrip.trust.advice import headline, reasons, remedies
from clipgrip.trust.doubted import in_short, reason
from clipgrip.trust.knowledge import knows_nothing
from clipgrip.words import LANGUAGES, Language, Words

FIRST = 60
"""Images that come with the page of single ones; the script fetches more."""
COOKIES = {"person": "clipgrip_person", "language": "clipgrip_language"}


@dataclass(frozen=True)
class Screen:
    """One request: who asks, in which language."""

    hall: Hall = field(repr=False)
    say: Words
    person: str
    csrf: str = field(repr=False)

    @classmethod
    def of(cls, hall: Hall, cookies: Mapping[str, str], accepted: str, csrf: str) -> Screen:
        """From the cookies, or from what the browser accepts."""
        chosen = cookies.get(COOKIES["language"], "")
        language: Language = _accepted(accepted)
        if chosen in LANGUAGES:
            language = "ja" if chosen == "ja" else "en"
        told = unquote(cookies.get(COOKIES["person"], ""))
        person = "".join(c for c in told if c.isprintable())[:80].strip()
        return cls(hall, Words(language), person, csrf)

    def page(self, name: str, **values: Any) -> str:
        """A page from its template."""
        shared = {
            "root": self.hall.root,
            "say": self.say,
            "language": self.say.language,
            "person": self.person,
            "csrf": self.csrf,
            "words": for_script(self.say),
            "project": self.hall.folder.resolve().name,
            "review": self.hall.name,
            "round": self.hall.desk.round.number,
            "loading": self.hall.loading,
            "missing": len(self.hall.desk.missing),
            "under_review": len(self.hall.desk.view.rows) + len(self.hall.desk.missing),
        }
        return templates("clipgrip.review.web").get_template(name).render(**shared, **values)


def encoded(value: str) -> str:
    """A value that a cookie can hold."""
    return quote(value.strip(), safe="")


def overview_page(screen: Screen) -> str:
    """Where the review stands."""
    found = _overview(screen)
    return screen.page(
        "overview.html",
        tab="overview",
        o=found,
        step=next_step(found, screen.say),
        link=LINKS[found.step],
        held=_held(screen),
        terms=asked_for(screen.hall.desk),
        **_doubts(found, screen.say),
        doubted=_doubted(screen),
        rounds=[one for one in screen.hall.desk.rounds if "labels" in one.facts],
        running=job.progress(screen.hall.folder).state == "running",
        bars=_bars(found),
        gone=screen.hall.presence.look(screen.hall.desk.view.rows),
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


def grid_page(screen: Screen, queue: Queue, klass: int | None, n: int, skip: int) -> str:
    """Many images at a time."""
    held = cards.batch(screen.hall, screen.say, queue, klass, n, skip, screen.person)
    return screen.page(
        "grid.html",
        tab="review",
        queue=queue,
        queues=QUEUE_NAMES,
        klass=klass,
        n=n,
        skip=skip,
        total=held["left"],
        cards=held["images"],
        classes=cards.class_choices(screen.hall, queue),
        keys=cards.keys(screen.hall),
        purpose=cards.purpose(queue),
    )


def one_page(screen: Screen, queue: Queue, klass: int | None, image: str) -> str:
    """One image at a time; the audit's without the model's answer, which would lead people on."""
    held = cards.batch(screen.hall, screen.say, queue, klass, FIRST, 0, screen.person)
    images = held["images"]
    if image in screen.hall.desk.view.place:
        first = cards.card(screen.hall, screen.say, screen.hall.desk.row(image), queue)
        images = [first, *(card for card in images if card["image"] != image)]
    return screen.page(
        "one.html",
        tab="audit" if queue == "audit" else "one",
        queue=queue,
        queues=QUEUE_NAMES,
        klass=klass,
        total=held["left"],
        images=images,
        classes=cards.class_choices(screen.hall, queue),
        keys=cards.keys(screen.hall),
        examples={} if queue == "audit" else cards.examples(screen.hall),
        purpose=cards.purpose(queue),
        goal=_overview(screen) if queue == "audit" else None,
    )


def classes_page(screen: Screen) -> str:
    """Names, words for the model, and what may be done with them."""
    return screen.page(
        "classes.html",
        tab="classes",
        lines=_overview(screen).classes,
        named=screen.hall.names.lines(),
        doubted=_doubted(screen),
        why=reason,
        changes=[
            (screen.say.date(c.at), c.person, words_of_change(c, screen.say))
            for c in reversed(screen.hall.desk.store.changes())
        ][:50],
    )


def rounds_page(screen: Screen) -> str:
    """The next round: begin it, watch it, see what it brought."""
    return screen.page(
        "rounds.html",
        tab="rounds",
        o=_overview(screen),
        rounds=list(reversed(screen.hall.desk.rounds)),
        state=progress_of(screen),
    )


def files_page(screen: Screen) -> str:
    """In and out."""
    desk = screen.hall.desk
    rows = (*desk.view.rows, *desk.missing)
    gone = sorted(row.path for row in rows if not is_there(row.source))
    return screen.page(
        "files.html",
        tab="files",
        exports=EXPORTS,
        imports=IMPORTS,
        answers=len(desk.answers()),
        images=len(rows),
        gone=gone,
        config=labeling_config([one.name for one in desk.view.classes]),
    )


def progress_of(screen: Screen) -> dict[str, Any]:
    """How far the next round is."""
    told, say = job.progress(screen.hall.folder), screen.say
    stage = STAGES.get(told.stage, STAGES["begin"])
    return {
        "state": told.state,
        "loading": screen.hall.loading,
        "current": screen.hall.desk.round.number,
        "stage": say(stage),
        "share": told.share,
        "left": "" if told.left is None else _roughly(told.left, say),
        "rounds": told.rounds,
        "error": told.error,
        "round": told.round,
    }


def _roughly(seconds: float, say: Words) -> str:
    """A time that is not known better: no tenths."""
    if seconds < 55:
        return say("{n} s", n=max(5, 5 * round(seconds / 5)))
    if seconds < 5400:
        return say("{n} min", n=max(1, round(seconds / 60)))
    return say("{n} h", n=f"{seconds / 3600:.1f}")


def moves_of(screen: Screen, moves: Moves) -> dict[str, Any]:
    """What other words would change."""
    say = screen.say
    return {
        "sentence": say(
            "{moved} of {of} answers would move.",
            moved=say.number(moves.moved),
            of=say.number(moves.of),
        ),
        "pairs": [{"before": a, "after": b, "n": n} for a, b, n in moves.pairs[:8]],
        "images": [{"image": i, "before": a, "after": b} for i, a, b in moves.images],
    }


def _overview(screen: Screen) -> Overview:
    return overview(screen.hall.desk, asked_for(screen.hall.desk))


def _held(screen: Screen) -> dict[str, Any]:
    """The facts of the newest entry where it holds a round back; empty otherwise."""
    facts = screen.hall.desk.rounds[-1].facts
    return facts if "held" in facts else {}


def _doubts(o: Overview, say: Words) -> dict[str, Any]:
    """What speaks against the answers, and what helps most, as sentences."""
    return {
        "guesses": headline(say) if knows_nothing(o.doubts) else "",
        "against": reasons(o.doubts, say),
        "remedies": remedies(o.doubts, len(o.classes), say),
    }


def _doubted(screen: Screen) -> str:
    """One sentence about the names that do not seem to fit; empty where all do."""
    lines = screen.hall.names.lines().values()
    names = [line.told.name for line in lines if line.doubted]
    return in_short(names, len(lines), screen.say) if names else ""


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


def _accepted(header: str) -> Language:
    """The language of the browser: Japanese where it stands before English."""
    for part in header.lower().split(","):
        tag = part.split(";")[0].strip()
        if tag.startswith("ja"):
            return "ja"
        if tag.startswith("en"):
            return "en"
    return "en"
