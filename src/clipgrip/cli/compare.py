"""clipgrip compare."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clipgrip.cli.arguments import option, run_folders
from clipgrip.cli.ui import Result, Ui
from clipgrip.config import Prompt
from clipgrip.sentences import Sentence, combined
from clipgrip.words import mark

if TYPE_CHECKING:
    from clipgrip.cli.screen import Screen
    from clipgrip.config import Project
    from clipgrip.runs.comparison import Answerer, Comparison
    from clipgrip.words import Words


def compare(
    ui: Ui,
    runs: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Folders of finished runs; of a reviewed one, its newest round.",
            show_default=False,
            autocompletion=run_folders,
        ),
    ] = None,
    config: Annotated[
        Path | None, option("project.toml to run first, with each --backbone and --prompt.")
    ] = None,
    backbone: Annotated[
        list[str] | None,
        option("A model to run the project with; several times.  [default: the project's]"),
    ] = None,
    prompt: Annotated[
        list[Prompt] | None,
        option("A kind of prompt to run it with; several times.  [default: the project's]"),
    ] = None,
    out: Annotated[Path, typer.Option(help="Where to write the images with their answers.")] = Path(
        "comparison.csv"
    ),
) -> Result:
    """Compare runs over the same images, and join their answers: finished ones, or a project run in several ways.

    Runs of one model count as one vote. Images about which runs disagree come first in the CSV: look at those. Run it
    again to go on where it was stopped.
    """
    from clipgrip.backbone.registry import find_folder, may_download
    from clipgrip.errors import ConfigError
    from clipgrip.runs.comparison import COMPARE, need_two, write_comparison
    from clipgrip.runs.comparison import compare as compare_runs
    from clipgrip.runs.pipeline import run
    from clipgrip.runs.reopen import reopen
    from clipgrip.written import check_table

    if (backbone or prompt) and not config:
        raise ConfigError(
            mark(
                "--backbone and --prompt say how to run a project. Add --config project.toml, or leave "
                "them out."
            )
        )
    ways = several_ways(config, backbone or [], prompt or []) if config else []
    need_two([*(runs or []), *(way.out for way in ways if way.out)])
    check_table(out, COMPARE, reads=[config] if config else [])
    screen = ui.screen
    for model in dict.fromkeys(way.backbone for way in ways):
        find_folder(model, online=may_download())  # a missing one is told before any way is run
    newest = _comparable(runs or [], screen)
    with screen.live():
        outcomes = [reopen(folder, screen) for folder in newest]
    for way in ways:
        screen.note(
            Sentence(
                "{out}: {backbone}, {prompt}", out=way.out, backbone=way.backbone, prompt=way.prompt
            )
        )
        with screen.live():
            outcomes.append(run(way, screen))
    compared = compare_runs(outcomes)
    write_comparison(out, compared)
    return Result(
        [table(compared, ui.say), Sentence("answers      {out}", out=out)],
        figures(compared) | {"answers": out},
    )


def _comparable(runs: Sequence[Path], screen: Screen) -> list[Path]:
    """The newest rounds; an error where one is no run, or has other classes, before images are encoded."""
    from clipgrip.cli.reviewed import at_work
    from clipgrip.runs.comparison import check_classes
    from clipgrip.runs.watch.upholding import classes_of

    newest = [at_work(folder, screen) for folder in runs]
    check_classes([(one, classes_of(one)) for one in newest])
    return newest


def several_ways(config: Path, backbones: list[str], prompts: Sequence[str]) -> list[Project]:
    """The project of a file with each of the backbones and prompts, each way into a folder of its own.

    ConfigError: the file or a value is not allowed, or two ways are one.
    """
    from clipgrip.config import project
    from clipgrip.errors import ConfigError
    from clipgrip.runs.run_folder import wanted_folder

    base = project({}, config)
    place = wanted_folder(base.out, base.images)
    ways = []
    for model, kind in product(backbones or [base.backbone], prompts or [base.prompt]):
        named = [Path(model).name] * bool(backbones) + [kind] * bool(prompts)
        folder = place.with_name("-".join([place.name, *named]))
        ways.append(project({"backbone": model, "prompt": kind, "out": folder}, config))
    folders = [way.out for way in ways]
    twice = next((folder for folder in folders if folders.count(folder) > 1), None)
    if twice:
        raise ConfigError(
            "two of these runs would be in {twice}. Give each --backbone and --prompt once; models "
            "whose names end alike are run one at a time with clipgrip run, and their folders given "
            "here.",
            twice=twice,
        )
    return ways


def table(compared: Comparison, say: Words) -> str:
    """A line for each run and each consensus, then what is worth a look."""
    from rich.cells import cell_len

    from clipgrip.cli.columns import padded

    joined = compared.answerers[len(compared.names) :]
    called = [*compared.names, *(say(one.name) for one in joined)]
    width = max(24, *map(cell_len, called))
    tested = any(one.tested for one in compared.answerers)
    head = mark("{name}  agrees   accuracy") if tested else mark("{name}  agrees")
    lines: list[str] = [Sentence(head, name=" " * width)]
    lines += [
        combined([f"{padded(name, width)}  {100 * a.agreement:5.1f}%", _accuracy(a)], "")
        for name, a in zip(called, compared.answerers, strict=True)
    ]
    if not tested:
        lines.append(Sentence("accuracy unknown: no test image that all runs share"))
    total = len(compared.paths)
    lines.append(
        Sentence(
            "{total} images in common, {left_out} left out that not all runs hold",
            total=total,
            left_out=compared.left_out,
        )
    )
    lines.append(
        Sentence(
            "{n} images are doubtful: not all runs give {n|it|them} the same answer",
            n=compared.doubtful,
        )
    )
    lines.append(_calibration(compared))
    if len(set(compared.families)) == 1:
        lines.append(
            Sentence("all runs are of one model and err alike: their agreement is no proof")
        )
    return combined(lines, "\n")


def _calibration(compared: Comparison) -> str:
    if compared.calibrated_by:
        return Sentence(
            "every run's confidence is calibrated by the {calibrated_by} test images that all share",
            calibrated_by=compared.calibrated_by,
        )
    return Sentence(
        "confidence is as the runs say it, so the surest counts most, right or wrong; 25 shared "
        "test images mend it"
    )


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
        return ""
    low, high = (100 * edge for edge in interval(answerer))
    return Sentence(
        "  {accuracy}% (95% interval {low} to {high}, {tested} images)",
        accuracy=f"{100 * answerer.accuracy:5.1f}",
        low=f"{low:.1f}",
        high=f"{high:.1f}",
        tested=answerer.tested,
    )
