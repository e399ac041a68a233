"""clipgrip audit automate."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from clipgrip.cli.arguments import By, Encoding, Run, Sheet
from clipgrip.cli.ui import Result, Ui
from clipgrip.sentences import Sentence
from clipgrip.words import mark

if TYPE_CHECKING:
    from clipgrip.data.classes import ClassNames
    from clipgrip.runs.auditing import Audit
    from clipgrip.trust.scope import Group
    from clipgrip.trust.terms import Terms


def automate(
    ui: Ui,
    run: Run,
    answers: Sheet,
    max_error: Annotated[float, typer.Option(help="Largest share of errors allowed.")] = 0.02,
    confidence: Annotated[float, typer.Option(help="How sure that has to be.")] = 0.95,
    about: Annotated[
        Literal["delivered", "decided", "source", "pool"],
        typer.Option(
            help="delivered: all labels within the scope, those put right in the audit among them; decided: the "
            "model's own alone; source: new images like the audited ones; pool: the older word for decided."
        ),
    ] = "delivered",
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
    from clipgrip.written import check_table, check_writable, write_dated, write_output

    terms = _terms(max_error, confidence, about, at_least)
    sheet, screen = auditing.Sheet.read(answers, encoding), ui.screen
    newest = at_work(run, screen)
    place = out or newest / "automation.csv"
    if place.resolve() == answers.resolve():
        raise ConfigError(HOLDS_ANSWERS, place=place)
    with screen.live():
        outcome = reopen(newest, screen)
        audit = auditing.Audit.of(outcome, sheet.seed)
    check_stands(newest, audit.id)
    if out:
        check_table(place, auditing.AUTOMATE)
    else:
        check_writable(newest)
    groups = _groups(audit.classes, per_class, ok_class or [])
    rows, truth = sheet.answers(audit)
    plan = _first_plan(newest, audit, sheet.planned)
    told = promise(audit.pool, rows, truth, groups, terms, planned=audit.planned(plan))
    facts = promised.promise_facts(told, audit, more_answers(told, audit.pool, rows, truth, groups))
    facts = promised.with_classes(facts, groups, audit.classes.display)
    if not keep_answers(newest, audit, rows, truth, by, facts):
        screen.note(Sentence(NOT_KEPT, newest=newest, place=place))
    else:
        recalibrated(outcome, screen)
    table = promised.automation_csv(audit, told, rows, truth, groups)
    if out:
        write_output(place, table, auditing.AUTOMATE)
    else:
        place = write_dated(place, table, auditing.AUTOMATE, screen.note)
    measured = _measured(audit.pool.labels[rows].tolist(), truth.tolist(), audit.classes)
    texts = [*measured, *verdict(facts, len(rows)), *_go_on(facts, run, answers, len(sheet))]
    return Result([*texts, Sentence("decisions: {place}", place=place)], facts)


def _terms(max_error: float, confidence: float, about: str, least: float | None) -> Terms:
    from clipgrip.trust.terms import BEFORE, Terms

    return Terms(max_error, confidence, BEFORE.get(about, about), least)  # type: ignore[arg-type]


def _first_plan(run: Path, audit: Audit, planned: int | None) -> int | None:
    """The plan with which the first promise of this audit was read: a later sheet does not change it."""
    from clipgrip.runs.audits import promises
    from clipgrip.runs.store import open_store

    with open_store(run) as store:
        earlier = [one.facts for one in promises(store, audit.run) if one.audit == audit.id]
    return next((facts["planned"] for facts in earlier if "planned" in facts), planned)


def _measured(answers: list[int], truth: list[int], classes: ClassNames) -> list[str]:
    """The audited accuracy beside the commonest class."""
    from clipgrip.report.audited import compared, line

    said = compared(list(zip(answers, truth, strict=True)), classes.display)
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


def _groups(classes: ClassNames, per_class: bool, ok: list[str]) -> tuple[Group, ...]:
    from clipgrip.errors import ConfigError
    from clipgrip.trust import scope

    if per_class and ok:
        raise ConfigError(
            mark("--per-class and --ok-class are two ways to promise. Give one of them.")
        )
    good = sorted({classes.index(name) for name in ok})
    if good and len(good) == len(classes):
        raise ConfigError(
            mark("every class is an --ok-class, so nothing could be missed. Leave one out.")
        )
    if good:
        return scope.misses_and_overkill(len(classes), good)
    return scope.per_class(classes.display) if per_class else scope.overall(len(classes))


HOLDS_ANSWERS = mark("{place} holds the answers. Give --out another name.")
NOT_KEPT = mark("{newest} may not be written: the promise stands in {place} alone.")
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
    error, sure = f"{100 * facts['max_error']:g} %", f"{100 * facts['confidence']:g} %"
    lines: list[str] = [
        Sentence(
            "the model decides {model} of {total} images; {rest} are a person's",
            model=model,
            total=total,
            rest=total - model,
        )
    ]
    nothing = "" if model else Sentence(": so far for no image")
    what = Sentence(WHAT[facts["about"]], error=error)
    lines.append(
        Sentence("promise: {what}, {sure} sure{nothing}", what=what, sure=sure, nothing=nothing)
    )
    if facts["about"] == "source":
        lines.append(Sentence("  (only if the model learned from none of the audited images)"))
    lines.append(Sentence("proven by {rule}", rule=proven_by(facts)))
    counted = facts["answers_counted"]
    lines.append(
        Sentence("answers: {given} given, {counted} counted", given=given, counted=counted)
    )
    return [*lines, *(_scope_line(scope) for scope in facts["scopes"])]


def _go_on(facts: dict[str, Any], run: Path, answers: Path, drawn: int) -> list[str]:
    """What would widen the promise: further down the sheet, or by a longer one; and when to stop."""
    following, given = facts["next_wider"], facts["answers_counted"]
    if facts["stop"] and not facts["decided_by_model"]:
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
        "the draw, would prove the next wider scope ({images} images more)",
        right=right,
        group=following["group"],
        draws=draws,
        images=following["images"],
    )
    if given + draws <= drawn:
        return [line]
    return [
        line,
        Sentence(
            "draw on: clipgrip audit draw {run} --count {count} --answers {answers} --out NEW.csv",
            run=run,
            count=given + draws,
            answers=answers,
        ),
        Sentence("  (it begins with the same images and keeps the answers given so far)"),
    ]


def _scope_line(scope: dict[str, Any]) -> str:
    more = scope["more_answers_for_all"]
    rest = {
        None: Sentence("no size of audit proves all of it at this error rate"),
        0: Sentence("all of it"),
    }.get(more, Sentence("about {more} more answers for all of it", more=more))
    group = scope["group"]
    if scope["threshold"] is None:
        return Sentence("  {group}: nothing proven yet; {rest}", group=group, rest=rest)
    return Sentence(
        "  {group}: confidence at least {threshold}, {images} images, {wrong} wrong of {audited} audited; {rest}",
        group=group,
        threshold=f"{scope['threshold']:.4f}",
        images=scope["images"],
        wrong=scope["wrong"],
        audited=scope["audited"],
        rest=rest,
    )
