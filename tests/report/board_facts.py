"""Results for a board that never were: audits, promises and pilots made by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from report_facts import SURFACES, picture

from clipgrip.pilot.criteria import Criterion
from clipgrip.pilot.plan import Pilot
from clipgrip.pilot.store import Version
from clipgrip.report.board.facts import (
    Automation,
    BoardEvidence,
    BoardFacts,
    CaseValues,
    Effort,
    WorstError,
)
from clipgrip.report.pictures import thumbnail

BEFORE, FIRST, LAST, AFTER = (f"2026-11-{day:02d}T09:00:00+00:00" for day in (10, 17, 18, 20))
MONEY = {
    "images_per_year": CaseValues(120_000.0),
    "hourly_cost": CaseValues(3500.0),
    "purchase": CaseValues(300_000.0),
}


def criteria(**limits: str) -> tuple[Criterion, ...]:
    """By name, as typed; the share to automate at an error of at most 2%."""
    wanted = limits or {
        "accuracy": "0.85:0.8",
        "misses": "0.05:0.08",
        "overkill": "0.1:0.2",
        "automated": "0.6:0.4",
        "payback": "12:18",
    }
    return tuple(
        Criterion.of(name, text, 0.02 if name == "automated" else None)
        for name, text in wanted.items()
    )


def version(
    names: Sequence[str],
    *,
    number: int = 1,
    made: str = BEFORE,
    reason: str = "",
    rule: Any = "proven",
    **limits: str,
) -> Version:
    """A pilot as it would be read."""
    pilot = Pilot(tuple(names), 2400, 0.05, criteria(**limits), ok_classes=(names[0],), rule=rule)
    digest = hashlib.sha256(f"{number}{made}".encode()).hexdigest()
    return Version(number, made, "Sato", reason, pilot, 400, digest, "pilot.json")


def counts(n_classes: int, each: int, wrong: int, seed: int = 0) -> tuple[tuple[int, ...], ...]:
    """``each`` images of every class, about ``wrong`` of them astray."""
    rng = np.random.default_rng(seed)
    table = np.zeros((n_classes, n_classes), int)
    for c in range(n_classes):
        astray = min(each, rng.poisson(wrong))
        others = rng.choice([o for o in range(n_classes) if o != c], astray) if astray else []
        np.add.at(table[c], others, 1)
        table[c, c] = each - astray
    return tuple(tuple(int(x) for x in row) for row in table)


def errors(
    names: Sequence[str], path: str, n: int = 10, missing: bool = False
) -> tuple[WorstError, ...]:
    """Pictures with a wrong answer."""
    return tuple(
        WorstError(
            path.format(i),
            names[1 + i % (len(names) - 1)],
            names[0],
            0.97 - i / 50,
            "miss" if i < 3 else "overkill" if i < 6 else "error",
            None if missing and i % 2 else thumbnail(picture(i)),
        )
        for i in range(n)
    )


def board_facts(
    names: Sequence[str] = SURFACES,
    *,
    each: int = 60,
    wrong: float = 2.0,
    kind: str | None = "audit",
    path: str = "line 2/cam_{:05d}.jpg",
    versions: Sequence[Version] | None = None,
    missing: bool = False,
    **more: Any,
) -> BoardFacts:
    """A run with an audit, a promise and measured seconds, unless said otherwise."""
    evidence = (
        BoardEvidence(
            kind,  # type: ignore[arg-type]
            counts(len(names), each, wrong),  # type: ignore[arg-type]
            FIRST,
            LAST,
            ("Sato", "Tanaka"),
            "review.db",
            2400,
            3,
        )
        if kind
        else None
    )
    given: dict[str, Any] = {
        "run": "4f1c2a" * 8,
        "folder": "clipgrip-runs/castings",
        "made": AFTER,
        "created": "2026-11-16T08:30:00+00:00",
        "clipgrip": "0.1.0",
        "backbone": "nano",
        "class_names": tuple(names),
        "pool": 2400,
        "labeled": 40,
        "evidence": evidence,
        "automation": Automation(1630, 730, 0.02, 0.95, 310, 1, LAST, "Sato", "runs.db"),
        "audit_effort": Effort(4.2, 480, 0.56, 2, "review.db"),
        "review_effort": Effort(5.8, 260, 0.42, 2, "review.db"),
        "errors": errors(names, path, missing=missing) if kind else (),
        "versions": tuple([version(names)] if versions is None else versions),
        "assumed": MONEY,
        "currency": "JPY",
    }
    return BoardFacts(**{**given, **more})
