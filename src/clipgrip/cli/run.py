"""clipgrip run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from clipgrip.cli.encoding import Encoding


def run(
    images: Annotated[
        Path | None,
        typer.Argument(
            help="Folder of images, or a CSV or Parquet file that lists them.", show_default=False
        ),
    ] = None,
    classes: Annotated[
        Path | None,
        typer.Option(help="Class names: one a line, or CSV name,prompt.", show_default=False),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(help="Known labels: CSV path,label, or class folders.", show_default=False),
    ] = None,
    ignore_folders: Annotated[
        bool | None,
        typer.Option(
            "--ignore-folders",
            help="Images in folders named like classes are not taken as labeled by them.",
            show_default=False,
        ),
    ] = None,
    seen: Annotated[
        Path | None,
        typer.Option(help="Classes whose images are all labeled, one a line.", show_default=False),
    ] = None,
    test: Annotated[
        Path | None,
        typer.Option(
            help="Images to measure on, never to learn from: CSV path,label, or class folders.",
            show_default=False,
        ),
    ] = None,
    backbone: Annotated[
        str | None,
        typer.Option(help="nano, a hub name, or a folder.  [default: nano]", show_default=False),
    ] = None,
    prompt: Annotated[
        str | None,
        typer.Option(
            help="What is tuned: textual, visual, visual-deep or multimodal.  [default: textual]",
            show_default=False,
        ),
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(
            help="zero-shot, supervised, fpl, ifpl or grip.  [default: grip]", show_default=False
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="default, or paper: the constants of the NeurIPS 2023 paper.  [default: default]",
            show_default=False,
        ),
    ] = None,
    rounds: Annotated[
        int | None,
        typer.Option(help="Rounds of ifpl and grip.  [default: 10]", show_default=False),
    ] = None,
    k: Annotated[
        int | None,
        typer.Option(
            help="Take only the surest images of each class: k, in grip growing to k.  "
            "[default: all, softly; paper: 16]",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Seed of all that is random.  [default: 0]", show_default=False),
    ] = None,
    template: Annotated[
        list[str] | None,
        typer.Option(
            help="Text around a class name. Several times, or @FILE with one a line: zero-shot takes their mean, "
            'tuning starts from the first.  [default: "a photo of a {}."]',
            show_default=False,
        ),
    ] = None,
    candidates: Annotated[
        str | None,
        typer.Option(
            help="all: unlabeled images may be of any class, even where only some classes have labels.",
            show_default=False,
        ),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            help="What encodes images: torch, onnx or onnx-int8; see clipgrip doctor --measure.  [default: torch]",
            show_default=False,
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            help="project.toml with the same settings; options go before it.", show_default=False
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the results.  [default: clipgrip-runs/NAME]", show_default=False
        ),
    ] = None,
    all_probabilities: Annotated[
        Path | None,
        typer.Option(
            help="Also write the probability of every class for every image: a .csv, .parquet or .npz file.",
        ),
    ] = None,
    encoding: Encoding = None,
    lang: Annotated[str, typer.Option(help="Language of the report: en or ja.")] = "en",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print metrics.json instead of the table.")
    ] = False,
) -> None:
    """Label images with CLIP, tune a prompt on the trustworthy labels, and report.

    Run it again with the same settings to go on where it was stopped. Other settings make a new run; nothing is
    overwritten.
    """
    options: dict[str, Any] = {
        "images": images, "classes": classes, "labels": labels, "seen": seen, "test": test,
        "backbone": backbone, "prompt": prompt, "strategy": strategy, "preset": preset,
        "rounds": rounds, "k": k, "seed": seed, "template": template or None, "candidates": candidates,
        "engine": engine, "out": out, "encoding": encoding, "ignore_folders": ignore_folders,
    }  # fmt: skip
    from clipgrip.cli.screen import Screen, utf8_output
    from clipgrip.config import project

    utf8_output()
    wanted = project(options, config)
    from clipgrip.cli.results import check_language, show_outcome, write_report
    from clipgrip.runs.pipeline import run as run_project
    from clipgrip.runs.probabilities import check_probabilities_place, write_probabilities

    check_language(lang)
    if all_probabilities is not None:
        check_probabilities_place(all_probabilities)
    screen = Screen()
    with screen.live():
        outcome = run_project(wanted, screen)
    report = write_report(outcome, lang, screen.note)
    if all_probabilities is not None:
        answered = (
            (outcome.embeds.pool_rows, outcome.answers.pool),
            (outcome.embeds.test_rows, outcome.answers.test),
        )
        write_probabilities(all_probabilities, answered, outcome.manifest.classes.display)
    show_outcome(outcome, report, as_json=as_json, language=lang)  # type: ignore[arg-type]
    if all_probabilities is not None and not as_json:
        typer.echo(f"all probabilities: {all_probabilities}")
