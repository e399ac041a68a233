"""clipgrip audit automate."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from clipgrip.cli.arguments import By, Encoding, Run, Sheet
from clipgrip.cli.ui import Result, Ui

if TYPE_CHECKING:
    from clipgrip.data.classes import ClassNames
    from clipgrip.runs.auditing import Audit
    from clipgrip.trust.scope import Group


def automate(
    ui: Ui,
    run: Run,
    answers: Sheet,
    max_error: Annotated[float, typer.Option(help="Largest share of errors allowed.")] = 0.02,
    confidence: Annotated[float, typer.Option(help="How sure that has to be.")] = 0.95,
    about: Annotated[
        Literal["pool", "source"],
        typer.Option(help="pool: these images; source: new images like the audited ones."),
    ] = "pool",
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
    """Decide which images the model may label at a promised error rate, from a filled audit."""
    from clipgrip.cli.reviewed import at_work
    from clipgrip.errors import ConfigError
    from clipgrip.runs import auditing
    from clipgrip.runs.reopen import reopen
    from clipgrip.trust.promise import Terms, more_answers, promise
    from clipgrip.written import check_output, check_writable, write_dated, write_output

    terms = Terms(max_error, confidence, about)
    sheet, screen = auditing.Sheet.read(answers, encoding), ui.screen
    newest = at_work(run, screen)
    place = out or newest / "automation.csv"
    if place.resolve() == answers.resolve():
        raise ConfigError(f"{place} holds the answers. Give --out another name.")
    with screen.live():
        audit = auditing.Audit.of(reopen(newest, screen), sheet.seed)
    if out:
        check_output(place, auditing.AUTOMATE)
    else:
        check_writable(newest)
    groups = _groups(audit.classes, per_class, ok_class or [])
    rows, truth = sheet.answers(audit)
    told = promise(audit.pool, rows, truth, groups, terms)
    facts = auditing.promise_facts(told, audit, more_answers(told, audit.pool, rows, truth, groups))
    if not keep_answers(newest, audit, rows, truth, by, facts):
        screen.note(f"{newest} may not be written: the promise stands in {place} alone.")
    table = auditing.automation_csv(audit, told, rows, truth, groups)
    if out:
        write_output(place, table, auditing.AUTOMATE)
    else:
        place = write_dated(place, table, auditing.AUTOMATE, screen.note)
    measured = _measured(audit.pool.labels[rows].tolist(), truth.tolist(), audit.classes)
    texts = [*measured, *verdict(facts, len(rows)), *_go_on(facts, run, answers, len(sheet))]
    return Result([*texts, f"decisions: {place}"], facts)


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
        raise ConfigError("--per-class and --ok-class are two ways to promise. Give one of them.")
    good = sorted({classes.index(name) for name in ok})
    if good and len(good) == len(classes):
        raise ConfigError(
            "every class is an --ok-class, so nothing could be missed. Leave one out."
        )
    if good:
        return scope.misses_and_overkill(len(classes), good)
    return scope.per_class(classes.display) if per_class else scope.overall(len(classes))


def verdict(facts: dict[str, Any], given: int) -> list[str]:
    """The lines that a person reads."""
    model, total = facts["decided_by_model"], facts["pool"]
    error, sure = f"{100 * facts['max_error']:g} %", f"{100 * facts['confidence']:g} %"
    lines = [f"the model decides {model} of {total} images; {total - model} are a person's"]
    if facts["about"] == "pool":
        lines.append(
            f"promise: of the images that the model decides here, at most {error} are wrong, {sure} sure"
        )
    else:
        lines.append(
            f"promise: a new image of the same source within the scope is wrong in at most {error}, {sure} sure"
        )
        lines.append("  (only if the model learned from none of the audited images)")
    lines.append(f"answers: {given} given, {facts['answers_counted']} counted")
    return [*lines, *(_scope_line(scope) for scope in facts["scopes"])]


def _go_on(facts: dict[str, Any], run: Path, answers: Path, drawn: int) -> list[str]:
    """How to reach the next reading: further down the sheet, or by a longer one."""
    needed = facts["next_look"]
    if not needed:
        return []
    if needed <= drawn:
        return [f"next read at {needed} answers: go on filling {answers}"]
    return [
        f"next read at {needed} answers: clipgrip audit draw {run} --count {needed} --answers {answers} --out NEW.csv",
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
