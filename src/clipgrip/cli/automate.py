"""clipgrip audit automate."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clipgrip.cli.arguments import About, By, Confidence, Encoding, MaxError, Run, Sheet
from clipgrip.cli.automate_apart import go_on_apart, group_line
from clipgrip.cli.ui import Result, Ui
from clipgrip.sentences import Sentence
from clipgrip.words import mark

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clipgrip.cli.screen import Screen
    from clipgrip.data.classes import ClassNames
    from clipgrip.runs import auditing
    from clipgrip.runs.auditing import Audit
    from clipgrip.trust.scope import Group
    from clipgrip.trust.terms import Terms


def automate(
    ui: Ui,
    run: Run,
    answers: Sheet,
    max_error: MaxError = 0.02,
    confidence: Confidence = 0.95,
    about: About = "delivered",
    at_least: Annotated[
        float | None,
        typer.Option(
            help="Smallest share of the images worth a promise; it begins there and widens.  [default: as the plan "
            "allows, 0.4 without one]",
            show_default=False,
        ),
    ] = None,
    by: By = "",
    encoding: Encoding = None,
    per_class: Annotated[
        bool, typer.Option("--per-class", help="Promise it for each class apart.")
    ] = False,
    ok_class: Annotated[
        list[str] | None,
        typer.Option(
            help="A class that means OK: promise misses and overkill apart.", show_default=False
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="The decisions.  [default: automation.csv beside the model]", show_default=False
        ),
    ] = None,
) -> Result:
    """Decide which images the model may label at a promised error rate, from a filled audit.

    Fix error rate, kind and groups before the first answer: each promise holds for itself, and the best of several
    that were tried on the same answers fails more often than it says.
    """
    from clipgrip.cli.calibrated import recalibrated
    from clipgrip.cli.reviewed import at_work
    from clipgrip.errors import ConfigError
    from clipgrip.runs import auditing, promised
    from clipgrip.runs.reopen import reopen
    from clipgrip.runs.watch.upholding import check_stands
    from clipgrip.trust.planning import more_answers
    from clipgrip.trust.promise import promise
    from clipgrip.written import check_table, check_writable

    terms = terms_of(max_error, confidence, about, at_least)
    sheet, screen = auditing.Sheet.read(answers, encoding), ui.screen
    newest = at_work(run, screen)
    place = out or newest / "automation.csv"
    if place.resolve() == answers.resolve():
        raise ConfigError(mark("{place} holds the answers. Give --out another name."), place=place)
    with screen.live():
        outcome = reopen(newest, screen)
        audit = auditing.Audit.of(outcome, sheet.seed, sheet.apart)
    check_stands(newest, audit.id)
    if out:
        check_table(place, auditing.AUTOMATE)
    else:
        check_writable(newest)
    groups = _groups(audit, sheet, per_class, ok_class or [])
    rows, truth = sheet.answers(audit)
    earlier = _earlier(newest, audit)
    draw = audit.draw(_first_plan(earlier, sheet.planned))
    told = promise(audit.pool, rows, truth, groups, terms, draw=draw)
    more = more_answers(told, audit.pool, rows, truth, groups)
    facts = promised.promise_facts(told, audit, more, earlier)
    facts = promised.with_classes(facts, groups, audit.classes.display)
    if not keep_answers(newest, audit, rows, truth, by, facts):
        screen.note(
            Sentence(
                "{newest} may not be written: the promise stands in {place} alone.",
                newest=newest,
                place=place,
            )
        )
    elif not audit.apart:
        recalibrated(outcome, screen)
    table = promised.automation_csv(audit, told, rows, truth, groups)
    place = _write(table, place, screen, chosen=out is not None)
    measured = [] if audit.apart else _measured(audit.pool.labels[rows], truth, audit.classes)
    texts = [*measured, *verdict(facts, len(rows)), *_go_on(facts, run, answers, len(sheet))]
    notes = [*_hint(audit, groups), *promised.warning(facts)]
    return Result([*texts, *notes, f"decisions: {place}"], facts)


def _hint(audit: Audit, groups: Sequence[Group]) -> list[str]:
    if audit.apart or len(groups) < 2:
        return []
    way = "--by-class" if len(groups) > 2 or groups[0].name != "misses" else "--ok-class NAME"
    return [
        f"note: this sheet was drawn from all images alike; one of clipgrip audit draw {way} proves as much with "
        "fewer answers"
    ]


def _write(table: bytes, place: Path, screen: Screen, *, chosen: bool) -> Path:
    """Where the decisions stand now; a file that a person changed stays."""
    from clipgrip.runs.auditing import AUTOMATE
    from clipgrip.written import write_dated, write_output

    if not chosen:
        return write_dated(place, table, AUTOMATE, screen.note)
    write_output(place, table, AUTOMATE)
    return place


def terms_of(max_error: float, confidence: float, about: str, least: float | None = None) -> Terms:
    """The terms that the options ask for."""
    from clipgrip.trust.terms import BEFORE, Terms

    return Terms(max_error, confidence, BEFORE.get(about, about), least)  # type: ignore[arg-type]


def _earlier(run: Path, audit: Audit) -> list[dict[str, Any]]:
    """What was promised before by answers of this audit, oldest first."""
    from clipgrip.runs.audits import promises
    from clipgrip.runs.store import open_store

    with open_store(run) as store:
        return [one.facts for one in promises(store, audit.run) if one.audit == audit.id]


def _first_plan(earlier: list[dict[str, Any]], planned: int | None) -> int | None:
    """The plan with which the first promise of this audit was read: a later sheet does not change it."""
    return next((facts["planned"] for facts in earlier if "planned" in facts), planned)


def _measured(answers: Any, truth: Any, classes: ClassNames) -> list[str]:
    """The audited accuracy beside the commonest class."""
    from clipgrip.report.audited import compared, line

    pairs = list(zip(answers.tolist(), truth.tolist(), strict=True))
    said = compared(pairs, classes.display)
    return [] if said is None else [line(said)]


def keep_answers(
    run: Path, audit: Audit, rows: Any, truth: Any, by: str, facts: dict[str, Any] | None = None
) -> bool:
    """Keep answers, and what was promised by them, in the run; False where it may only be read."""
    from clipgrip.runs import audits
    from clipgrip.runs.database import is_writable
    from clipgrip.runs.store import NAME, open_store

    if not is_writable(run / NAME):
        return False
    given = list(zip((audit.hashes[row] for row in rows), truth.tolist(), strict=True))
    now = datetime.now(UTC).isoformat(timespec="seconds")
    with open_store(run) as store:
        audits.add_answers(store, audit.run, audit.id, given, by=by, at=now)
        if facts is not None:
            audits.add_promise(store, audit.run, audits.StoredPromise(audit.id, by, now, facts))
    return True


def _groups(
    audit: Audit, sheet: auditing.Sheet, per_class: bool, ok: list[str]
) -> tuple[Group, ...]:
    from clipgrip.runs.auditing import apart_of, check_apart, groups_of

    asked = apart_of(audit.classes, per_class, ok)
    if audit.apart:
        check_apart(sheet, asked)
    return groups_of(audit.apart or asked, audit.classes)


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
    return [*lines, *(group_line(scope, steps.get(scope["group"])) for scope in facts["scopes"])]


def _apart(facts: dict[str, Any]) -> tuple[str, str]:
    """For whom a promise is made, where there are several groups, and that it is as sure for all of them together."""
    names = [scope["group"] for scope in facts["scopes"]]
    if len(names) < 2:
        return "", ""
    both = names == ["misses", "overkill"]
    who = " for misses and for overkill apart" if both else " for each class apart"
    return who, " for both together" if both else f" for all {len(names)} together"


def _go_on(facts: dict[str, Any], run: Path, answers: Path, drawn: int) -> list[str]:
    """What would widen the promise: further down the sheet, or by a longer one; and when to stop."""
    following, given = facts["next_wider"], facts["answers_counted"]
    if facts.get("further") is not None:
        return go_on_apart(facts, run, answers)
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
