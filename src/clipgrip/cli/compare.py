"""clipgrip compare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from clipgrip.runs.comparison import Answerer, Comparison


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(
            help="Folders of two or more finished runs; newest rounds of reviewed ones."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Where to write the images with their answers.")] = Path(
        "comparison.csv"
    ),
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the figures as JSON instead of a table.")
    ] = False,
) -> None:
    """Compare finished runs over the same images, and join their answers.

    Runs of one model count as one vote. Images about which runs disagree come first in the CSV: look at those.
    """
    from clipgrip.cli.reviewed import at_work
    from clipgrip.cli.screen import Screen, utf8_output
    from clipgrip.runs.comparison import compare as compare_runs
    from clipgrip.runs.comparison import write_comparison
    from clipgrip.runs.outputs import json_text
    from clipgrip.runs.reopen import reopen
    from clipgrip.serving.batch import check_answers_place

    utf8_output()
    check_answers_place(out)
    screen = Screen()
    newest = [at_work(run, screen) for run in runs]
    with screen.live():
        compared = compare_runs([reopen(run, screen) for run in newest])
    write_comparison(out, compared)
    if as_json:
        typer.echo(json_text(figures(compared)), nl=False)
    else:
        typer.echo(f"{table(compared)}\nanswers      {out}")


def table(compared: Comparison) -> str:
    """A line for each run and each consensus, then what is worth a look."""
    width = max(24, *(len(line.name) for line in compared.answerers))
    lines = [f"{'':<{width}}  agrees   accuracy"]
    lines += [
        f"{a.name:<{width}}  {100 * a.agreement:5.1f} %  {_accuracy(a)}" for a in compared.answerers
    ]
    total = len(compared.paths)
    lines.append(f"{total} images in common, {compared.left_out} left out that not all runs hold")
    lines.append(f"{compared.doubtful} images are doubtful: the runs disagree on them")
    lines.append(_calibration(compared))
    if len(set(compared.families)) == 1:
        lines.append("all runs are of one model and err alike: their agreement is no proof")
    return "\n".join(lines)


def _calibration(compared: Comparison) -> str:
    if compared.calibrated_by:
        return f"every run's confidence is calibrated by the {compared.calibrated_by} test images that all share"
    return "confidence is as the runs say it, so the surest counts most, right or wrong; 25 shared test images mend it"


def figures(compared: Comparison) -> dict[str, Any]:
    """The same as plain values."""
    return {
        "images": len(compared.paths),
        "left_out": compared.left_out,
        "doubtful": compared.doubtful,
        "calibrated_by": compared.calibrated_by,
        "weights": dict(zip(compared.names, compared.weights.tolist(), strict=True)),
        "answerers": [
            {"name": a.name, "agreement": a.agreement, "accuracy": a.accuracy, "tested": a.tested}
            for a in compared.answerers
        ],
    }


def _accuracy(answerer: Answerer) -> str:
    from clipgrip.runs.comparison import interval

    if answerer.accuracy is None:
        return "unknown: no test image that all runs share"
    low, high = (100 * edge for edge in interval(answerer))
    return f"{100 * answerer.accuracy:5.1f} % (95 % interval {low:.1f} to {high:.1f}, {answerer.tested} images)"
