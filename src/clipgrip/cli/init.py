"""clipgrip init."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

PROJECT = """\
# A clipgrip project. Start it with:  clipgrip run --config project.toml
# Paths are relative to this file.

images = {images}          # a folder (read to the bottom), or a CSV or Parquet file that lists images
classes = "classes.csv"    # name,prompt: what people read, and the English words that the model reads
out = "clipgrip-run"

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
) -> None:
    """Write project.toml and classes.csv for what a folder holds; files that are there stay as they are."""
    from clipgrip.cli.screen import utf8_output
    from clipgrip.errors import DataError
    from clipgrip.written import check_writable

    utf8_output()
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder} is a file. Give a folder.")
    check_writable(folder)
    folder.mkdir(parents=True, exist_ok=True)
    images = _image_folder(folder)
    names = class_folders(folder / images)
    _write_new(folder / "classes.csv", classes_csv(names))
    text = PROJECT.format(images=json.dumps(images, ensure_ascii=False), backbone="nano", test="")
    _write_new(folder / "project.toml", text.replace("\n\n\n", "\n\n").encode())
    _say_next(folder, names)


def class_folders(images: Path) -> list[str]:
    """Names of the folders that hold images, two at least; they may be classes."""
    from clipgrip.data.splitnames import split_folders

    if not images.is_dir():
        return []
    if splits := split_folders(images):
        images = images / splits["train"]
    folders = (path for path in images.iterdir() if path.is_dir())
    names = sorted(path.name for path in folders if _holds_images(path))
    return names if len(names) > 1 else []


def _image_folder(folder: Path) -> str:
    """``images`` or the only sub-folder where there is one; the folder itself where images lie in it."""
    if _holds_images(folder) or class_folders(folder):
        return "."
    inside = (
        [entry.name for entry in sorted(folder.iterdir()) if entry.is_dir()]
        if folder.exists()
        else []
    )
    return inside[0] if len(inside) == 1 else "images"


def _holds_images(folder: Path) -> bool:
    from clipgrip.data.images import may_be_image

    files = (path for path in sorted(folder.iterdir()) if not path.name.startswith("."))
    return any(may_be_image(str(path)) for path in files)


def classes_csv(names: list[str]) -> bytes:
    """A table of the classes with what the model reads, from the glossary for Japanese; an example without any."""
    from clipgrip.data.classes import prompt_text
    from clipgrip.data.glossary import proposed
    from clipgrip.data.tables import csv_bytes

    rows = [(name, proposed(name) or prompt_text(name)) for name in names] or [
        ("OK", "flawless part"),
        ("scratch", "scratched part"),
    ]
    return csv_bytes(("name", "prompt"), rows)


def _write_new(path: Path, data: bytes) -> None:
    from clipgrip.files import write_bytes_once

    try:
        write_bytes_once(path, data)
    except FileExistsError:
        typer.echo(f"kept     {path}")
    else:
        typer.echo(f"wrote    {path}")


def _say_next(folder: Path, names: list[str]) -> None:
    from clipgrip.data.glossary import is_japanese, proposed

    foreign = [name for name in names if is_japanese(name)]
    if foreign:
        missing = [name for name in foreign if proposed(name) is None]
        typer.echo(
            f"Most models read only English: the glossary proposed words for {len(foreign) - len(missing)} "
            f"of {len(foreign)} Japanese names, in the column prompt."
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
    typer.echo(f"Then:    clipgrip run --config {folder / 'project.toml'}")
