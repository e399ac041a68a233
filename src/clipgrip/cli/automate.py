"""clipgrip audit automate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clipgrip.cli.arguments import (
    About,
    By,
    Confidence,
    Encoding,
    MaxError,
    Run,
    Sheet,
    ok_option,
    option,
)
from clipgrip.cli.promise_lines import go_on, verdict
from clipgrip.cli.ui import Result, Ui
from clipgrip.clock import now
from clipgrip.sentences import Sentence, mark

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clipgrip.cli.screen import Screen
    from clipgrip.data.classes import ClassNames
    from clipgrip.runs import audit_sheet
    from clipgrip.runs.audit_sheet import Audit
    from clipgrip.trust.scope import Group
    from clipgrip.trust.terms import Terms

NOT_KEPT = mark("{newest} may not be written: the answers stand in {answers} alone.")

UNKEPT = mark("{newest} may not be written: the promise stands in {place} alone.")


def automate(
    ui: Ui,
    run: Run,
    answers: Sheet,
    max_error: MaxError = 0.02,
    confidence: Confidence = 0.95,
    about: About = "delivered",
    at_least: Annotated[
        float | None,
        option(
            "Smallest share of the images worth a promise; it begins there and widens.  [default: as the plan "
            "allows, 0.4 without one]"
        ),
    ] = None,
    by: By = "",
    encoding: Encoding = None,
    by_class: Annotated[
        bool, typer.Option("--by-class", help="Promise it for each class apart.")
    ] = False,
    ok_class: Annotated[
        list[str] | None, ok_option("A class that means OK: promise misses and overkill apart.")
    ] = None,
    out: Annotated[
        Path | None, option("The decisions.  [default: automation.csv beside the model]")
    ] = None,
) -> Result:
    """Decide which images the model may label at a promised error rate, from a filled audit.

    Fix error rate, kind and groups before the first answer: each promise holds for itself, and the best of several
    that were tried on the same answers fails more often than it says.
    """
    from clipgrip.cli.calibrated import recalibrated
    from clipgrip.cli.reviewed import at_work, classes_at_work
    from clipgrip.runs import audit_sheet, promised
    from clipgrip.runs.audit_store import first_plan
    from clipgrip.runs.reopen import reopen
    from clipgrip.runs.watch.standing import check_stands
    from clipgrip.trust.planning import more_answers
    from clipgrip.trust.promise import promise

    terms, screen = terms_of(max_error, confidence, about, at_least), ui.screen
    apart = audit_sheet.apart_of(classes_at_work(run), by_class, ok_class or [])
    sheet = audit_sheet.Sheet.read(answers, encoding)
    newest = at_work(run, screen)
    place = _place(out or newest / promised.AUTOMATION, answers)
    _check_place(place, newest, chosen=out is not None)
    with screen.live():
        outcome = reopen(newest, screen)
        audit = audit_sheet.Audit.of(outcome, sheet.seed, sheet.apart)
    check_stands(newest, audit.id)
    groups = _groups(audit, sheet, apart)
    rows, truth = sheet.answers(audit)
    earlier = _earlier(newest, audit)
    draw = audit.draw(first_plan(earlier, sheet.planned))
    found = promise(audit.pool, rows, truth, groups, terms, draw=draw)
    more = more_answers(found, audit.pool, rows, truth, groups)
    facts = promised.promise_facts(found, audit, more, earlier)
    facts = promised.with_classes(facts, groups, audit.classes.display)
    if not keep_answers(newest, audit, rows, truth, by, facts):
        screen.note(Sentence(UNKEPT, newest=newest, place=place))
    elif not audit.apart:
        recalibrated(outcome, screen)
    table = promised.automation_csv(audit, found, rows, truth, groups, say=ui.say)
    place = _write(table, place, screen, chosen=out is not None)
    measured = [] if audit.apart else _measured(audit.pool.labels[rows], truth, audit.classes)
    texts = [*measured, *verdict(facts, len(rows)), *go_on(facts, run, answers, len(sheet))]
    texts += [*_hint(audit, groups), *promised.warning(facts)]
    return Result([*texts, Sentence("decisions: {place}", place=place)], facts)


def _place(place: Path, answers: Path) -> Path:
    from clipgrip.errors import ConfigError

    if place.resolve() == answers.resolve():
        raise ConfigError("{place} holds the answers. Give --out another name.", place=place)
    return place


def _hint(audit: Audit, groups: Sequence[Group]) -> list[str]:
    if audit.apart or len(groups) < 2:
        return []
    way = "--by-class" if len(groups) > 2 or groups[0].name != "misses" else "--ok-class NAME"
    return [
        Sentence(
            "note: this sheet was drawn from all images alike; one of clipgrip audit draw {way} proves as much with "
            "fewer answers",
            way=way,
        )
    ]


def _check_place(place: Path, run: Path, *, chosen: bool) -> None:
    """RunError where the decisions cannot be written."""
    from clipgrip.runs.audit_sheet import AUTOMATE
    from clipgrip.written import check_table, check_writable

    if chosen:
        check_table(place, AUTOMATE)
    else:
        check_writable(run)


def _write(table: bytes, place: Path, screen: Screen, *, chosen: bool) -> Path:
    """Where the decisions stand now; a file that a person changed stays."""
    from clipgrip.runs.audit_sheet import AUTOMATE
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
    from clipgrip.runs.audit_store import earlier_facts
    from clipgrip.runs.store import open_store

    with open_store(run) as store:
        return earlier_facts(store, audit.run, audit.id)


def _measured(answers: Any, truth: Any, classes: ClassNames) -> list[str]:
    """The audited accuracy beside the commonest class."""
    from clipgrip.report.audited import compared, line

    pairs = list(zip(answers.tolist(), truth.tolist(), strict=True))
    comparison = compared(pairs, classes.display)
    return [] if comparison is None else [line(comparison)]


def keep_answers(
    run: Path,
    audit: Audit,
    rows: Any,
    truth: Any,
    by: str,
    facts: dict[str, Any] | None = None,
    *,
    called: str = "",
) -> bool:
    """Keep answers, and what was promised by them, in the run; False where it may only be read.

    They are those of ``audit``, or of one of its images that is ``called`` otherwise.
    """
    from clipgrip.runs import audit_store
    from clipgrip.runs.database import is_writable
    from clipgrip.runs.store import NAME, open_store

    if not is_writable(run / NAME):
        return False
    given = list(zip((audit.images[row].sha256 for row in rows), truth.tolist(), strict=True))
    at = now()
    with open_store(run) as store:
        audit_store.add_answers(store, audit.run, called or audit.id, given, by=by, at=at)
        if facts is not None:
            audit_store.add_promise(
                store, audit.run, audit_store.StoredPromise(audit.id, by, at, facts)
            )
    return True


def _groups(audit: Audit, sheet: audit_sheet.Sheet, asked: str) -> tuple[Group, ...]:
    from clipgrip.runs.audit_sheet import check_apart, groups_of

    if audit.apart:
        check_apart(sheet, asked)
    return groups_of(audit.apart or asked, audit.classes)
