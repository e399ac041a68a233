"""clipgrip bench stress."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from clipgrip.cli.arguments import Encoding, option
from clipgrip.cli.options import Setting
from clipgrip.cli.ui import Result, Ui
from clipgrip.errors import ConfigError, nearest
from clipgrip.files import utf8_bytes
from clipgrip.sentences import Sentence, combined

DEMOS = {"demo": "digits", "digits": "digits", "surfaces": "surfaces"}


def stress(
    ui: Ui,
    data: Annotated[
        str,
        typer.Argument(
            help="demo (the digits), surfaces, or a folder or table of images with --classes and --labels."
        ),
    ] = "demo",
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("clipgrip-stress"),
    classes: Annotated[Path | None, Setting()] = None,
    labels: Annotated[
        Path | None, option("The truth of the images: CSV path,label, or class folders.")
    ] = None,
    test: Annotated[
        Path | None, option("Images to measure on; else three in ten of the labeled.")
    ] = None,
    template: Annotated[
        str | None, option('Text around a class name.  [default: "a photo of a {}."]')
    ] = None,
    repeats: Annotated[
        int, typer.Option(help="How often everything is tried: seeds 0, 1, ...", min=1)
    ] = 2,
    encoding: Encoding = None,
    *,
    backbone: Annotated[str, Setting()],
) -> Result:
    """Plant wrong pseudolabels, 0 to 60%, and see which selection rules stand it.

    Writes results.csv, results.json and stress.html. Run it again to go on where it was stopped, or with more seeds.
    """
    given: dict[str, Any] = {"classes": classes, "labels": labels, "test": test}
    from clipgrip.bench.stress import STRESS, check_place
    from clipgrip.bench.stress import stress as run_stress
    from clipgrip.report.stress import build_stress
    from clipgrip.written import write_dated

    check_place(out)
    screen = ui.screen
    wanted = _input(data, out, given, backbone=backbone, template=template, encoding=encoding)
    with screen.live():
        results = run_stress(wanted, out, repeats, screen)
    html = utf8_bytes(build_stress(results, ui.language))
    page = write_dated(out / "stress.html", html, STRESS, screen.note)
    lines = [
        summary(results),
        Sentence("results      {out}", out=out / "results.csv"),
        Sentence("report       {page}", page=page),
    ]
    return Result(lines, results)


def _input(
    data: str,
    out: Path,
    given: dict[str, Any],
    *,
    backbone: str,
    template: str | None,
    encoding: str | None,
) -> Any:
    """A demo set where ``data`` names one, else the files given."""
    from clipgrip.bench.stress import DATA, StressInput
    from clipgrip.cli.demo import TEMPLATES
    from clipgrip.data import samples
    from clipgrip.prompts.templates import check_template

    if template is not None:
        check_template(template)
    if data in DEMOS and not any(given.values()):
        name = DEMOS[data]
        sample = getattr(samples, name)(out / DATA / name)
        files = {"classes": sample.classes, "labels": sample.truth, "test": sample.test}
        words = template or TEMPLATES[name]
        return StressInput(sample.images, **files, backbone=backbone, template=words)
    if not Path(data).exists():
        raise ConfigError(
            "{data}: neither a file or folder nor a demo set. Demo sets: {demos}.{nearest}",
            data=data,
            demos=", ".join(DEMOS),
            nearest=nearest(data, DEMOS),
        )
    for missing in ("classes", "labels"):
        if given[missing] is None:
            raise ConfigError(
                "a stress test of {data} needs --{option}: it plants noise in what it knows to be right. "
                "Give it, or take a demo set: {demos}.",
                data=data,
                option=missing,
                demos=", ".join(DEMOS),
            )
    words = template or "a photo of a {}."
    return StressInput(Path(data), **given, backbone=backbone, template=words, encoding=encoding)


def summary(results: dict[str, Any]) -> str:
    """Accuracy without noise and at the highest noise, of each rule, best first."""
    from clipgrip.report.stress import gone, standing

    lines: list[str] = [
        "",
        Sentence("rule, accuracy without noise, accuracy with the most noise:"),
    ]
    lines += [
        f"{rule:<16} {100 * least:>8.1f}% {100 * most:>10.1f}%"
        for rule, least, most in standing(results)
    ]
    measured = Sentence(
        "Test accuracy, mean of {seeds} seeds, most noise over its three kinds. Zero-shot, untouched by any: {zero}%.",
        seeds=results["seeds"],
        zero=f"{100 * results['zero_shot']:.1f}",
    )
    return combined([*lines, measured, *gone(results), ""], "\n")
