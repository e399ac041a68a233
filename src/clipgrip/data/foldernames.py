"""Folders that are named like classes, and what they say of the images in them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from clipgrip.data.classes import ClassNames
from clipgrip.data.classfolders import ClassFolders, folders_like
from clipgrip.data.entries import Entry
from clipgrip.data.issues import Issue, Issues
from clipgrip.data.match import Statement
from clipgrip.data.sources import FileSource, StoreSource, TarSource
from clipgrip.data.splitnames import SPLITS
from clipgrip.sentences import Sentence, combined


@dataclass(frozen=True)
class FolderLabels:
    """Statements of folders by the key of the image, and remarks on what was not taken, or not plainly."""

    statements: dict[str, list[Statement]] = field(default_factory=dict)
    issues: Issues = field(default_factory=Issues)


def folder_labels(
    entries: Iterable[Entry], classes: ClassNames, *, apart: Collection[str], splits: Sequence[str]
) -> FolderLabels:
    """Each image is of the class that the nearest folder around it is named like.

    Images below a folder named test or val are not labeled by theirs: they are mostly meant to measure on.

    Args:
        apart: keys of test images, which are not missed where they have no label.
        splits: folders at the top that are splits, whatever the classes are called.
    """
    inside: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if isinstance(entry.source, FileSource | StoreSource | TarSource) and "/" in entry.path:
            inside[entry.path.rpartition("/")[0]].append(entry)
    known = folders_like(classes)
    statements: dict[str, list[Statement]] = {}
    issues = Issues()
    near: dict[str, tuple[int, int]] = {}
    measured_in: dict[str, int] = defaultdict(int)
    for folder, images in inside.items():
        named = _named(folder, known, splits)
        asked = sum(entry.key not in apart for entry in images)
        if not named:
            _count_near(folder, asked, known, near)
        elif measured := _measured_on(folder, known, splits):
            measured_in[measured] += asked
        else:
            place, label = named[-1]
            same = [Statement(label, Sentence("folder {place}", place=place))]
            statements |= dict.fromkeys((entry.key for entry in images), same)
            issues.extend(_nested(images, [classes.display[c] for _, c in named]))
    issues.extend(
        _near_issue(folder, classes.display[label], count)
        for folder, (label, count) in near.items()
        if count
    )
    issues.extend(_held_issue(folder, count) for folder, count in measured_in.items() if count)
    return FolderLabels(statements, issues)


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
    if len(set(names)) < 2:
        return []
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
        "{count} images below it are not labeled by their folders; to measure on them give --test {folder}",
        count=count,
        folder=folder,
    )
    return Issue(folder, "folder-of-test", detail)
