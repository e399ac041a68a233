"""Guesses the layout of a folder for ``clipgrip init``: where images lie, and which folders are classes or splits."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clipgrip.data.portable import named_otherwise
from clipgrip.data.splitnames import split_folders


@dataclass(frozen=True)
class Layout:
    """Folders relative to the one that was searched, with ``/``."""

    images: str
    """``.`` where images or class folders lie in the folder itself; ``images`` where no images exist yet."""
    classes: tuple[str, ...]
    """Names of at least two folders that hold images and may be classes; else empty."""
    test: str | None = None
    """The folder of the test split."""


def layout(folder: Path) -> Layout:
    """The layout of a folder, which need not exist."""
    images = _image_folder(folder)
    splits = split_folders(folder / images)
    inside, test = (
        ("/".join(part for part in (images, splits[key]) if part != ".") if key in splits else None)
        for key in ("train", "test")
    )
    return Layout(inside or images, tuple(class_folders(folder / images)), test)


def class_folders(images: Path) -> list[str]:
    """Names of at least two folders that hold images and may be classes; else empty.

    Folders at the top, else the innermost ones, as in ``lot1/scratch``; of one without a letter in its name, such as a
    number, the nearest folder around it that has one. Folders of an export have the class names of its table.
    """
    if not images.is_dir():
        return []
    if splits := split_folders(images):
        images = images / splits["train"]
    otherwise = named_otherwise(images)
    if len(top := _at_top(images)) > 1:
        return sorted(otherwise.get(name, name) for name in top)
    names = sorted({_name(images, folder) for folder in _with_images(images)} - {""})
    return names if len(names) > 1 else []


def _image_folder(folder: Path) -> str:
    """Where the images lie: in the folder itself, or in its sub-folder ``images`` or its only one."""
    inside = [path.name for path in _folders(folder)]
    if folder.is_dir() and (_holds_images(folder) or len(_at_top(folder)) > 1):
        return "."
    if split_folders(folder):
        return "."
    if "images" in inside or not inside:
        return "images"
    return inside[0] if len(inside) == 1 else "." if class_folders(folder) else "images"


def _at_top(images: Path) -> list[str]:
    return [path.name for path in _folders(images) if _holds_images(path)]


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [p for p in sorted(folder.iterdir()) if p.is_dir() and not p.name.startswith(".")]


def _with_images(folder: Path) -> Iterator[Path]:
    """Every folder below ``folder`` that holds images; links are not followed."""
    for place, folders, _ in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if place != str(folder) and _holds_images(Path(place)):
            yield Path(place)


def _name(root: Path, folder: Path) -> str:
    parts = folder.relative_to(root).parts
    return next((part for part in reversed(parts) if any(c.isalpha() for c in part)), "")


def _holds_images(folder: Path) -> bool:
    from clipgrip.data.images import may_be_image  # imports Pillow, so only where it is needed

    files = (path for path in sorted(folder.iterdir()) if not path.name.startswith("."))
    return any(may_be_image(str(path)) for path in files)
