"""What a promise says on the screen: its scopes, how far it is proven, and when to stop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

WHAT = {
    "delivered": "of all labels within the scope, also those put right in the audit, at most {error} are wrong",
    "decided": "of the images that the model decides here, at most {error} are wrong",
    "pool": "of the images that the model decides here, at most {error} are wrong",
    "source": "a new image of the same source within the scope is wrong in at most {error}",
}


def verdict(facts: dict[str, Any], given: int) -> list[str]:
    """The lines that a person reads; also of a promise that version 0.1 kept."""
    from clipgrip.runs.promised import proven_by

    model, total = facts["decided_by_model"], facts["pool"]
    error, sure = f"{100 * facts['max_error']:g}%", f"{100 * facts['confidence']:g}%"
    lines = [f"the model decides {model} of {total} images; {total - model} are a person's"]
    nothing = "" if model else ": so far for no image"
    apart, together = _apart(facts)
    what = WHAT[facts["about"]].format(error=error)
    lines.append(f"promise{apart}: {what}, {sure} sure{together}{nothing}")
    if facts["about"] == "source":
        lines.append("  (only if the model learned from none of the audited images)")
    lines.append(f"proven by {proven_by(facts)}")
    lines.append(f"answers: {given} given, {facts['answers_counted']} counted")
    steps = facts.get("further")
    if steps is None:
        return [*lines, *(_scope_line(scope) for scope in facts["scopes"])]
    return [*lines, *(_group_line(scope, steps.get(scope["group"])) for scope in facts["scopes"])]


def _apart(facts: dict[str, Any]) -> tuple[str, str]:
    """For whom a promise is made, where there are several groups, and that it is as sure for all of them together."""
    names = [scope["group"] for scope in facts["scopes"]]
    if len(names) < 2:
        return "", ""
    both = names == ["misses", "overkill"]
    who = " for misses and for overkill apart" if both else " for each class apart"
    return who, " for both together" if both else f" for all {len(names)} together"


def go_on(facts: dict[str, Any], run: Path, answers: Path, drawn: int) -> list[str]:
    """What would widen the promise: further down the sheet, or by a longer one; and when to stop."""
    following, given = facts["next_wider"], facts["answers_counted"]
    if facts.get("further") is not None:
        return _go_on_apart(facts, run, answers)
    if facts["stop"] and not facts["decided_by_model"]:
        return [
            "stop here: at this error rate more answers prove nothing; improve the model, or allow more errors in "
            "a new audit"
        ]
    if facts["stop"]:
        return ["stop here: more answers take more images from the model than they add"]
    if following is None:
        return []
    right, draws = following["right_answers"], following["draws"]
    line = (
        f"{right} more right answers in a row within {following['group']}, in about {draws} more images of "
        f"the draw, would prove the next wider scope ({following['images']} images more)"
    )
    if given + draws <= drawn:
        return [line]
    return [
        line,
        f"draw on: clipgrip audit draw {run} --count {given + draws} --answers {answers} --out NEW.csv",
        "  (it begins with the same images and keeps the answers given so far)",
    ]


def _scope_line(scope: dict[str, Any]) -> str:
    more = scope["more_answers_for_all"]
    rest = {None: "no size of audit proves all of it at this error rate", 0: "all of it"}.get(
        more, f"about {more} more answers for all of it"
    )
    if scope["threshold"] is None:
        return f"  {scope['group']}: nothing proven yet; {rest}"
    return (
        f"  {scope['group']}: confidence at least {scope['threshold']:.4f}, {scope['images']} images, "
        f"{scope['wrong']} wrong of {scope['audited']} audited; {rest}"
    )


def _group_line(scope: dict[str, Any], step: dict[str, Any] | None) -> str:
    """A group that was drawn apart: what is proven, and what its next answers would bring."""
    seen = f"{scope['wrong']} wrong of {scope['audited']} audited"
    if scope["threshold"] is None:
        proven = "nothing proven yet"
    elif step is None:
        return f"  {scope['group']}: proven, all {scope['images']} images, {seen}"
    else:
        proven = f"confidence at least {scope['threshold']:.4f}, {scope['images']} images, {seen}"
    return f"  {scope['group']}: {proven}; {_step(step)}"


def _step(step: dict[str, Any] | None) -> str:
    if step is None:
        return "too few images for a proof, people decide"
    if step["right_answers"] is None:
        return "stop, no number of answers proves more"
    more = f"{step['right_answers']} more right answers in a row would prove {step['images']} images more"
    return more if step["pays"] else f"stop, {more}: too many for what they add"


def _go_on_apart(facts: dict[str, Any], run: Path, answers: Path) -> list[str]:
    if facts["stop"]:
        return ["stop here: more answers take more images from the model than they add"]
    paying = [step for step in facts["further"].values() if step["pays"]]
    draws = sum(step["draws"] for step in paying)
    terms = "".join(
        f" --{name.replace('_', '-')} {facts[name]:g}"
        for name, usual in (("max_error", 0.02), ("confidence", 0.95))
        if facts[name] != usual
    )
    about = "" if facts["about"] == "delivered" else f" --about {facts['about']}"
    return [
        f"{draws} more answers in {len(paying)} groups pay; the images of the others may be left out",
        f"draw on: clipgrip audit draw {run}{terms}{about} --answers {answers} --out NEW.csv",
        "  (it begins with the answers given so far and draws only where they pay)",
    ]
