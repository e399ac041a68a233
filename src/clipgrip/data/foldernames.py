"""Labels from the names of folders: an image in a folder named like a class is of that class."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Container, Iterable, Sequence

import numpy as np

from clipgrip.data.classes import ClassNames
from clipgrip.data.classfolders import ClassFolders, folders_like
from clipgrip.data.entries import Entry, keys_of
from clipgrip.data.issues import Issue, Issues
from clipgrip.data.lazy import selected
from clipgrip.data.match import Matched, ResolvedLabel, ResolvedLabels
from clipgrip.data.sources import FileSource, StoreSource, TarSource
from clipgrip.data.splitnames import SPLITS
from clipgrip.data.texts import Ints, TextIndex
from clipgrip.sentences import Sentence, combined


def folder_labels(
    entries: Sequence[Entry],
    classes: ClassNames,
    *,
    test_keys: Sequence[Container[str]],
    splits: Sequence[str],
) -> Matched:
    """Label each image by the innermost folder around it that is named like a class.

    Images below a folder named test or val get no label: mostly they are meant to measure on.

    Args:
        test_keys: keys of the test images, which are not counted in remarks on images without a label.
        splits: top folders that are splits even if a class has the same name.
    """
    names, folder_of = _folders(entries)
    counts = _image_counts(entries, folder_of, len(names), test_keys)
    known = folders_like(classes)
    label_of: dict[int, ResolvedLabel] = {}
    issues = Issues()
    near_classes: dict[str, tuple[int, int]] = {}
    counts_of_tests: dict[str, int] = defaultdict(int)
    for number, folder in enumerate(names):
        named = _class_folders_along(folder, known, splits)
        if not named:
            _count_near(folder, counts[number], known, near_classes)
        elif test_folder := _test_folder(folder, known, splits):
            counts_of_tests[test_folder] += counts[number]
        else:
            place, label = named[-1]
            label_of[number] = ResolvedLabel(label, Sentence("folder {place}", place=place))
            outer = [classes.display[c] for _, c in named]
            if len(set(outer)) > 1:
                inside = selected(entries, np.flatnonzero(folder_of == number))
                issues.extend(_nested_issues(inside, outer))
    issues.extend(
        _near_issue(folder, classes.display[label], count)
        for folder, (label, count) in near_classes.items()
        if count
    )
    issues.extend(
        _test_folder_issue(folder, count) for folder, count in counts_of_tests.items() if count
    )
    labeled = np.flatnonzero(np.isin(folder_of, list(label_of)))
    if not len(labeled):
        return Matched(issues=issues)

    def label_at(position: int) -> ResolvedLabel:
        return label_of[int(folder_of[labeled[position]])]

    return Matched(ResolvedLabels.of(TextIndex(keys_of(entries)), labeled, label_at), issues)


def _folders(entries: Iterable[Entry]) -> tuple[list[str], Ints]:
    """The folders that hold files, and (N,) the index of each entry's folder, -1 for none."""
    numbers, folder_of = dict[str, int](), array("q")
    for entry in entries:
        folder = entry.path.rpartition("/")[0]
        is_file = bool(folder) and isinstance(entry.source, FileSource | StoreSource | TarSource)
        folder_of.append(numbers.setdefault(folder, len(numbers)) if is_file else -1)
    return list(numbers), np.array(folder_of, np.int64)


def _image_counts(
    entries: Sequence[Entry], folder_of: Ints, count: int, test_keys: Sequence[Container[str]]
) -> list[int]:
    """(count,) how many images each folder holds, without test images."""
    counted = folder_of[folder_of >= 0]
    if test_keys:
        keys = (any(entry.key in one for one in test_keys) for entry in entries)
        counted = folder_of[(folder_of >= 0) & ~np.fromiter(keys, np.bool_, len(folder_of))]
    return np.bincount(counted, minlength=count).tolist()


def _class_folders_along(
    folder: str, known: ClassFolders, splits: Sequence[str]
) -> list[tuple[str, int]]:
    """The folders along a path that are named like classes, outermost first: (path, class position)."""
    parts = folder.split("/")
    found = []
    for depth, part in enumerate(parts):
        position = None if depth == 0 and part in splits else known.position(part)
        if position is not None:
            found.append(("/".join(parts[: depth + 1]), position))
    return found


def _test_folder(folder: str, known: ClassFolders, splits: Sequence[str]) -> str:
    """The outermost folder along a path that is named test or val and is no class; empty without one."""
    parts = folder.split("/")
    for depth, part in enumerate(parts):
        is_class = known.position(part) is not None and not (depth == 0 and part in splits)
        if SPLITS.get(part.casefold(), "train") != "train" and not is_class:
            return "/".join(parts[: depth + 1])
    return ""


def _count_near(
    folder: str, count: int, known: ClassFolders, near_classes: dict[str, tuple[int, int]]
) -> None:
    parts = folder.split("/")
    for depth in range(len(parts), 0, -1):
        label = known.near(parts[depth - 1])
        if label is not None:
            place = "/".join(parts[:depth])
            near_classes[place] = (label, near_classes.get(place, (label, 0))[1] + count)
            return


def _nested_issues(images: Sequence[Entry], names: Sequence[str]) -> list[Issue]:
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


def _test_folder_issue(folder: str, count: int) -> Issue:
    detail = Sentence(
        "the folders in it label none of its {count} images; to measure on it give --test {folder}",
        count=count,
        folder=folder,
    )
    return Issue(folder, "folder-of-test", detail)
