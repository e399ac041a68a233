"""What is known of a published data set, and the reading of the folder that a user downloaded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from clipgrip.errors import DataError

Part = Literal["pool", "test", ""]
Listed = tuple[str, str, Part]
"""Path relative to the images, class name, and the official part; "" where there is no official split."""


@dataclass(frozen=True)
class Listing:
    """The images of a set as its own files list them."""

    images: Path
    files: tuple[Listed, ...]


@dataclass(frozen=True)
class KnownSet:
    """A data set of the paper: how its texts are made, where it comes from, how its folder is read."""

    name: str
    title: str
    template: str
    classes: tuple[str, ...]
    images: int
    """How many the complete set has."""
    source: str
    read: Callable[[Path, Path], Listing]
    """(downloaded folder, folder for what must be unpacked) -> listing."""

    def listing(self, folder: Path, work: Path) -> Listing:
        """The listing, checked: every listed file is there, every class is known and has images.

        Raises:
            DataError: the folder is not this set, or a part of it is missing.
        """
        listing = self.read(folder, work)
        known, found = set(self.classes), {label for _, label, _ in listing.files}
        if found != known:
            wrong = ", ".join(sorted(found ^ known)[:5])
            raise DataError(
                f"{folder} is not the complete {self.title}: its classes differ ({wrong}). "
                f"Download it again: {self.source}"
            )
        missing = [path for path, _, _ in listing.files if not (listing.images / path).is_file()]
        if missing:
            raise DataError(
                f"{folder}: {len(missing)} of {len(listing.files)} images of {self.title} are missing, the first is "
                f"{listing.images / missing[0]}. Download and unpack it again: {self.source}"
            )
        return listing


def needed(folder: Path, *parts: str, source: str) -> Path:
    """A file or folder that must be there.

    Raises:
        DataError: it is not.
    """
    path = folder.joinpath(*parts)
    if not path.exists():
        raise DataError(f"{path} is missing. Download it and put it there: {source}")
    return path


def class_folders(
    folder: Path, classes: Sequence[str], folder_name: Callable[[str], str], source: str
) -> Listing:
    """One folder per class and no official split."""
    files: list[Listed] = []
    for name in classes:
        own = needed(folder, folder_name(name), source=source)
        images = sorted(
            path
            for path in own.iterdir()
            if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".tif")
        )
        files += [(path.relative_to(folder).as_posix(), name, "") for path in images]
    return Listing(folder, tuple(files))


def listed(text: str) -> tuple[str, ...]:
    """Names between semicolons."""
    return tuple(" ".join(name.split()) for name in text.split(";"))
