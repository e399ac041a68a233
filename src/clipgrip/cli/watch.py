"""clipgrip watch look, watch status and watch answer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from clipgrip.cli.arguments import By, Encoding, Run, option
from clipgrip.cli.ui import Result, Ui
from clipgrip.clock import now

if TYPE_CHECKING:
    from clipgrip.runs.watch.status import Status
    from clipgrip.serving.watching import Watched
    from clipgrip.words import Words


def look(
    ui: Ui,
    run: Run,
    images: Annotated[
        Path, typer.Argument(help="Folder that new images come into, or a CSV or Parquet file.")
    ],
    out: Annotated[Path, typer.Option(help="Where to write the answers.")] = Path(
        "predictions.csv"
    ),
    reference: Annotated[
        Path | None,
        option(
            "Images that show what is normal, at the beginning.  [default: the run's own images]"
        ),
    ] = None,
    alpha: Annotated[
        float | None,
        option(
            "Probability of ever ringing without cause, at the beginning.  [default: 0.01]",
            min=1e-6,
            max=0.5,
        ),
    ] = None,
    encoding: Encoding = None,
) -> Result:
    """Label the images of a folder, and say whether the new ones still look like those before.

    Run it again as the folder grows: every image counts once, by its content. Exit code 1 while an alarm rings.
    """
    from clipgrip.cli.daily import given_back
    from clipgrip.cli.reviewed import at_work
    from clipgrip.cli.sheets import check_no_sheet
    from clipgrip.serving.batch import check_answers_place, check_any_labeled, write_predictions
    from clipgrip.serving.predictor import Predictor
    from clipgrip.serving.watching import watch_files
    from clipgrip.written import check_writable

    check_no_sheet(run, images, encoding)
    check_answers_place(out, images)
    newest = at_work(run, ui.screen)
    check_writable(newest, "RUN")
    predictor = Predictor.open(newest)
    with ui.screen.live():
        found = watch_files(
            newest,
            predictor,
            images,
            lambda answers: write_predictions(
                out, predictor, answers, given_back(run, answers, ui), ui.say
            ),
            reference=reference,
            alpha=alpha,
            encoding=encoding,
            on_progress=ui.screen.progress,
        )
    check_any_labeled(found.answers, images, out)
    return _result(newest, found, predictor.classes.display, out, run, ui)


def _result(
    newest: Path, found: Watched, names: tuple[str, ...], out: Path, run: Path, ui: Ui
) -> Result:
    """The light, what was labeled, and the page."""
    from clipgrip.cli.results import remarks
    from clipgrip.report.at_work import PAGE, write_at_work
    from clipgrip.runs.watch.status import status_of
    from clipgrip.runs.watch.store import open_watch
    from clipgrip.runs.watch.upholding import run_scopes
    from clipgrip.serving.batch import issues_path

    with open_watch(newest) as store:
        status = status_of(store, run_scopes(newest))
    write_at_work(newest, status, names, ui.language)
    say, total, issues = ui.say, len(found.answers.rows), len(found.answers.issues)
    lines = [
        *light_words(status, names, run, ui),
        say("{new} new images, {all} labeled: {out}", new=found.new, all=total, out=out),
        say("page: {page}", page=newest / PAGE),
    ]
    if found.began:
        compared = status.line.facts["reference"]
        lines.insert(0, say("the watch begins; images to compare with: {n}", n=compared))
    facts: dict[str, Any] = {"new": found.new, "predictions": out, "page": newest / PAGE}
    if issues:
        counted = remarks(issues, say)
        lines.append(say("{counted}: {path}", counted=counted, path=issues_path(out)))
        facts["issues"] = issues_path(out)
    return Result(lines, status.facts() | facts, code=int(status.light == "alarm"))


def show(ui: Ui, run: Run) -> Result:
    """Say where a line stands, without looking at new images."""
    from clipgrip.cli.reviewed import at_work
    from clipgrip.runs.watch.status import status_of
    from clipgrip.runs.watch.store import open_watch
    from clipgrip.runs.watch.upholding import classes_of, run_scopes

    newest = at_work(run, ui.screen)
    with open_watch(newest) as store:
        status = status_of(store, run_scopes(newest))
    names = classes_of(newest).display
    return Result(
        light_words(status, names, run, ui), status.facts(), code=int(status.light == "alarm")
    )


def answer(
    ui: Ui,
    run: Run,
    verdict: Annotated[
        Literal["fixed", "normal", "nothing"],
        typer.Argument(
            help="fixed: the cause is removed; normal: this is how it is from now on; nothing: no cause was found."
        ),
    ],
    by: By = "",
    note: Annotated[str, option("What was found.")] = "",
) -> Result:
    """Answer the alarm that rings; then the watch goes on."""
    from clipgrip.cli.reviewed import at_work
    from clipgrip.runs.lock import locked
    from clipgrip.runs.watch.store import LOCK, answer_alarm, open_watch
    from clipgrip_line.trust.watch_words import VERDICTS

    newest = at_work(run, ui.screen)
    with open_watch(newest) as store, locked(newest, LOCK):
        alarm = answer_alarm(store, verdict, by=by, note=note, at=now())
    say = ui.say
    lines = [
        say("alarm {n} is answered: {verdict}", n=alarm.number, verdict=say(VERDICTS[verdict]))
    ]
    return Result(lines, {"alarm": alarm.number, "verdict": verdict, "by": by, "note": note})


def light_words(status: Status, names: tuple[str, ...], run: Path, ui: Ui) -> list[str]:
    """The light with words, and what rings with what to do."""
    from clipgrip.report.at_work import answer_command
    from clipgrip.runs.watch.status import alarm_text

    say, alarm = ui.say, status.open_alarm
    lines = [
        f"{status.symbol} {status.words(say)}",
        *filter(None, [status.near(names, say)]),
        say(
            "{n} new images since {date}; alarms: {alarms}",
            n=say.number(status.images),
            date=say.date(status.line.begun_at),
            alarms=len(status.alarms),
        ),
    ]
    lines += [f"  {one.words(say)}" for one in status.promises]
    if alarm is None:
        return lines
    facts, text = alarm.facts, alarm_text(alarm, names, say)
    lines.append(f"  {say('{what}, {since}', what=text.what, since=text.since)}")
    lines.append(f"  {text.advice}")
    command = answer_command(run)
    lines.append(f"  {say('before: {paths}', paths=_paths(facts['before'], say))}")
    lines.append(f"  {say('since then: {paths}', paths=_paths(facts['after'], say))}")
    lines.append(
        f"  {say('Then answer it, as fixed, normal or nothing: {command}', command=command)}"
    )
    return lines


def _paths(pictures: list[dict[str, str]], say: Words) -> str:
    return say(", ").join(Path(one["path"]).name for one in pictures)
