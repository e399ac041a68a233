"""What an audit proves, as it is stored and as it is sent on: facts, and who decides each image."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from clipgrip.data.tables import csv_bytes
from clipgrip.runs.auditing import Audit
from clipgrip.trust.promise import Promise
from clipgrip.trust.scope import Group, Whole

RULE = "betting"
"""By which a promise is proven; those of version 0.1, by looks that share alpha, do not have it in their facts."""


def automation_csv(
    audit: Audit,
    told: Promise,
    rows: Whole,
    truth: Whole,
    groups: Sequence[Group],
    *,
    reviewed: Mapping[int, int] | None = None,
) -> bytes:
    """automation.csv: for each file who decides, the label where there is one, and why.

    Args:
        truth: class of each of the audited ``rows``, -1 where a person could not tell.
        reviewed: row -> class that people gave outside the audit.
    """
    said = dict(zip(rows.tolist(), truth.tolist(), strict=True))
    reviewed = reviewed or {}
    names, lines = audit.classes.display, []
    for row, paths in enumerate(audit.paths):
        label, decided = int(audit.pool.labels[row]), bool(told.decided[row])
        if row in said:
            known = said[row] >= 0
            by, shown = "person", names[said[row]] if known else ""
            why = "answered in the audit" if known else "could not be told in the audit"
        elif row in reviewed:
            by, shown, why = "person", names[reviewed[row]], "answered in the review"
        elif decided:
            by, shown, why = (
                "model",
                names[label],
                f"within the scope {_scope_of(groups, told, label)}",
            )
        else:
            by, shown, why = "person", "", f"outside the scope {_scope_of(groups, told, label)}"
        lines += [(path, by, shown, f"{audit.pool.confidence[row]:.6f}", why) for path in paths]
    return csv_bytes(("path", "decided_by", "label", "confidence", "reason"), sorted(lines))


def promise_facts(told: Promise, audit: Audit, more: dict[str, int | None]) -> dict[str, Any]:
    """What is stored and printed with --json."""
    terms, following = told.terms, told.following
    return {
        "audit": audit.id,
        "rule": RULE,
        "max_error": terms.max_error,
        "confidence": terms.confidence,
        "about": terms.about,
        "pool": len(audit.pool),
        "planned": told.planned,
        "answers_counted": told.counted,
        "next_wider": None
        if following is None
        else {
            "group": following.group,
            "right_answers": following.right,
            "draws": following.draws,
            "images": following.images,
        },
        "stop": told.whole or (told.counted >= (told.planned or 0) and not _pays(told)),
        "decided_by_model": int(told.decided.sum()),
        "decided": hashlib.sha256(told.decided.tobytes()).hexdigest()[:16],
        "scopes": [
            {
                "group": scope.group,
                "threshold": scope.threshold,
                "images": scope.size,
                "audited": scope.audited,
                "wrong": scope.wrong,
                "more_answers_for_all": more[scope.group],
            }
            for scope in told.scopes
        ],
    }


def _pays(told: Promise) -> bool:
    """Whether some wider scope adds more images than its proof takes from the model."""
    return any(one.pays for one in told.wider)


def proven_by(facts: Mapping[str, Any]) -> str:
    """By which rule a stored promise was proven, for people."""
    if facts.get("rule") != RULE:
        return f"looks at sizes fixed before, which share the allowed doubt (version 0.1), look {facts.get('look', 0)}"
    if facts["planned"] is None:
        return "bets on every answer, which may be read at any time"
    return f"an exact test at the {facts['planned']} answers planned, with bets on every answer beside it"


def _scope_of(groups: Sequence[Group], told: Promise, label: int) -> str:
    group, scope = next(
        (group, scope)
        for group, scope in zip(groups, told.scopes, strict=True)
        if group.called[label]
    )
    if scope.threshold is None:
        return f"of {group.name}: none proven"
    return f"of {group.name}: confidence at least {scope.threshold:.6f}"
