"""A service's folder as another process sees it: monitoring, and people at a console."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from clipgrip_line.sentences import Sentence, mark
from clipgrip_line.service import people, versions
from clipgrip_line.service.alone import is_served
from clipgrip_line.service.bell import letters

ENDED = mark("no process serves it: it was stopped, killed or cut from power")
RINGS = mark("an alarm rings; it is answered on the page")
WITHDRAWN = mark("a promise of version {version} was withdrawn, so its images go to people")
DEAD = mark("the webhook refused {n} messages of alarms for good; see serve --resend")


def facts_of(state: Path) -> dict[str, Any]:
    """What the folder holds, and whether it is served now.

    LineError: it is no service's folder, or its database cannot be opened.
    """
    with versions.opened(state) as db:
        live = versions.live(db)
        version = "" if live is None else live.version
        waiting, dead = letters(db)
        return {
            "running": is_served(state),
            "version": version,
            "answered": db.execute("SELECT coalesce(sum(n), 0) FROM tally").fetchone()[0],
            "waiting": people.how_many(db),
            "alarm": _one(
                db, "SELECT 1 FROM alarm WHERE version = ? AND response IS NULL", version
            ),
            "withdrawn": _one(db, "SELECT 1 FROM withdrawal WHERE version = ?", version),
            "messages": {"waiting": waiting, "dead": dead},
        }


def _one(db: sqlite3.Connection, query: str, version: str) -> bool:
    return db.execute(f"{query} LIMIT 1", (version,)).fetchone() is not None


def troubles_of(facts: dict[str, Any]) -> list[str]:
    """What is not well, whether or not it runs."""
    found: list[str] = []
    if facts["alarm"]:
        found.append(RINGS)
    if facts["withdrawn"]:
        found.append(Sentence(WITHDRAWN, version=facts["version"]))
    if facts["messages"]["dead"]:
        found.append(Sentence(DEAD, n=facts["messages"]["dead"]))
    return found
