"""clipgrip run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from clipgrip.cli.arguments import AllProbabilities, On, option
from clipgrip.cli.options import Given
from clipgrip.cli.ui import Result, Ui
from clipgrip.sentences import Sentence


def run(
    ui: Ui,
    given: Given,
    config: Annotated[
        Path | None, option("project.toml with the same settings; options go before it.")
    ] = None,
    all_probabilities: AllProbabilities = None,
    on: On = "auto",
) -> Result:
    """Label images with CLIP, tune a prompt on the trustworthy labels, and report.

    Run it again with the same settings to go on where it was stopped. Other settings make a new run; nothing is
    overwritten.
    """
    from clipgrip.config import project

    wanted = project(given, config)
    from clipgrip.cli.results import summary, write_report
    from clipgrip.executors import executor_named, using
    from clipgrip.runs.pipeline import run as run_project
    from clipgrip.runs.probabilities import check_probabilities_place, write_probabilities

    if all_probabilities is not None:
        check_probabilities_place(all_probabilities)
    with using(executor_named(on)), ui.screen.live():
        outcome = run_project(wanted, ui.screen)
    report = write_report(outcome, ui.language, ui.screen.note)
    lines = [summary(outcome.metrics, outcome.folder, report, ui.language)]
    if all_probabilities is not None:
        answered = (
            (outcome.embeds.pool_rows, outcome.answers.pool),
            (outcome.embeds.test_rows, outcome.answers.test),
        )
        write_probabilities(all_probabilities, answered, outcome.manifest.classes.display)
        lines.append(Sentence("all probabilities: {path}", path=all_probabilities))
    return Result(lines, outcome.metrics)
