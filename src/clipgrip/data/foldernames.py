"""Folders that are named like classes, and what they say of the images in them."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from clipgrip.data.classes import ClassNames, canonical
from clipgrip.data.discover import Entry
from clipgrip.data.glossary import proposed
from clipgrip.data.issues import Issue
from clipgrip.data.match import Statement
from clipgrip.data.sources import FileSource
from clipgrip.data.splitnames import SPLITS

SEPARATORS = re.compile(r"[\s_\-\u2010-\u2015\u2212]+")
"""Spaces, underscores, hyphens and dashes: the same between the words of a name."""
NEAR = 0.8
"""Likeness from which a folder may be meant for a class (difflib's ratio): "scratchs" and "scratch" have 0.93."""


def class_key(name: str) -> str:
    """The form in which folders and classes are compared: case, width and what stands between words are one."""
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", canonical(name)).casefold())
    return SEPARATORS.sub(" ", text).strip()


class ClassFolders:
    """Finds the class that a folder is named like."""

    def __init__(self, classes: ClassNames) -> None:
        self._classes = classes
        self._alike: dict[str, list[int]] = defaultdict(list)
        for position, name in enumerate(classes.display):
            self._alike[class_key(name)].append(position)
        self._words = [proposed(name) for name in classes.display]
        self._near: dict[str, int | None] = {}

    def position(self, folder: str) -> int | None:
        """Of the class with this name, or else of the only one whose name is written almost so."""
        if folder in self._classes:
            return self._classes.index(folder)
        alike = self._alike.get(class_key(folder), [])
        return alike[0] if len(alike) == 1 else None

    def near(self, folder: str) -> int | None:
        """Of the class that a folder may be meant for, although it is not named like it."""
        if folder not in self._near:
            self._near[folder] = self._nearest(folder)
        return self._near[folder]

    def _nearest(self, folder: str) -> int | None:
        key, words = class_key(folder), proposed(folder)
        if words is not None and words in self._words:
            return self._words.index(words)
        bare = SEPARATORS.sub(" ", re.sub(r"\d+", " ", key)).strip()  # "01_scratch", "scratch 2024"
        if bare in self._alike:
            return self._alike[bare][0]
        close = difflib.get_close_matches(key, list(self._alike), n=1, cutoff=NEAR)
        if not close or _other_number(key, close[0]):
            return None
        return self._alike[close[0]][0]


def _other_number(folder: str, name: str) -> bool:
    """Whether both are numbered, and differently: ``M 1023`` and ``M 1024`` are two things."""
    numbers = re.findall(r"\d+", name)
    return bool(numbers) and numbers != re.findall(r"\d+", folder)


@dataclass(frozen=True)
class FolderLabels:
    """Statements of folders by the key of the image, and remarks on what was not taken, or not plainly."""

    statements: dict[str, list[Statement]] = field(default_factory=dict)
    issues: tuple[Issue, ...] = ()


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
        if isinstance(entry.source, FileSource) and "/" in entry.path:
            inside[entry.path.rpartition("/")[0]].append(entry)
    known = ClassFolders(classes)
    statements: dict[str, list[Statement]] = {}
    issues: list[Issue] = []
    near: dict[str, tuple[int, int]] = {}
    held: dict[str, int] = defaultdict(int)
    for folder, images in inside.items():
        named = _named(folder, known, splits)
        asked = sum(entry.key not in apart for entry in images)
        if not named:
            _count_near(folder, asked, known, near)
        elif measured := _measured_on(folder, known, splits):
            held[measured] += asked
        else:
            place, label = named[-1]
            for entry in images:
                statements[entry.key] = [Statement(label, f"folder {place}")]
            issues += _nested(images, [classes.display[c] for _, c in named])
    issues += [
        _near_issue(folder, classes.display[label], count)
        for folder, (label, count) in near.items()
        if count
    ]
    issues += [_held_issue(folder, count) for folder, count in held.items() if count]
    return FolderLabels(statements, tuple(issues))


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
    outer = ", ".join(f'"{name}"' for name in dict.fromkeys(names[:-1]) if name != names[-1])
    detail = f'in a folder of {outer} too; the nearest folder, "{names[-1]}", is taken'
    return [Issue(entry.path, "nested-class-folders", detail) for entry in images]


def _near_issue(folder: str, name: str, count: int) -> Issue:
    detail = f'named almost like class "{name}"; {count} images in it are not labeled by it'
    return Issue(folder, "folder-like-class", detail)


def _held_issue(folder: str, count: int) -> Issue:
    detail = f"{count} images below it are not labeled by their folders; to measure on them give --test {folder}"
    return Issue(folder, "folder-of-test", detail)
