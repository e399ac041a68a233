"""What a grid runs on: every image with its truth, the test images held out first."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch

from clipgrip.bench.known import KNOWN, KnownSet
from clipgrip.bench.known.base import SplitBy
from clipgrip.bench.splits import hold_out
from clipgrip.data.classes import ClassNames
from clipgrip.data.hashing import Progress
from clipgrip.data.ingest import ingest
from clipgrip.data.issues import Issue, Issues
from clipgrip.data.manifest import Manifest
from clipgrip.data.portable import named_otherwise
from clipgrip.data.splitnames import split_folders
from clipgrip.data.tables import csv_bytes
from clipgrip.errors import DataError
from clipgrip.prompts.templates import DEFAULT_TEMPLATE
from clipgrip.types import Labels
from clipgrip.written import write_output


@dataclass(frozen=True)
class Source:
    """A manifest whose labels are the truth, the text around a class name, and what could not be used."""

    name: str
    manifest: Manifest
    template: str
    split_by: SplitBy = "content"
    """How the test images were told apart."""
    issues: Issues = field(default_factory=Issues, repr=False)

    @property
    def pool_truth(self) -> Labels:
        """(N,)."""
        return torch.from_numpy(self.manifest.labels[self.manifest.pool])

    @property
    def test_truth(self) -> Labels:
        """(n,)."""
        return torch.from_numpy(self.manifest.labels[self.manifest.test])


def from_folders(
    folder: Path,
    *,
    test_share: float,
    per_class: int | None = None,
    on_progress: Progress | None = None,
) -> Source:
    """Class folders: each folder is a class, each image in it is of that class.

    Where the folders are splits, the test folder, else the validation folder, is what is measured on. DataError: fewer
    than two class folders, or a class with fewer than two images.
    """
    if splits := split_folders(folder):
        return _from_splits(folder, splits, per_class, on_progress)
    names = folder_classes(folder)
    found = ingest(
        folder, classes=ClassNames.from_names(names), labels=folder, on_progress=on_progress
    )
    manifest = hold_out(_thinned(_labeled(found.manifest), per_class), test_share)
    return Source(folder.resolve().name, manifest, DEFAULT_TEMPLATE, "content", found.issues)


def _from_splits(
    folder: Path, splits: dict[str, str], per_class: int | None, on_progress: Progress | None
) -> Source:
    """The train folder to learn from; a validation folder beside a test folder is left out, and an issue says so."""
    train, test = folder / splits["train"], folder / splits.get("test", splits.get("val", ""))
    names = ClassNames.from_names(folder_classes(train))
    found = ingest(train, classes=names, labels=train, test=test, on_progress=on_progress)
    left = [splits["val"]] if {"test", "val"} <= set(splits) else []
    detail = f"neither learned from nor measured on; {splits['train']} and {test.name} are"
    issues = Issues(found.issues, (Issue(name, "other-split", detail) for name in left))
    manifest = _thinned(_labeled(found.manifest), per_class)
    return Source(folder.resolve().name, manifest, DEFAULT_TEMPLATE, "official", issues)


def folder_classes(folder: Path) -> list[str]:
    """The names of the classes, which are those of the folders. DataError: no such folder, or fewer than two in it."""
    if not folder.is_dir():
        raise DataError(
            "{folder}: no such folder. Give a folder that holds one folder of images for each "
            "class.",
            folder=folder,
        )
    folders = (path.name for path in folder.iterdir() if path.is_dir())
    otherwise = named_otherwise(folder)
    names = sorted(otherwise.get(name, name) for name in folders if not name.startswith("."))
    if len(names) < 2:
        raise DataError(
            "{folder} holds {n} class folders; a grid needs one folder for each class, two "
            "at least. For a published data set give --set ({known}).",
            folder=folder,
            n=len(names),
            known=", ".join(KNOWN),
        )
    return names


def from_known(
    known: KnownSet,
    folder: Path,
    *,
    work: Path,
    test_share: float,
    per_class: int | None = None,
    on_progress: Progress | None = None,
) -> Source:
    """A published set; its official test split where it has one, else a share held out by content.

    An image of the test is in no training list: not by path, and not by content, since equal contents are one row.
    DataError: the folder is not that set.
    """
    listing = known.listing(folder, work / "images")
    tables = {}
    for part in ("pool", "test"):
        rows = [(path, label) for path, label, own in listing.files if (own or "pool") == part]
        tables[part] = _table(work / f"{known.name}-{part}.csv", rows) if rows else None
    classes = ClassNames.from_names(known.classes)
    labels, test = tables["pool"], tables["test"]
    found = ingest(
        listing.images, classes=classes, labels=labels, test=test, on_progress=on_progress
    )
    manifest = _thinned(_labeled(found.manifest), per_class)
    if test is None:
        manifest = hold_out(manifest, test_share)
    return Source(known.name, manifest, known.template, listing.split_by, found.issues)


def _labeled(manifest: Manifest) -> Manifest:
    """Without images that no list names."""
    return manifest.without(row.sha256 for row in manifest.rows if row.label < 0)


def _thinned(manifest: Manifest, per_class: int | None) -> Manifest:
    """At most so many images of each class and split, those with the lowest content hashes."""
    if per_class is None:
        return manifest
    counts: dict[tuple[int, str], int] = {}
    gone = []
    for row in manifest.rows:
        key = row.label, row.split
        counts[key] = counts.get(key, 0) + 1
        if counts[key] > per_class:
            gone.append(row.sha256)
    return manifest.without(gone)


def _table(path: Path, rows: list[tuple[str, str]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_output(path, csv_bytes(("path", "label"), rows), "bench")
    return path
