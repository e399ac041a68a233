"""clipgrip init."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clipgrip.cli.ui import Result


def init(
    folder: Annotated[
        Path, typer.Argument(help="Folder of the project; images in it are found.")
    ] = Path(),
) -> Result:
    """Write project.toml and classes.csv for what a folder holds; files that are there stay as they are."""
    from clipgrip.cli.project_file import project_text
    from clipgrip.errors import DataError
    from clipgrip.written import check_writable

    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder} is a file. Give a folder.")
    check_writable(folder)
    folder.mkdir(parents=True, exist_ok=True)
    images = _image_folder(folder)
    names = class_folders(folder / images)
    text = project_text({"images": images, "classes": "classes.csv", "out": "clipgrip-run"})
    files = {"classes.csv": classes_csv(names), "project.toml": text.encode()}
    written = {name: _write_new(folder / name, data) for name, data in files.items()}
    lines = [f"{'wrote' if new else 'kept':<8} {folder / name}" for name, new in written.items()]
    facts = {"folder": folder, "images": images, "classes": names, "written": written}
    return Result([*lines, *_say_next(folder, names)], facts)


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


def _write_new(path: Path, data: bytes) -> bool:
    """Whether it was written; a file that is there stays."""
    from clipgrip.files import write_bytes_once

    try:
        write_bytes_once(path, data)
    except FileExistsError:
        return False
    return True


def _say_next(folder: Path, names: list[str]) -> list[str]:
    from clipgrip.data.glossary import is_japanese, proposed

    lines: list[str] = []
    foreign = [name for name in names if is_japanese(name)]
    if foreign:
        missing = [name for name in foreign if proposed(name) is None]
        lines.append(
            f"Most models read only English: the glossary proposed words for {len(foreign) - len(missing)} "
            f"of {len(foreign)} Japanese names, in the column prompt."
        )
        if missing:
            lines.append(f"Write English words for: {', '.join(missing)}")
    if names:
        lines.append(
            f"Classes were taken from {len(names)} folder names; check them, and their English prompt texts."
        )
    else:
        lines.append(
            "Write your classes into classes.csv: the name people use, and a few English words for the model."
        )
    return [*lines, f"Then:    clipgrip run --config {folder / 'project.toml'}"]
