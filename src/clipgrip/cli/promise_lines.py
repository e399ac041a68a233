"""What a promise says, and what would widen it, in lines to read."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

from clipgrip.sentences import quoted
from clipgrip.words import Sentence, Words, mark

WHAT = {
    "delivered": mark(
        "of all labels within the scope, also those put right in the audit, at most {error} are wrong"
    ),
    "decided": mark("of the images that the model decides here, at most {error} are wrong"),
    "pool": mark("of the images that the model decides here, at most {error} are wrong"),
    "source": mark("a new image of the same source within the scope is wrong in at most {error}"),
}


def verdict(facts: dict[str, Any], given: int) -> list[str]:
    """The lines that a person reads; also of a promise that version 0.1 kept."""
    from clipgrip.runs.promised import proven_by

    model, total = facts["decided_by_model"], facts["pool"]
    error, sure = f"{100 * facts['max_error']:g}%", f"{100 * facts['confidence']:g}%"
    decides = mark("the model decides {model} of {total} images, people {rest}")
    lines: list[str] = [Sentence(decides, model=model, total=total, rest=total - model)]
    apart, together = _apart(facts)
    proven = _proves(facts)
    lines.append(
        Sentence(
            "promise{apart}: {what}, {sure} sure{together}{nothing}"
            if proven
            else "nothing promised yet{apart}: not proven, {sure} sure{together}, that {what}",
            apart=apart,
            what=Sentence(WHAT[facts["about"]], error=error),
            sure=sure,
            together=together,
            nothing="" if model else Sentence(": so far for no image"),
        )
    )
    if facts["about"] == "source":
        lines.append(Sentence("  (only if the model learned from none of the audited images)"))
    by = mark("proven by {rule}") if proven else mark("read by {rule}")
    lines.append(Sentence(by, rule=proven_by(facts)))
    counted = facts["answers_counted"]
    lines.append(
        Sentence("answers: {given} given, {counted} counted", given=given, counted=counted)
    )
    steps = facts.get("further")
    if steps is None:
        return [*lines, *(_scope_line(scope, stop=facts["stop"]) for scope in facts["scopes"])]
    return [*lines, *(_group_line(scope, steps.get(scope["group"])) for scope in facts["scopes"])]


def _proves(facts: dict[str, Any]) -> bool:
    """Whether anything is promised, also where no image of it is left to the model."""
    scopes = facts["scopes"]
    return bool(facts["decided_by_model"]) or any(one["threshold"] is not None for one in scopes)


def kept_line(promise: dict[str, Any], say: Words) -> Sentence:
    """A kept promise in one line: of what it is and by which rule it was proven, also where version 0.1 kept it."""
    from clipgrip.runs.promised import proven_by

    facts = promise["facts"]
    error, sure = f"{100 * facts['max_error']:g}%", f"{100 * facts['confidence']:g}%"
    if not _proves(facts):
        return Sentence(
            "  audit read on {at}, {by}: not proven yet, {sure} sure, that {what}; people decide all {total} images",
            at=say.date(promise["said_at"]),
            by=promise["said_by"] or "–",
            what=Sentence(WHAT[facts["about"]], error=error),
            sure=sure,
            total=facts["pool"],
        )
    return Sentence(
        "  promise of {at}, {by}: {what}, {sure} sure; the model decides {model} of {total}; proven by {rule}{fallen}",
        at=say.date(promise["said_at"]),
        by=promise["said_by"] or "–",
        what=Sentence(WHAT[facts["about"]], error=error),
        sure=sure,
        model=facts["decided_by_model"],
        total=facts["pool"],
        rule=proven_by(facts),
        fallen=_fallen(promise["fallen"], facts["scopes"], say),
    )


def _fallen(names: list[str], scopes: list[dict[str, Any]], say: Words) -> str:
    """That a promise was withdrawn at work, or which groups of it were while the others stand."""
    if not names:
        return ""
    if len(names) == sum(one["threshold"] is not None for one in scopes):
        return Sentence("; withdrawn at work")
    shown = [say.translated(_named(one)) for one in scopes if one["group"] in names]
    return Sentence("; withdrawn at work of {groups} alone", groups=say.names(shown, 6))


def _apart(facts: dict[str, Any]) -> tuple[str, str]:
    """For whom a promise is made, where there are several groups, and that it is as sure for all of them together."""
    names = [scope["group"] for scope in facts["scopes"]]
    if len(names) < 2:
        return "", ""
    both = names == ["misses", "overkill"]
    if both:
        return Sentence(" for misses and for overkill apart"), Sentence(" for both together")
    return Sentence(" for each class apart"), Sentence(" for all {n} together", n=len(names))


def options_of(max_error: float, confidence: float, about: str) -> str:
    """The terms of a promise as options of a command, those that are not the usual ones."""
    terms = "" if max_error == 0.02 else f" --max-error {max_error:g}"
    terms += "" if confidence == 0.95 else f" --confidence {confidence:g}"
    return terms + ("" if about == "delivered" else f" --about {about}")


def next_sheet(answers: Path) -> Path:
    """A name for the sheet that goes on from this one, which no file has: audit.csv, audit-2.csv, audit-3.csv."""
    stem, _, number = answers.stem.rpartition("-")
    begun = bool(stem) and number.isdecimal()
    name, first = (stem, int(number)) if begun else (answers.stem, 1)
    following = (answers.with_name(f"{name}-{n}{answers.suffix}") for n in count(first + 1))
    return next(path for path in following if not path.exists())


def go_on(facts: dict[str, Any], run: Path, answers: Path, drawn: int) -> list[str]:
    """What would widen the promise: further down the sheet, or by a longer one; and when to stop."""
    following, given = facts["next_wider"], facts["answers_counted"]
    if facts.get("further") is not None:
        return _go_on_apart(facts, run, answers)
    if facts["stop"] and not facts["decided_by_model"] and following is None:
        return [
            Sentence(
                "stop here: at this error rate more answers prove nothing; improve the model, or allow more errors in "
                "a new audit"
            )
        ]
    if facts["stop"]:
        return [Sentence("stop here: more answers take more images from the model than they add")]
    if following is None:
        return []
    right, draws = following["right_answers"], following["draws"]
    line = Sentence(
        "{right} more right answers in a row within {group}, in about {draws} more images of "
        "the draw, would prove the next wider scope: the model would then decide about {gain} images more",
        right=right,
        group=next(_named(one) for one in facts["scopes"] if one["group"] == following["group"]),
        draws=draws,
        gain=following["gain"],
    )
    if given + draws <= drawn:
        return [line]
    command = f"clipgrip audit draw {quoted(run)} --count {given + draws}{_rest(facts, answers)}"
    return [
        line,
        Sentence("draw on: {command}", command=command),
        Sentence("  (it begins with the same images and keeps the answers given so far)"),
    ]


def _rest(facts: dict[str, Any], answers: Path) -> str:
    """The terms and the sheets of the command that draws on."""
    terms = options_of(facts["max_error"], facts["confidence"], facts["about"])
    return f"{terms} --answers {quoted(answers)} --out {quoted(next_sheet(answers))}"


def _named(scope: dict[str, Any]) -> str:
    from clipgrip.trust.scope import group_name

    return group_name(scope["group"], scope.get("classes", ()))


def _scope_line(scope: dict[str, Any], *, stop: bool) -> str:
    """A group and what is proven of it; where it is best to stop, no answers that would prove more are named."""
    more, group = scope["more_answers_for_all"], _named(scope)
    rest: str = {
        None: Sentence("; no size of audit proves all of it at this error rate"),
        0: Sentence("; all of it"),
    }.get(more, "" if stop else Sentence("; about {more} more answers for all of it", more=more))
    if scope["threshold"] is None:
        return Sentence("  {group}: nothing proven yet{rest}", group=group, rest=rest)
    return Sentence(
        "  {group}: confidence at least {threshold}, {images} images, {wrong} wrong of {audited} audited{rest}",
        group=group,
        threshold=f"{scope['threshold']:.4f}",
        images=scope["images"],
        wrong=scope["wrong"],
        audited=scope["audited"],
        rest=rest,
    )


def _group_line(scope: dict[str, Any], step: dict[str, Any] | None) -> Sentence:
    """A group that was drawn apart: what is proven, and what its next answers would bring."""
    group, images = _named(scope), scope["images"]
    seen = Sentence(
        "{wrong} wrong of {audited} audited", wrong=scope["wrong"], audited=scope["audited"]
    )
    if scope["threshold"] is None:
        proven = Sentence("nothing proven yet")
    elif step is None:
        whole = mark("  {group}: proven, all {images} images, {seen}")
        return Sentence(whole, group=group, images=images, seen=seen)
    else:
        proven = Sentence(
            "confidence at least {threshold}, {images} images, {seen}",
            threshold=f"{scope['threshold']:.4f}",
            images=images,
            seen=seen,
        )
    return Sentence("  {group}: {proven}; {step}", group=group, proven=proven, step=_step(step))


def _step(step: dict[str, Any] | None) -> Sentence:
    if step is None:
        return Sentence("too few images for a proof, people decide")
    if step["right_answers"] is None:
        return Sentence("stop, no number of answers proves more")
    more = Sentence(
        "{right} more right answers in a row would prove {images} images more",
        right=step["right_answers"],
        images=step["images"],
    )
    return more if step["pays"] else Sentence("stop, {more}: too many for what they add", more=more)


def _go_on_apart(facts: dict[str, Any], run: Path, answers: Path) -> list[str]:
    paying = [step for step in facts["further"].values() if step["pays"]]
    if facts["stop"] or not paying:
        return [Sentence("stop here: more answers take more images from the model than they add")]
    draws = sum(step["draws"] for step in paying)
    command = f"clipgrip audit draw {quoted(run)}{_rest(facts, answers)}"
    return [
        Sentence(
            "{draws} more answers in {n} groups pay; the images of the others may be left out",
            draws=draws,
            n=len(paying),
        ),
        Sentence("draw on: {command}", command=command),
        Sentence("  (it begins with the answers given so far and draws only where they pay)"),
    ]
