"""What an audit proves: the facts of a promise for runs.db and --json, and automation.csv."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from clipgrip.data.tables import csv_bytes
from clipgrip.runs.audit_sheet import Audit
from clipgrip.sentences import Sentence, mark
from clipgrip.trust.promise import Promise
from clipgrip.trust.scope import Group, Whole, group_name
from clipgrip.trust.steps import Wider
from clipgrip.trust.terms import BEFORE
from clipgrip.words import ENGLISH, Words

RULE = "betting"
"""The rule that proves a promise. Promises of version 0.1, proven by looks that share alpha, have no ``rule``."""
AUTOMATION = "automation.csv"
"""File that says who decides each image."""
INSIDE = mark("within the scope of {group}: confidence at least {threshold}")
OUTSIDE = mark("outside the scope of {group}: confidence below {threshold}")


def automation_csv(
    audit: Audit,
    promise: Promise,
    rows: Whole,
    truth: Whole,
    groups: Sequence[Group],
    *,
    reviewed: Mapping[int, int] | None = None,
    say: Words = ENGLISH,
) -> bytes:
    """The bytes of automation.csv: for each file who decides, the label if there is one, and the reason.

    Args:
        truth: class of each of the audited ``rows``, -1 where a person could not tell.
        reviewed: row -> class of answers outside the audit.
        say: the language of the reasons.
    """
    answers = dict(zip(rows.tolist(), truth.tolist(), strict=True))
    reviewed = reviewed or {}
    names, lines = audit.classes.display, []
    scopes = [_scope_of(groups, promise, label, names) for label in range(len(names))]
    within = [say.translated(_why(INSIDE, *scope)) for scope in scopes]
    outside = [say.translated(_why(OUTSIDE, *scope)) for scope in scopes]
    for row, paths in enumerate(audit.images.paths()):
        label, decided = int(audit.pool.labels[row]), bool(promise.decided[row])
        if row in answers:
            known = answers[row] >= 0
            by, shown = "person", names[answers[row]] if known else ""
            why = say("answered in the audit") if known else say("could not be told in the audit")
        elif row in reviewed:
            by, shown, why = "person", names[reviewed[row]], say("answered in the review")
        elif decided:
            by, shown, why = "model", names[label], within[label]
        else:
            by, shown, why = "person", "", outside[label]
        lines += [(path, by, shown, f"{audit.pool.confidence[row]:.6f}", why) for path in paths]
    return csv_bytes(("path", "decided_by", "label", "confidence", "reason"), sorted(lines))


def promise_facts(
    promise: Promise,
    audit: Audit,
    more: dict[str, int | None],
    earlier: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The facts of a promise, stored and printed with --json; ``earlier`` are those of the same audit's promises."""
    facts = _facts(promise, audit, more)
    others = {_terms_of(one) for one in earlier} - {_terms_of(facts)}
    return {**facts, "other_terms_before": len(others)}


def _terms_of(facts: Mapping[str, Any]) -> tuple[object, ...]:
    names = tuple(scope["group"] for scope in facts["scopes"])
    about = BEFORE.get(facts["about"], facts["about"])
    return facts["max_error"], facts["confidence"], about, facts.get("at_least"), names


def warning(facts: Mapping[str, Any]) -> list[str]:
    """A warning if other terms were tried on the same answers before; else an empty list."""
    times = facts["other_terms_before"]
    if not times:
        return []
    text = mark("note: the answers of this audit were read before under {n} other terms. {why}")
    why = Sentence(
        "Each promise holds for itself in all but {allowed}% of audits; the best of several, chosen after they were "
        "seen, is broken more often. Fix the terms before the first answer.",
        allowed=f"{100 * (1 - facts['confidence']):g}",
    )
    return [Sentence(text, n=times, why=why)]


def _facts(promise: Promise, audit: Audit, more: dict[str, int | None]) -> dict[str, Any]:
    terms, following = promise.terms, promise.following
    worth = promise.paying if promise.apart else following
    return {
        "audit": audit.id,
        "rule": RULE,
        "max_error": terms.max_error,
        "confidence": terms.confidence,
        "about": terms.about,
        "at_least": terms.least,
        "pool": len(audit.pool),
        "planned": promise.planned,
        "answers_counted": promise.counted,
        "next_wider": None if following is None else {"group": following.group, **_step(following)},
        "stop": promise.whole or (promise.counted >= (promise.planned or 0) and not worth),
        "further": {one.group: _step(one) for one in promise.wider} if promise.apart else None,
        "decided_by_model": int(promise.decided.sum()),
        "decided": hashlib.sha256(promise.decided.tobytes()).hexdigest()[:16],
        "scopes": [
            {
                "group": scope.group,
                "threshold": scope.threshold,
                "images": scope.size,
                "audited": scope.audited,
                "wrong": scope.wrong,
                "more_answers_for_all": more[scope.group],
            }
            for scope in promise.scopes
        ],
    }


def _step(wider: Wider) -> dict[str, Any]:
    return {
        "right_answers": wider.right,
        "draws": wider.draws,
        "images": wider.images,
        "gain": wider.gain,
        "pays": wider.pays,
    }


def with_classes(
    facts: dict[str, Any], groups: Sequence[Group], names: Sequence[str]
) -> dict[str, Any]:
    """The facts with the classes of each scope, which the name of its group does not always tell."""
    called = {
        one.name: [name for name, inside in zip(names, one.called, strict=True) if inside]
        for one in groups
    }
    scopes = [{**scope, "classes": called[scope["group"]]} for scope in facts["scopes"]]
    return {**facts, "scopes": scopes}


def proven_by(facts: Mapping[str, Any]) -> str:
    """The rule that proved a stored promise, in words."""
    if facts.get("rule") != RULE:
        text = mark(
            "looks at sizes fixed before, which share the allowed doubt (version 0.1), look {look}"
        )
        return Sentence(text, look=facts.get("look", 0))
    if facts["planned"] is None:
        return Sentence("bets on every answer, which may be read at any time")
    return Sentence(
        "an exact test at the {planned} answers planned, with bets on every answer beside it",
        planned=facts["planned"],
    )


def _why(text: str, group: str, threshold: float | None) -> Sentence:
    """The reason in ``text`` for a group and its threshold; another one where the group has none."""
    if threshold is None:
        return Sentence("nothing is proven of {group}", group=group)
    return Sentence(text, group=group, threshold=f"{threshold:.6f}")


def _scope_of(
    groups: Sequence[Group], promise: Promise, label: int, names: Sequence[str]
) -> tuple[str, float | None]:
    """Name of the group that answers of a class belong to, and the confidence from which the model decides."""
    group, scope = next(
        (group, scope)
        for group, scope in zip(groups, promise.scopes, strict=True)
        if group.called[label]
    )
    inside = [name for name, called in zip(names, group.called, strict=True) if called]
    return group_name(group.name, inside), scope.threshold
