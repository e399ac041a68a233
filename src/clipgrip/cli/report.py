"""clipgrip report."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from clipgrip.cli.arguments import Encoding, OkClass, Run, option
from clipgrip.cli.ui import Result, Ui
from clipgrip.clock import now
from clipgrip.sentences import Sentence
from clipgrip.words import mark

OTHER_KINDS = (".xlsx", ".pdf", ".docx", ".pptx", ".csv", ".json")
"""Endings that people expect and that a report does not have."""
LONGEST_CURRENCY = 16
"""Characters, so that figures stay readable."""
CURRENCY = mark(
    "--currency {currency} is not allowed. Give what costs are in, such as JPY or EUR, in at most {most} characters."
)

if TYPE_CHECKING:
    from clipgrip.report.board.from_run import BoardRequest


def report(
    ui: Ui,
    run: Run,
    audience: Annotated[
        Literal["team", "board"],
        typer.Option(
            "--for",
            help="team: report.html. board: board.html (1 to 3 pages A4) and board.xlsx to decide on.",
        ),
    ] = "team",
    groups: Annotated[
        Path | None,
        typer.Option(
            help="CSV with path and a column per grouping (line, camera, shift) to compare."
        ),
    ] = None,
    pilot: Annotated[
        Path | None,
        option("For the board: pilot.json with the criteria that were fixed in advance."),
    ] = None,
    assume: Annotated[
        list[str] | None,
        option(
            "For the board: KEY=VALUE or KEY=CAUTIOUS:MIDDLE:FAVOURABLE, such as images_per_year=120000, "
            "hourly_cost=3500, seconds_today=4. Several times; an unknown key lists all."
        ),
    ] = None,
    ok_class: OkClass = None,
    out: Annotated[
        Path | None,
        option(
            "Page, as NAME.html, or a folder for it; the Excel sheet lies beside it.  [default: the run's folder]"
        ),
    ] = None,
    encoding: Encoding = None,
    currency: Annotated[str, typer.Option(help="For the board: what costs are in.")] = "JPY",
) -> Result:
    """Write report.html of a run anew, or the report for the board: a page to print and an Excel sheet.

    A file that a person changed, such as a filled board.xlsx, stays: the new one gets a dated name.
    """
    from clipgrip.cli.results import write_board, write_report
    from clipgrip.cli.reviewed import at_work
    from clipgrip.report.accuracy import history
    from clipgrip.report.audited import audited, line
    from clipgrip.report.from_run import group_table, lost
    from clipgrip.runs.reopen import reopen
    from clipgrip.written import check_writable

    _check(audience, groups, bool(pilot or assume or ok_class))
    wanted = _asked(run, pilot, assume or [], ok_class or [], currency)
    screen, place = ui.screen, _page(out, run, audience)
    check_writable(place.parent)
    if groups is not None:
        group_table(groups, encoding)  # a wrong one is told before images are read
    if audience == "board":
        with screen.live():
            page, sheet = write_board(run, wanted, ui.language, screen, place)
        lines = [
            Sentence("report       {page}", page=page),
            Sentence("sheet        {sheet}", sheet=sheet),
        ]
        return Result(lines, {"report": page, "sheet": sheet})
    newest = at_work(run, screen)
    with screen.live():
        outcome = reopen(newest, screen)
        found, figures = audited(run, outcome), history(run, outcome)
    page = write_report(outcome, ui.language, screen.note, groups, place, found, encoding, figures)
    lines = [] if found is None else [line(found)]
    lines.append(Sentence("report       {page}", page=page))
    if gone := lost(outcome):
        lines.append(
            Sentence(
                "missing      {gone} images of the run; the report says so and is about the others",
                gone=gone,
            )
        )
    audit = None if found is None else asdict(found)
    over_time = [asdict(one) for one in figures]
    return Result(lines, {"report": page, "audited": audit, "history": over_time, "missing": gone})


def _page(out: Path | None, run: Path, audience: str) -> Path:
    """The file that is written; a folder takes the page under its usual name."""
    from clipgrip.errors import ConfigError

    usual = "report.html" if audience == "team" else "board.html"
    if out is None or out.is_dir():
        return (out or run) / usual
    if out.suffix.lower() in (".html", ".htm"):
        return out
    if out.suffix.lower() in OTHER_KINDS or out.is_file():
        raise ConfigError(
            "--out {out} is no page. Give a name that ends in .html, or a folder.", out=out
        )
    return out / usual


def _check(audience: str, groups: Path | None, for_board: bool) -> None:
    from clipgrip.errors import ConfigError

    if audience == "board" and groups:
        raise ConfigError(
            mark("--groups belongs to the report for the team. Leave it out, or leave --for out.")
        )
    if audience == "team" and for_board:
        raise ConfigError(
            mark(
                "--pilot, --assume and --ok-class belong to the report for the board. Add --for board."
            )
        )


def _asked(
    run: Path, pilot: Path | None, assume: list[str], ok: list[str], currency: str
) -> BoardRequest:
    from clipgrip.allowed import shown
    from clipgrip.cli.reviewed import classes_at_work
    from clipgrip.data.classes import canonical
    from clipgrip.errors import ConfigError
    from clipgrip.pilot.store import read_versions
    from clipgrip.report.board.from_run import BoardRequest
    from clipgrip.report.board.savings import given

    if not currency.strip() or len(currency) > LONGEST_CURRENCY or not currency.isprintable():
        raise ConfigError(CURRENCY, currency=shown(currency), most=LONGEST_CURRENCY)
    asked = BoardRequest(
        made=now(),
        ok_classes=tuple(dict.fromkeys(canonical(name) for name in ok)),
        versions=() if pilot is None else read_versions(pilot),
        assumed=given(assume),
        currency=currency,
    )
    if ok:
        asked.check(classes_at_work(run).display)
    return asked
