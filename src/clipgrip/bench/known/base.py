"""What is known of a published data set, and the reading of the folder that a user downloaded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from clipgrip.errors import DataError
from clipgrip.sentences import Sentence, shortlist

Part = Literal["pool", "test", ""]
Listed = tuple[str, str, Part]
"""Path relative to the images, class name, and the part a published split gives it; "" where there is none."""
SplitBy = Literal["official", "longitude", "list", "content"]
"""What says which images are the test: the set's own files, a published list by place or at random, or hashes."""
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")


@dataclass(frozen=True)
class Listing:
    """The images of a set as its own files list them."""

    images: Path
    files: tuple[Listed, ...]
    split_by: SplitBy = "official"


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
        """The listing, checked: as many images as published, every file there, every class known.

        DataError: the folder is not this set, or a part of it is missing.
        """
        listing = self.read(folder, work)
        counts = Counter(label for _, label, _ in listing.files)
        wrong = sorted(set(counts) ^ set(self.classes))
        if wrong:
            raise self._incomplete(
                folder, Sentence("its classes differ ({names})", names=shortlist(wrong))
            )
        missing = [path for path, _, _ in listing.files if not (listing.images / path).is_file()]
        if missing:
            first = listing.images / missing[0]
            raise self._incomplete(
                folder,
                Sentence(
                    "{n} of {all} images are missing, first {first}",
                    n=len(missing),
                    all=len(listing.files),
                    first=first,
                ),
            )
        if len(listing.files) != self.images:
            fewest = min(counts, key=counts.__getitem__)
            raise self._incomplete(
                folder,
                Sentence(
                    '{n} images instead of {wanted} (fewest in "{fewest}": {least})',
                    n=f"{len(listing.files):,}",
                    wanted=f"{self.images:,}",
                    fewest=fewest,
                    least=f"{counts[fewest]:,}",
                ),
            )
        return listing

    def _incomplete(self, folder: Path, why: Sentence) -> DataError:
        return DataError(
            "{folder} is not the complete {title}: {why}. Figures on it could not be compared. "
            "Download and unpack it again: {source}. For images of your own leave --set away.",
            folder=folder,
            title=self.title,
            why=why,
            source=self.source,
        )


def needed(folder: Path, *parts: str, source: str) -> Path:
    """A file or folder that must be there. DataError: it is not."""
    path = folder.joinpath(*parts)
    if not path.exists():
        raise DataError(
            "{path} is missing. Download it and put it there: {source}", path=path, source=source
        )
    return path


def folder_per_class(
    folder: Path, classes: Sequence[str], folder_name: Callable[[str], str], source: str
) -> tuple[Listed, ...]:
    """The images of one folder per class, in no part."""
    files: list[Listed] = []
    for name in classes:
        own = needed(folder, folder_name(name), source=source)
        images = sorted(path for path in own.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
        files += [(path.relative_to(folder).as_posix(), name, "") for path in images]
    return tuple(files)


def listed(text: str) -> tuple[str, ...]:
    """Names between semicolons."""
    return tuple(" ".join(name.split()) for name in text.split(";"))
