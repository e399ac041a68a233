"""Folders and files named after splits (train, val, test), as in published data sets."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from clipgrip.errors import DataError
from clipgrip.sentences import quoted

SPLITS = {
    **dict.fromkeys(("train", "training", "trainset"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing", "testset", "eval", "evaluation"), "test"),
}
"""Names of splits in lower case -> split."""


def split_folders(folder: Path) -> dict[str, str]:
    """The split folders in a folder, as ``{"train": "Train", "test": "test"}``; empty where they are none.

    They are splits if there are at least two, all have names of splits, one of them train, and one contains folders.
    """
    try:
        names = [p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")]
    except OSError:
        return {}
    found = {SPLITS.get(name.casefold(), ""): name for name in sorted(names)}
    if len(names) < 2 or len(found) != len(names) or "" in found or "train" not in found:
        return {}
    return found if any(_holds_folders(folder / name) for name in names) else {}


def check_classes(folder: Path, kind: str) -> None:
    """DataError where a folder that should hold class folders holds split folders."""
    if not (splits := split_folders(folder)):
        return
    names = ", ".join(splits.values())
    train, test = (
        folder / splits[key] if key in splits else folder / next(reversed(splits.values()))
        for key in ("train", "test")
    )
    raise DataError(
        "{folder}: its folders ({names}) are splits, not classes of {kind}. Give them one by "
        "one:  clipgrip run {train} --labels {train} --test {test}",
        folder=folder,
        names=names,
        kind=kind,
        train=quoted(train),
        test=quoted(test),
    )


def train_beside(place: Path) -> str | None:
    """The name of the train folder or table beside a place named test or val; None without one."""
    if SPLITS.get(place.stem.casefold(), "train") == "train":
        return None
    try:
        beside = sorted(p.name for p in place.parent.iterdir() if p.suffix == place.suffix)
    except OSError:
        return None
    return next((n for n in beside if SPLITS.get(Path(n).stem.casefold()) == "train"), None)


def check_one_split(paths: Iterable[str]) -> None:
    """DataError where packed files are named after several splits."""
    found = {
        SPLITS[word[0]]
        for path in paths
        if (word := re.match("[a-z]+", os.path.basename(path).casefold())) and word[0] in SPLITS
    }
    if len(found) > 1:
        raise DataError(
            "the files are those of several splits ({found}). Put the files of each into a "
            "folder of its own, and give one folder.",
            found=", ".join(sorted(found)),
        )


def _holds_folders(folder: Path) -> bool:
    try:
        return any(path.is_dir() for path in folder.iterdir())
    except OSError:
        return False
