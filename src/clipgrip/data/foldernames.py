"""Folders that are named like classes, and what they say of the images in them."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Container, Iterable, Sequence

import numpy as np

from clipgrip.data.classes import ClassNames
from clipgrip.data.classfolders import ClassFolders, folders_like
from clipgrip.data.columns import picked
from clipgrip.data.entries import Entry, keys_of
from clipgrip.data.issues import Issue, Issues
from clipgrip.data.match import Matched, Statement, Statements
from clipgrip.data.sources import FileSource, StoreSource, TarSource
from clipgrip.data.splitnames import SPLITS
from clipgrip.data.texts import Ints, Keyed
from clipgrip.sentences import Sentence, combined


def folder_labels(
    entries: Sequence[Entry],
    classes: ClassNames,
    *,
    apart: Sequence[Container[str]],
    splits: Sequence[str],
) -> Matched:
    """Each image is of the class that the nearest folder around it is named like.

    Images below a folder named test or val are not labeled by theirs: they are mostly meant to measure on.

    Args:
        apart: hold the keys of test images, which are not missed where they have no label.
        splits: folders at the top that are splits, whatever the classes are called.
    """
    names, of_each = _folders(entries)
    asked = _asked(entries, of_each, len(names), apart)
    known = folders_like(classes)
    stated: dict[int, Statement] = {}
    issues = Issues()
    near: dict[str, tuple[int, int]] = {}
    measured_in: dict[str, int] = defaultdict(int)
    for number, folder in enumerate(names):
        named = _named(folder, known, splits)
        if not named:
            _count_near(folder, asked[number], known, near)
        elif measured := _measured_on(folder, known, splits):
            measured_in[measured] += asked[number]
        else:
            place, label = named[-1]
            stated[number] = Statement(label, Sentence("folder {place}", place=place))
            outer = [classes.display[c] for _, c in named]
            if len(set(outer)) > 1:
                inside = picked(entries, np.flatnonzero(of_each == number))
                issues.extend(_nested(inside, outer))
    issues.extend(
        _near_issue(folder, classes.display[label], count)
        for folder, (label, count) in near.items()
        if count
    )
    issues.extend(_held_issue(folder, count) for folder, count in measured_in.items() if count)
    labeled = np.flatnonzero(np.isin(of_each, list(stated)))
    statements = Statements.of(
        Keyed(keys_of(entries)), labeled, lambda place: stated[int(of_each[labeled[place]])]
    )
    return Matched(statements if len(labeled) else Statements(), issues)


def _folders(entries: Iterable[Entry]) -> tuple[list[str], Ints]:
    """The folders in which files lie, and (N,) in which of them each lies; -1 in none."""
    numbers, of_each = dict[str, int](), array("q")
    for entry in entries:
        folder = entry.path.rpartition("/")[0]
        is_file = bool(folder) and isinstance(entry.source, FileSource | StoreSource | TarSource)
        of_each.append(numbers.setdefault(folder, len(numbers)) if is_file else -1)
    return list(numbers), np.array(of_each, np.int64)


def _asked(
    entries: Sequence[Entry], of_each: Ints, count: int, apart: Sequence[Container[str]]
) -> list[int]:
    """(count,) images in each folder that are not set apart."""
    counted = of_each[of_each >= 0]
    if apart:
        keys = (any(entry.key in one for one in apart) for entry in entries)
        counted = of_each[(of_each >= 0) & ~np.fromiter(keys, np.bool_, len(of_each))]
    return np.bincount(counted, minlength=count).tolist()


def _named(folder: str, known: ClassFolders, splits: Sequence[str]) -> list[tuple[str, int]]:
    """The folders on the way that are named like classes, the outermost first."""
    parts = folder.split("/")
    found = []
    for depth, part in enumerate(parts):
        position = None if depth == 0 and part in splits else known.position(part)
        if position is not None:
            found.append(("/".join(parts[: depth + 1]), position))
    return found


def _measured_on(folder: str, known: ClassFolders, splits: Sequence[str]) -> str:
    """The outermost folder on the way that is named test or val, and not like a class; empty without one."""
    parts = folder.split("/")
    for depth, part in enumerate(parts):
        is_class = known.position(part) is not None and not (depth == 0 and part in splits)
        if SPLITS.get(part.casefold(), "train") != "train" and not is_class:
            return "/".join(parts[: depth + 1])
    return ""


def _count_near(
    folder: str, count: int, known: ClassFolders, near: dict[str, tuple[int, int]]
) -> None:
    parts = folder.split("/")
    for depth in range(len(parts), 0, -1):
        label = known.near(parts[depth - 1])
        if label is not None:
            place = "/".join(parts[:depth])
            near[place] = (label, near.get(place, (label, 0))[1] + count)
            return


def _nested(images: Sequence[Entry], names: Sequence[str]) -> list[Issue]:
    outer = dict.fromkeys(name for name in names[:-1] if name != names[-1])
    detail = Sentence(
        'in a folder of {outer} too; the nearest folder, "{nearest}", is taken',
        outer=combined([Sentence('"{name}"', name=name) for name in outer], ", "),
        nearest=names[-1],
    )
    return [Issue(entry.path, "nested-class-folders", detail) for entry in images]


def _near_issue(folder: str, name: str, count: int) -> Issue:
    detail = Sentence(
        'named almost like class "{name}"; {count} images in it are not labeled by it',
        name=name,
        count=count,
    )
    return Issue(folder, "folder-like-class", detail)


def _held_issue(folder: str, count: int) -> Issue:
    detail = Sentence(
        "the folders in it label none of its {count} images; to measure on it give --test {folder}",
        count=count,
        folder=folder,
    )
    return Issue(folder, "folder-of-test", detail)
