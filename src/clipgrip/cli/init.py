"""clipgrip init."""

from __future__ import annotations

import json
from collections.abc import Callable
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
# k = 16                   # take only the surest of each class: k, in grip a growing number
seed = 0
"""


def init(
    folder: Annotated[
        Path, typer.Argument(help="Folder of the project; images in it are found.")
    ] = Path(),
) -> None:
    """Write project.toml and classes.csv for what a folder holds; files that are there stay as they are."""
    from clipgrip.cli.screen import utf8_output
    from clipgrip.errors import DataError
    from clipgrip.files import write_text_atomic

    utf8_output()
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder} is a file. Give a folder.")
    folder.mkdir(parents=True, exist_ok=True)
    images = _image_folder(folder)
    names = class_folders(folder / images)
    _write_new(folder / "classes.csv", lambda path: write_classes(path, names))
    text = PROJECT.format(images=json.dumps(images, ensure_ascii=False), backbone="nano", test="")
    _write_new(
        folder / "project.toml",
        lambda path: write_text_atomic(path, text.replace("\n\n\n", "\n\n")),
    )
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


def write_classes(path: Path, names: list[str]) -> None:
    """A table of the classes with what the model reads, or an example where there are none."""
    from clipgrip.data.classes import prompt_text
    from clipgrip.data.tables import write_csv

    rows = [(name, prompt_text(name)) for name in names] or [
        ("OK", "flawless part"),
        ("scratch", "scratched part"),
    ]
    write_csv(path, ("name", "prompt"), rows)


def _write_new(path: Path, write: Callable[[Path], None]) -> None:
    if path.exists():
        typer.echo(f"kept     {path}")
        return
    write(path)
    typer.echo(f"wrote    {path}")


def _say_next(folder: Path, names: list[str]) -> None:
    if names:
        typer.echo(
            f"Classes were taken from {len(names)} folder names; check them, and their English prompt texts."
        )
    else:
        typer.echo(
            "Write your classes into classes.csv: the name people use, and a few English words for the model."
        )
    typer.echo(f"Then:    clipgrip run --config {folder / 'project.toml'}")
