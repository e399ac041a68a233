"""The line as it stands, for the page and for programs."""

from __future__ import annotations

from typing import Any

from clipgrip_line.clock import now
from clipgrip_line.monitoring.facts import watch_facts
from clipgrip_line.monitoring.gallery import pictured
from clipgrip_line.sentences import Sentence, combined, mark
from clipgrip_line.service import people, shifts
from clipgrip_line.service.bell import letters
from clipgrip_line.service.service import Service
from clipgrip_line.service.shadowing import compared
from clipgrip_line.words import Words

LAST_SHIFTS = 3
SHADOW = mark(
    "Shadow {version}: {differ} of {images} images differ. People answered {answered}; right here {right}, in "
    "the shadow {shadow_right}."
)

UNREACHED = mark("The webhook of alarms is not reached: {reason}.")
UNDRIVEN = mark("Stations are not driven over MQTT now: {reason}.")
BLIND = mark("The watch cannot look at what is answered: {reason}.")
UNSAMPLED = mark(
    "Pictures for the next round are not kept now: {reason}. Answers do not wait for it; see to the disk."
)
DEAD = mark("the webhook refused {n} messages of alarms for good; serve --resend sends again.")


def not_ready(service: Service) -> str:
    """Why no image should be sent now; empty where all is well."""
    if not service.ready:
        return mark("starting or stopping")
    if service.ledger.is_gone():
        return Sentence("{path} is gone, so answers would be lost", path=service.ledger.path)
    if service.ledger.failing:
        return Sentence("answers cannot be kept: {reason}", reason=Sentence(service.ledger.failing))
    if not service.engine.is_alive():
        return mark("the engine has stopped")
    return ""


def troubles(service: Service) -> list[str]:
    """What somebody should see to, in sentences."""
    found = [not_ready(service) or service.switching.failed]
    if service.looking.failing:
        found.append(Sentence(BLIND, reason=Sentence(service.looking.failing)))
    if service.sampling is not None and service.sampling.failing:
        found.append(Sentence(UNSAMPLED, reason=Sentence(service.sampling.failing)))
    if service.lines is not None and service.lines.away:
        found.append(Sentence(UNDRIVEN, reason=service.lines.away))
    if service.bell is not None:
        _, dead = letters(service.ledger.reader)
        if service.bell.failing:
            found.append(Sentence(UNREACHED, reason=service.bell.failing))
        if dead:
            found.append(Sentence(DEAD, n=dead))
    return [one for one in found if one]


def model_facts(service: Service) -> dict[str, Any]:
    """What answers."""
    model = service.model
    return {
        "version": model.version,
        "classes": list(model.classes),
        "ok_classes": list(model.ok_classes),
        "promise": None if model.promise is None else model.promise.to_dict(),
        "info": dict(model.info),
        "failed": service.switching.failed,
    }


def line_facts(service: Service, say: Words) -> dict[str, Any]:
    """Everything that the page shows, in the reader's language where it is a sentence."""
    db = service.ledger.reader
    model, recent = service.model, service.observers.last()
    shift = service.settings.shifts.of_moment(now())
    shadow = _shadow_facts(service)
    shown = model.names.get(say.language) or model.classes
    watch = watch_facts(service.watching.status, shown, say)
    if service.watching.status.alarm is not None:
        watch["alarm"] |= pictured(db, service.watching.status.alarm)
    return {
        "name": service.settings.name,
        "version": model.version,
        "classes": list(model.classes),
        "ok_classes": list(model.ok_classes),
        "shown": dict(zip(model.classes, shown, strict=False)),
        "last": recent[0] if recent else None,
        "recent": recent[:8],
        "shift": shift,
        "shifts": _shifts(service, shift),
        "waiting": people.how_many(db),
        "answered": people.counted(db),
        "watch": watch,
        "queue": {"images": service.admission.images, "most": service.admission.most},
        "trouble": say.translated(combined(troubles(service), " ")),
        "shadow": shadow,
        "shadow_sentence": "" if shadow is None else say(SHADOW, **_counts(shadow)),
        "changes": [vars(one) for one in service.changes()[-5:]],
    }


def _shadow_facts(service: Service) -> dict[str, Any] | None:
    """How far the shadow differs from the version that answers; None without one."""
    if service.shadow is None:
        return None
    db, live, shadow = service.ledger.reader, service.model.version, service.shadow.model.version
    found = compared(db, live, shadow)
    right = service.shadow.right(db, live, found["images"])
    return {**found, **right, "version": shadow, "skipped": service.shadow.skipped}


def _counts(shadow: dict[str, Any]) -> dict[str, Any]:
    keys = ("version", "differ", "images", "answered", "right", "shadow_right")
    return {key: shadow[key] for key in keys}


def _shifts(service: Service, present: str) -> list[dict[str, Any]]:
    """Counts by class and verdict, the present shift first."""
    db = service.ledger.reader
    known = [
        name
        for (name,) in db.execute(
            "SELECT DISTINCT shift FROM tally WHERE shift < ? ORDER BY shift DESC LIMIT ?",
            (present, LAST_SHIFTS - 1),  # none of a clock that was ahead for a while
        )
    ]
    names = [present, *known]
    return [
        {
            "shift": name,
            "begins": shifts.shown(name),
            "classes": shifts.counted(
                db.execute(
                    "SELECT class, verdict, n FROM tally WHERE shift = ?", (name,)
                ).fetchall()
            ),
        }
        for name in names
    ]
