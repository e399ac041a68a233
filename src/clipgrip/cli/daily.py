"""The daily audit of a model at work: drawn, read, and what a withdrawn promise gives back to people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from clipgrip.cli.ui import Result, Ui
from clipgrip.clock import now

if TYPE_CHECKING:
    from clipgrip.serving.batch import FileAnswers


def draw_daily(ui: Ui, run: Path, count: int, out: Path) -> Result:
    """A sheet of new images at work, drawn at random within the promises that stand."""
    from clipgrip.cli.reviewed import at_work
    from clipgrip.runs.lock import locked
    from clipgrip.runs.watch.daily import draw_images, write_daily
    from clipgrip.runs.watch.store import LOCK, open_watch
    from clipgrip.runs.watch.upholding import (
        classes_of,
        fallen_scopes,
        note_scopes,
        run_scopes,
    )

    newest = at_work(run, ui.screen)
    scopes, fallen = run_scopes(newest), fallen_scopes(newest)
    standing = [one for one in scopes if one not in fallen]
    with open_watch(newest) as store, locked(newest, LOCK):
        note_scopes(store, scopes)
        number, images = draw_images(store, standing, count, now())
        write_daily(store, number, images, out)
    say = ui.say
    lines = [
        say("{n} new images drawn at random: {out}", n=len(images), out=out),
        say("classes: {names}", names=classes_of(newest).listing()),
        say(
            "Fill the column answer with a class name, from the top without a gap, then: {command}",
            command=f"clipgrip audit read {run} --answers {out} --by NAME",
        ),
    ]
    if not standing:
        lines.append(say("No promise stands, so they are drawn from all new images."))
    return Result(lines, {"draw": number, "drawn": len(images), "sheet": out})


def read_daily(ui: Ui, run: Path, answers: Path, by: str, encoding: str | None) -> Result | None:
    """Count the answers of a daily sheet, and withdraw the promises that they refute; None of another sheet."""
    from clipgrip.cli.reviewed import at_work
    from clipgrip.runs.lock import locked
    from clipgrip.runs.watch.daily import DailySheet, read_answers
    from clipgrip.runs.watch.status import status_of
    from clipgrip.runs.watch.store import LOCK, open_watch
    from clipgrip.runs.watch.upholding import classes_of, run_scopes, withdraw_broken
    from clipgrip_line.trust.watch_words import LIGHTS, audited_words

    sheet = DailySheet.read(answers, encoding)
    if sheet is None:
        return None
    newest = at_work(run, ui.screen)
    scopes = run_scopes(newest)
    with open_watch(newest) as store, locked(newest, LOCK):
        new = read_answers(store, sheet, classes_of(newest), by, now())
        fallen = withdraw_broken(store, scopes, now())
        status = status_of(store, scopes)
    say = ui.say
    lines = [
        f"{status.symbol} {say(LIGHTS[status.light][1])}",
        say("{n} new answers counted", n=new),
        audited_words(status.audited, say),
        *(f"  {one.words(say)}" for one in status.promises),
    ]
    facts = {"answers_new": new, "withdrawn_now": [one.scope.name for one in fallen]}
    return Result(lines, status.facts() | facts, code=int(bool(fallen)))


def given_back(reviewed: Path, run: Path, answers: FileAnswers, ui: Ui) -> list[bool]:
    """Which answers people decide because no promise that stands holds them, said on the screen.

    What was promised of an earlier round of the review is not promised of the model of ``run``, its newest.
    """
    decide = deciding(reviewed, run)
    if decide is None or not answers.rows:
        return [False] * len(answers.rows)
    confidence, labels = answers.probs.max(1)
    people = list(decide(labels.tolist(), confidence.double().tolist()))
    say_given_back(run, sum(people), ui)
    return people


def deciding(
    reviewed: Path, run: Path
) -> Callable[[Sequence[int], Sequence[float]], Sequence[bool]] | None:
    """Labels and confidences -> whether a person decides, as `given_back`; None where nothing was ever promised."""
    from clipgrip.review.store import round_folders
    from clipgrip.runs.audits import was_promised

    if not any(map(was_promised, round_folders(reviewed))):  # before anything heavy is imported
        return None
    from clipgrip.runs.watch.upholding import for_people

    return partial(for_people, run)


def say_given_back(run: Path, count: int, ui: Ui) -> None:
    """How many are for people, and why."""
    from clipgrip.runs.watch.upholding import fallen_scopes

    say = ui.say
    if fallen_scopes(run):
        ui.screen.note(
            say(
                "a promise was withdrawn at work: {n} of these images are for people to decide, until a new audit "
                "promises anew",
                n=count,
            )
        )
    elif count:
        ui.screen.note(
            say(
                "{n} of these images lie within no promise of the audit, so people decide them",
                n=count,
            )
        )
