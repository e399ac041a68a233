"""clipgrip init."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clipgrip.cli.encoding import Encoding
from clipgrip.data.layout import class_folders as class_folders

if TYPE_CHECKING:
    from clipgrip.data.layout import Layout

NOT_IGNORED = "# ignore_folders = true   # folders named like classes are not taken as labels"
PROJECT = """\
# A clipgrip project. Start it with:  clipgrip run --config project.toml
# Paths are relative to this file.

images = {images}          # a folder (read to the bottom), or a CSV or Parquet file that lists images
classes = "classes.csv"    # name,prompt: what people read, and the English words that the model reads
out = "clipgrip-run"

{folders}
# labels = "labels.csv"    # path,label: known labels; for each class a few, or for some classes all
# test = "test.csv"        # path,label: images to measure on; never learned from
{test}
backbone = "{backbone}"
# backbone = "openai/clip-vit-base-patch32"   # recommended for photographs; see: clipgrip models
template = "a photo of a {{}}."   # or several: ["a photo of a {{}}.", ...], or "@templates.txt", one a line
strategy = "grip"          # zero-shot, supervised, fpl, ifpl or grip
preset = "default"         # or "paper": the constants of the NeurIPS 2023 paper
# rounds = 10
# k = 16                   # take only the surest of each class: k, in grip growing to k
seed = 0

# [refinement]             # numbers of the refinement (clipgrip.Refinement); they make another run
# neighbours = 3
"""


def init(
    folder: Annotated[
        Path, typer.Argument(help="Folder of the project; images in it are found.")
    ] = Path(),
    encoding: Encoding = None,
) -> None:
    """Write project.toml and classes.csv for what a folder holds; files that are there stay as they are.

    Folders of images that are named like classes are labels, and the project says how many. On a terminal you are
    asked for English words for class names that most models cannot read.
    """
    from clipgrip.cli.screen import utf8_output
    from clipgrip.data.layout import layout
    from clipgrip.errors import DataError
    from clipgrip.written import check_writable

    utf8_output()
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder} is a file. Give a folder.")
    check_writable(folder)
    folder.mkdir(parents=True, exist_ok=True)
    found = layout(folder)
    names, words = list(found.classes), {}
    if not (folder / "classes.csv").exists():
        words = _asked(names)
    _write_new(folder / "classes.csv", classes_csv(names, words))
    labels, said = _folders_said(folder, found.images, encoding)
    _write_new(folder / "project.toml", _project(found, labels, encoding).encode())
    _say_next(folder, names, words, said)


def _project(found: Layout, labels: str, encoding: str | None) -> str:
    """The text of project.toml; ``labels`` says how many images their folders label."""
    quoted = [json.dumps(place or "", ensure_ascii=False) for place in (found.images, found.test)]
    ignore = f"# {labels}\nignore_folders = false\n" if labels else NOT_IGNORED
    test = f"test = {quoted[1]}             # never learned from\n" if found.test else ""
    named = f'encoding = "{encoding}"         # of the text files\n' if encoding else ""
    text = PROJECT.format(images=quoted[0], backbone="nano", test=test + named, folders=ignore)
    return text.replace("\n\n\n", "\n\n")


def _folders_said(folder: Path, images: str, encoding: str | None) -> tuple[str, list[str]]:
    """How many images ``clipgrip run`` will take for labeled by their folders, and all sentences about folders."""
    from clipgrip.data.classes import ClassNames
    from clipgrip.data.discover import discover
    from clipgrip.data.foldernames import folder_labels
    from clipgrip.data.images import may_be_image
    from clipgrip.data.sources import FileSource
    from clipgrip.errors import ClipgripError
    from clipgrip.trust.folders import facts_of, folder_sentences
    from clipgrip.words import Words

    try:
        classes = ClassNames.read(folder / "classes.csv", encoding)
        entries = [
            one
            for one in discover(folder / images).entries
            if isinstance(one.source, FileSource) and may_be_image(one.source.path)
        ]
    except ClipgripError:  # of a person's own classes.csv, or no images yet: the run will say it
        return "", []
    named = folder_labels(entries, classes, apart=(), splits=())
    facts = facts_of(len(named.statements), len(entries), named.issues)
    said = folder_sentences(facts, Words("en"), "ignore_folders = true in project.toml")
    return said[0] if named.statements else "", said


def _asked(names: list[str]) -> dict[str, str]:
    """English words that a person gives for names which no glossary knows; on a terminal only."""
    missing = _unread(names)
    if not missing or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return {}
    typer.echo(
        "Most models read only English. What can be seen, in a few English words (Enter: later)?"
    )
    given = {name: typer.prompt(f"  {name}", default="", show_default=False) for name in missing}
    return {name: " ".join(text.split()) for name, text in given.items() if text.strip()}


def _unread(names: list[str]) -> list[str]:
    """Names in another script that the glossary has no words for."""
    from clipgrip.data.glossary import is_foreign, proposed

    return [name for name in names if is_foreign(name) and proposed(name) is None]


def classes_csv(names: list[str], words: Mapping[str, str] | None = None) -> bytes:
    """A table of the classes with what the model reads: ``words``, or the glossary's; an example without names."""
    from clipgrip.data.classes import prompt_text
    from clipgrip.data.glossary import proposed
    from clipgrip.data.tables import csv_bytes

    taken: set[str] = set()
    rows = []
    for name in names:
        text = (words or {}).get(name) or proposed(name) or prompt_text(name)
        text = prompt_text(name) if text.casefold() in taken else text  # two classes need two texts
        taken.add(text.casefold())
        rows.append((name, text))
    rows = rows or [("OK", "flawless part"), ("scratch", "scratched part")]
    return csv_bytes(("name", "prompt"), rows)


def _write_new(path: Path, data: bytes) -> None:
    from clipgrip.files import write_bytes_once

    try:
        write_bytes_once(path, data)
    except FileExistsError:
        typer.echo(f"kept     {path}")
    else:
        typer.echo(f"wrote    {path}")


def _say_next(folder: Path, names: list[str], words: Mapping[str, str], said: list[str]) -> None:
    from clipgrip.data.glossary import is_foreign

    foreign = [name for name in names if is_foreign(name)]
    missing = [name for name in _unread(names) if name not in words]
    if foreign:
        typer.echo(
            f"Most models read only English: the glossary proposed words for {len(foreign) - len(_unread(names))} "
            f"of {len(foreign)} names in another script; they stand in the column prompt of classes.csv."
        )
    if missing:
        typer.echo(f"Write English words for: {', '.join(missing)}")
    if names:
        typer.echo(
            f"Classes were taken from {len(names)} folder names; check them, and their English prompt texts."
        )
    else:
        typer.echo(
            "Write your classes into classes.csv: the name people use, and a few English words for the model."
        )
    for sentence in said:
        typer.echo(sentence)
    typer.echo(f"Then:    clipgrip run --config {folder / 'project.toml'}")
