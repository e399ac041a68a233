"""clipgrip audit plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from clipgrip.cli.arguments import By, Encoding, OkClass, argument, option
from clipgrip.cli.options import Setting
from clipgrip.cli.plan_lines import draw_from, drawing_lines
from clipgrip.cli.ui import Result, Ui
from clipgrip.clock import now
from clipgrip.errors import ConfigError
from clipgrip.files import utf8_bytes
from clipgrip.sentences import Sentence
from clipgrip.words import mark

if TYPE_CHECKING:
    from clipgrip.pilot.criteria import Criterion
    from clipgrip.pilot.plan import Need, Pilot, Plan
    from clipgrip.pilot.store import Version

PURPOSES = (
    mark("precision"),
    mark("class precision"),
    mark("accuracy"),
    mark("misses"),
    mark("overkill"),
    mark("automated"),
    mark("payback"),
)
"""What a number of images is for, as criteria are called."""


Rule = Literal["proven", "estimate"]


def _said_need(need: Need) -> Sentence:
    """What one purpose asks for."""
    truth: str = ""
    if need.truth is not None:
        truth = Sentence(", if the truth is {truth}%", truth=f"{100 * need.truth:g}")
    width: str = ""
    if need.half_width is not None:
        width = Sentence(" ±{points} points", points=f"{100 * need.half_width:g}")
    images = (
        Sentence("no number of images is enough")
        if need.images is None
        else Sentence("{n} images", n=need.images)
    )
    purpose = Sentence(need.purpose)
    return Sentence(
        "  {purpose}{width}: {images}{truth}",
        purpose=purpose,
        width=width,
        images=images,
        truth=truth,
    )


def plan(
    ui: Ui,
    source: Annotated[
        Path | None, argument("A folder of images, or a run: classes and images are counted there.")
    ] = None,
    classes: Annotated[Path | None, Setting()] = None,
    count: Annotated[int | None, option("Images expected in the pilot.", "-n", "--count")] = None,
    precision: Annotated[
        float, typer.Option(help="Half width of the accuracy's 95% interval.")
    ] = 0.05,
    class_precision: Annotated[float | None, option("The same for each class.")] = None,
    accuracy: Annotated[
        str | None,
        option(
            "Share answered right, at least; with conditions down to EDGE, as in 0.9:0.85.",
            metavar="LIMIT[:EDGE]",
        ),
    ] = None,
    misses: Annotated[
        str | None,
        option(
            "Share of the parts that are not OK answered as OK, at most.", metavar="LIMIT[:EDGE]"
        ),
    ] = None,
    overkill: Annotated[
        str | None,
        option("Share of the OK parts answered as not OK, at most.", metavar="LIMIT[:EDGE]"),
    ] = None,
    automated: Annotated[
        str | None,
        option("Share of the images that the model decides, at least.", metavar="LIMIT[:EDGE]"),
    ] = None,
    max_error: Annotated[
        float, typer.Option(help="Largest share of errors in what the model decides.")
    ] = 0.02,
    payback: Annotated[str | None, option("Months, at most.", metavar="LIMIT[:EDGE]")] = None,
    ok_class: OkClass = None,
    rule: Annotated[
        Rule,
        typer.Option(
            help="proven: the worse end of the interval has to reach the limit; estimate: the share."
        ),
    ] = "proven",
    expect: Annotated[float | None, option("Accuracy that is hoped for.")] = None,
    share: Annotated[
        list[str] | None,
        option(
            "Assumed share of a class; the others have the rest in equal parts.",
            metavar="CLASS=SHARE",
        ),
    ] = None,
    seconds: Annotated[float, typer.Option(help="Assumed seconds for an answer.")] = 5.0,
    by: By = "",
    encoding: Encoding = None,
    revise: Annotated[str, option("Why the criteria change: adds a dated version.")] = "",
    out: Annotated[Path, typer.Option(help="Where the plan is kept.")] = Path("pilot.json"),
) -> Result:
    """Plan a pilot before it starts: images to answer, chances of yes and no, criteria that stay.

    Writes pilot.json once, and a page to print. clipgrip report RUN --for board --pilot pilot.json judges by it.
    LIMIT gives yes, up to EDGE gives yes with conditions, beyond gives no.
    """
    from clipgrip.pilot.plan import Pilot
    from clipgrip.pilot.plan import plan as worked_out
    from clipgrip.written import check_writable

    check_writable(out.parent)
    names, number = _counted(source, classes, count, encoding)
    given = {"accuracy": accuracy, "misses": misses, "overkill": overkill, "payback": payback}
    wanted = Pilot(
        classes=names,
        images=number,
        precision=precision,
        criteria=_criteria({**given, "automated": automated}, max_error),
        ok_classes=_names(ok_class or []),
        class_precision=class_precision,
        shares=_shares(share or []),
        expected=expect,
        seconds=seconds,
        rule=rule,
    )
    more = {"by": by, "reason": revise}
    return _write(wanted, worked_out(wanted), out, more, draw_from(source), ui)


def _write(
    wanted: Pilot, worked: Plan, out: Path, more: dict[str, str], draws: str, ui: Ui
) -> Result:
    from clipgrip.pilot.store import write_version
    from clipgrip.report.board.pilot_page import build_pilot
    from clipgrip.written import write_dated

    pages = []

    def draw(version: Version) -> None:
        html = build_pilot(version, worked, ui.language)
        target = out.with_name(version.file).with_suffix(".html")
        data = utf8_bytes(html)
        pages.append(write_dated(target, data, "pilot", ui.screen.note))

    made = now()
    version = write_version(out, wanted, worked, made=made, before=draw, **more)
    plan_file, page = out.with_name(version.file), pages[0]
    lines = [
        *summary(version, worked, draws),
        Sentence("kept         {kept}  (version {number})", kept=plan_file, number=version.number),
        Sentence("page         {page}", page=page),
    ]
    facts = {"pilot": plan_file, "version": version.number, "page": page, "plan": asdict(worked)}
    return Result(lines, facts)


def summary(version: Version, worked: Plan, draws: str) -> list[str]:
    """The lines that a person reads; ``draws`` begins the command that draws the images."""
    wanted = version.pilot
    lines: list[str] = [
        Sentence(
            "answer {images} of {all} images, drawn at random: about {minutes} minutes at "
            "{seconds} seconds for an answer (assumed)",
            images=worked.images,
            all=wanted.images,
            minutes=f"{worked.minutes:.0f}",
            seconds=f"{wanted.seconds:g}",
        )
    ]
    lines += [_said_need(need) for need in worked.needs]
    lines += drawing_lines(wanted, worked, draws)
    for name, ones in worked.chances.items():
        lines += [
            Sentence(
                "  {name}: if the truth is {truth}%, yes {yes}%, with conditions {conditions}%, no {no}%",
                name=Sentence(name),
                truth=f"{100 * one.truth:g}",
                yes=f"{100 * one.yes:.0f}",
                conditions=f"{100 * one.conditions:.0f}",
                no=f"{100 * one.no:.0f}",
            )
            for one in ones
        ]
    return lines


def _counted(
    source: Path | None, classes: Path | None, images: int | None, encoding: str | None
) -> tuple[tuple[str, ...], int]:
    """Class names and number of images, as given, else as found in the source."""
    from clipgrip.data.classes import ClassNames

    found: tuple[tuple[str, ...], int] = ((), 0) if source is None else _in_source(source)
    names = found[0] if classes is None else ClassNames.read(classes, encoding).display
    number = images if images is not None else found[1]
    if not names:
        raise ConfigError(mark("a pilot needs the class names. Give --classes FILE, or a run."))
    if not number:
        raise ConfigError(
            mark(
                "a pilot needs the number of images expected. Give --count N, or a folder to count."
            )
        )
    return names, number


def _criteria(given: Mapping[str, str | None], max_error: float) -> tuple[Criterion, ...]:
    from clipgrip.pilot.criteria import NAMES, Criterion

    return tuple(
        Criterion.of(name, text, max_error if name == "automated" else None)
        for name in NAMES
        if (text := given[name]) is not None
    )


def _names(names: list[str]) -> tuple[str, ...]:
    from clipgrip.data.classes import canonical

    return tuple(dict.fromkeys(canonical(name) for name in names))


def _shares(texts: list[str]) -> dict[str, float]:
    from clipgrip.data.classes import canonical

    shares = {}
    for text in texts:
        name, _, value = text.rpartition("=")
        try:
            shares[canonical(name)] = float(value)
        except ValueError:
            raise ConfigError(
                '--share "{given}": write CLASS=SHARE, as in "OK part=0.9".', given=text
            ) from None
    return shares


def _in_source(source: Path) -> tuple[tuple[str, ...], int]:
    """Class names and number of images of a run, or of a folder with a folder for each class."""
    from clipgrip.data.discover import discover
    from clipgrip.data.layout import class_folders
    from clipgrip.runs.store import NAME, open_store

    if (source / NAME).is_file():
        with open_store(source) as store:
            run = store.run()
            if run is not None:
                manifest = store.manifest(run.id)
                return manifest.classes.display, len(manifest.pool)
    count = sum(_is_image(entry.source) for entry in discover(source).entries)
    return tuple(class_folders(source)), count


def _is_image(source: Any) -> bool:
    from clipgrip.data.images import may_be_image
    from clipgrip.data.sources import FileSource

    return may_be_image(source.path) if isinstance(source, FileSource) else True
