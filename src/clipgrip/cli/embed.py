"""clipgrip embed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clipgrip.cli.arguments import Encoding, check_named, option
from clipgrip.cli.options import Setting
from clipgrip.cli.ui import Result, Ui
from clipgrip.sentences import Sentence
from clipgrip.words import Words, mark

if TYPE_CHECKING:
    from clipgrip.data.issues import Issues

EMBED = "embed"
WRONG_ENDING = mark(
    "{path} will be a file of NumPy arrays. Give --out a name that ends with .npz, such as {stem}.npz."
)


def embed(
    ui: Ui,
    images: Annotated[
        Path, typer.Argument(help="Folder of images, one image, or a CSV or Parquet file.")
    ],
    classes: Annotated[
        Path | None,
        option(
            "Class names: one a line, or CSV name,prompt. With them, their embeddings and known labels are "
            "written too."
        ),
    ] = None,
    labels: Annotated[Path | None, Setting()] = None,
    test: Annotated[Path | None, Setting()] = None,
    backbone: Annotated[str, Setting()] = "nano",
    eye: Annotated[list[str] | None, Setting()] = None,
    template: Annotated[list[str] | None, Setting()] = None,
    ignore_folders: Annotated[bool, Setting()] = False,
    encoding: Encoding = None,
    out: Annotated[Path, typer.Option(help="Where to write the embeddings.")] = Path(
        "embeddings.npz"
    ),
) -> Result:
    """Write the embeddings of images as a file of arrays, which clipgrip run takes in their place.

    Files that cannot be used are listed beside it, in a file that ends with .issues.csv.
    """
    from clipgrip.backbone.eyes import load_eye, named_eyes
    from clipgrip.backbone.registry import load_backbone
    from clipgrip.cli.results import remarks
    from clipgrip.data.classes import ClassNames
    from clipgrip.data.ingest import ingest
    from clipgrip.data.issues import UNUSED, Issues
    from clipgrip.labeling.suggest import names_in
    from clipgrip.prompts.templates import DEFAULT_TEMPLATE
    from clipgrip.runs.export import export
    from clipgrip.template_files import expand
    from clipgrip.written import write_output

    check_named(classes, labels=labels, test=test, template=template)
    beside = _free_place(out, images)
    names = ClassNames.read(classes, encoding) if classes else names_in(images)
    texts = None if classes is None else expand(template or DEFAULT_TEMPLATE, encoding)
    model = load_backbone(backbone, engine="auto")
    eyes = [load_eye(one) for one in named_eyes(tuple(eye or ()))]
    screen = ui.screen
    with screen.live():
        found = ingest(
            images, classes=names, labels=labels, test=test, encoding=encoding,
            folders=classes is not None and not ignore_folders,
            on_progress=lambda done, total: screen.progress("hash", done, total),
        )  # fmt: skip
        made = export(found.manifest, model, eyes, template=texts, place=out, listener=screen)
    write_output(out, made.npz(), EMBED)
    left = Issues(found.issues, made.issues).among(UNUSED)
    _list_in(beside, left, screen.note, ui.say)
    banks = ", ".join(made.banks)
    lines: list[str] = [
        Sentence("{n} images embedded by {banks}: {out}", n=made.images, banks=banks, out=out)
    ]
    if left:
        counted = remarks(len(left), ui.say)
        lines.append(Sentence("{counted}: {path}", counted=counted, path=beside))
    facts = {"images": made.images, "banks": list(made.banks), "embeddings": out}
    return Result(lines, {**facts, "not_used": len(left)})


def _free_place(out: Path, images: Path) -> Path:
    """Where the files that cannot be used are listed; an error where neither may be written."""
    from clipgrip.errors import RunError
    from clipgrip.written import check_output

    if out.suffix.lower() != ".npz":
        raise RunError(WRONG_ENDING, path=out, stem=out.stem)
    beside = out.with_suffix(".issues.csv")
    for place in (out, beside):
        check_output(place, EMBED, reads=(images,))
    return beside


def _list_in(beside: Path, left: Issues, note: Callable[[str], None], say: Words) -> None:
    """Every file that was not used, beside the embeddings; a list of an earlier call goes. Three are named at once."""
    from clipgrip.data.issues import issues_bytes
    from clipgrip.written import remove_output, write_output

    if left:
        write_output(beside, issues_bytes(left, say), EMBED)
    else:
        remove_output(beside, EMBED)
    for one in left[:3]:
        note(Sentence("{path}: {detail}.", path=one.path, detail=one.detail))
