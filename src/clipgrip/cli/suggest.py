"""clipgrip labels suggest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clipgrip.cli.arguments import Encoding, check_named, option
from clipgrip.cli.options import Setting
from clipgrip.cli.sheets import gone_lines
from clipgrip.cli.ui import Result, Ui
from clipgrip.errors import ConfigError, DataError
from clipgrip.sentences import Sentence, mark, quoted

if TYPE_CHECKING:
    from clipgrip.backbone.base import Eye, Model
    from clipgrip.data.classes import ClassNames
    from clipgrip.labeling.suggest import Suggestions
    from clipgrip.prompts.templates import Template
    from clipgrip.runs.audit_sheet import Sheet

AUDIT = Path("audit.csv")
"""Where ``clipgrip audit draw`` writes its sheet unless told otherwise."""


def suggest(
    ui: Ui,
    where: Annotated[
        Path,
        typer.Argument(
            metavar="images_or_run",
            help="Folder of images, a CSV or Parquet file that lists them, or the folder of a finished run.",
        ),
    ],
    count: Annotated[
        int, typer.Option("-n", "--count", min=1, help="How many images you will label.")
    ] = 30,
    classes: Annotated[
        Path | None,
        option(
            "Class names: one a line, or CSV name,prompt. With them, what the model doubts comes first."
        ),
    ] = None,
    labels: Annotated[Path | None, option("Known labels, not asked again: CSV path,label.")] = None,
    test: Annotated[Path | None, option("Images to measure on, never suggested.")] = None,
    audit: Annotated[
        list[Path] | None,
        option(
            "Sheet of clipgrip audit draw, whose images are never suggested.  [default: audit.csv if it is here]"
        ),
    ] = None,
    template: Annotated[list[str] | None, Setting()] = None,
    backbone: Annotated[str | None, Setting()] = None,
    eye: Annotated[list[str] | None, Setting()] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of the sample that stands for very many images.")
    ] = 0,
    ignore_folders: Annotated[bool, Setting()] = False,
    encoding: Encoding = None,
    out: Annotated[Path, typer.Option(help="Where to write the sheet.")] = Path("suggest.csv"),
) -> Result:
    """Choose the images whose labels say most, as a CSV sheet to fill.

    For a folder: typical and diverse images, or with --classes those that the model doubts. For a finished run: those
    whose labels help it most. Of a model that knows nothing of the classes: typical ones. They are no random sample: to
    prove a rate, use clipgrip audit draw.
    """
    from clipgrip.data.classes import ClassNames
    from clipgrip.labeling.suggest import SUGGEST, from_images, write_suggestions
    from clipgrip.prompts.templates import DEFAULT_TEMPLATE
    from clipgrip.review.to_label import from_run
    from clipgrip.runs.store import NAME as RUN
    from clipgrip.template_files import expand
    from clipgrip.written import check_table

    more = {"classes": classes, "labels": labels, "test": test, "template": template, "backbone": backbone}  # fmt: skip
    more["eye"] = eye
    if is_run := (where / RUN).is_file():
        _check_alone(where, more)
    else:
        check_named(classes, labels=labels, test=test, template=template)
    if out.is_file():
        raise ConfigError("{out} exists, perhaps with labels in it. Give another --out.", out=out)
    check_table(out, SUGGEST)
    sheets, screen = _sheets(audit, encoding), ui.screen
    if is_run:
        with screen.live():
            found = from_run(where, count, audits=sheets, seed=seed, listener=screen)
    else:
        names = ClassNames.read(classes, encoding) if classes else None
        texts: Template = expand(template, encoding) if template else DEFAULT_TEMPLATE
        model, names, texts = _model(where, backbone, names, texts)
        eyes = _eyes(where, tuple(eye or ()), model)
        more["classes"] = classes or ("FILE" if names is None else None)
        with screen.live():
            found = from_images(
                where, count, model, classes=names, labels=labels, test=test, template=texts, eyes=eyes,
                audits=sheets, seed=seed, encoding=encoding, ignore_folders=ignore_folders, listener=screen,
            )  # fmt: skip
    write_suggestions(out, found, ui.say)
    then = _command(where, is_run, more, _plain(ignore_folders, encoding), out)
    facts = {"suggested": len(found.rows), "pool": found.pool, "sheet": out, "then": then}
    return Result(
        [*summary_lines(found, count, out), Sentence("Then:    {then}", then=then)], facts
    )


def _model(
    where: Path, backbone: str | None, names: ClassNames | None, texts: Template
) -> tuple[Model, ClassNames | None, Template]:
    """The model with its classes and templates; of a file of embeddings what it brings itself."""
    from clipgrip.backbone.registry import load_backbone
    from clipgrip.data.embeddings import is_embeddings
    from clipgrip.runs.precomputed import TEMPLATE, classes_in, precomputed_model

    if not is_embeddings(where):
        return load_backbone(backbone or "nano", engine="auto"), names, texts
    names = names or classes_in(where)
    return precomputed_model(where, names), names, TEMPLATE


def _eyes(where: Path, named: tuple[str, ...], model: Model) -> tuple[Eye, ...]:
    """What sees the images beside the model, as in a run; ConfigError where it is the model, or there are no images."""
    from clipgrip.backbone.eyes import named_eyes
    from clipgrip.backbone.precomputed import PrecomputedModel
    from clipgrip.config import Settings
    from clipgrip.runs.eyes import eyes_of
    from clipgrip.runs.precomputed import NEEDS_IMAGES

    if isinstance(model, PrecomputedModel):
        if named:
            raise ConfigError(NEEDS_IMAGES, file=where, option="--eye")
        return tuple(model.eyes)
    return eyes_of(Settings(eye=named_eyes(named)), model)


def _plain(ignore_folders: bool, encoding: str | None) -> list[str]:
    """How images and tables are read, as options of the next command."""
    asked = ["--ignore-folders"] if ignore_folders else []
    return [*asked, f"--encoding {encoding}"] if encoding else asked


def _command(where: Path, is_run: bool, more: dict[str, Any], plain: list[str], out: Path) -> str:
    """What learns from the filled sheet, to copy: from nothing that this command was told to leave."""
    end = f"--labels {quoted(out)} --candidates all"
    if is_run:
        return Sentence("the same clipgrip run command with {end}", end=end)
    options = [
        f"--{name} {quoted(value)}"
        for name in ("classes", "test", "template", "backbone", "eye")
        for value in (more[name] if name in ("template", "eye") else [more[name]]) or ()
        if value
    ]
    return " ".join(["clipgrip run", quoted(where), *options, *plain, end])


def summary_lines(found: Suggestions, count: int, out: Path) -> list[str]:
    """What was chosen and what to do with it."""
    lines = [
        Sentence(
            "{n_rows} of {pool} images to label: {out}",
            n_rows=len(found.rows),
            pool=found.pool,
            out=out,
        )
    ]
    if len(found.rows) < count:
        lines.append(Sentence("the others look like these, are labeled already, or are kept apart"))
    if found.kept_apart:
        lines.append(
            Sentence(
                "{n} images were drawn for an audit and {n|is|are} kept apart",
                n=found.kept_apart,
            )
        )
    if found.answered:
        lines.append(
            Sentence(
                "{n} images were answered on the review page and {n|is|are} not asked again",
                n=found.answered,
            )
        )
    if found.known:
        text = mark("{n} known labels {n|stands|stand} below them, so that the sheet has all")
        lines.append(Sentence(text, n=len(found.known)))
    if found.classes:
        lines.append(Sentence("classes: {listing}", listing=found.classes.listing()))
    return [
        *lines,
        *gone_lines(found.rows),
        Sentence("Fill the column label with a class name; leave it empty where you cannot tell."),
    ]


def _sheets(audits: list[Path] | None, encoding: str | None) -> list[Sheet]:
    """The sheets that were named; else the one that lies where clipgrip audit draw writes it, if it is one."""
    from clipgrip.runs.audit_sheet import Sheet

    if audits is not None:
        return [Sheet.read(path, encoding) for path in audits]
    try:
        return [Sheet.read(AUDIT, encoding)] if AUDIT.is_file() else []
    except DataError:
        return []


def _check_alone(run: Path, more: dict[str, Any]) -> None:
    """A run has its own classes, labels and model."""
    for name, value in more.items():
        if value:
            raise ConfigError(
                "the run in {run} has its own {name}. Leave --{name} away, or give the folder of images.",
                run=run,
                name=name,
            )
