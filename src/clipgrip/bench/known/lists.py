"""Published lists that say which image of a set without an official split is in which part."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from clipgrip.bench.known.base import Listed, Listing, Part, SplitBy
from clipgrip.errors import DataError

PARTS: tuple[tuple[str, Part], ...] = (("train", "pool"), ("val", "pool"), ("test", "test"))


@dataclass(frozen=True)
class SplitList:
    """Where a list may lie beside the images, ``{}`` for train, val and test, and how it was drawn.

    A text file holds a file name in each line; a JSON file, as CoOp's, ``{"train": [[path, label, name], ...]}``.
    Names count without folder and suffix, since the lists were made for GeoTIFF and JPEG copies alike.
    """

    pattern: str
    split_by: SplitBy = "list"

    def read(self, folder: Path) -> dict[str, Part] | None:
        """Part by file name, or None where the list is not in this folder.

        DataError: it is there in part only, or names an image twice.
        """
        places = [(folder / self.pattern.format(name), name, part) for name, part in PARTS]
        if not any(path.is_file() for path, _, _ in places):
            return None
        parts: dict[str, Part] = {}
        for path, name, part in places:
            if not path.is_file():
                raise DataError(
                    "{path} is missing beside its siblings. Put it there, or take them away.",
                    path=path,
                )
            for stem in self._stems(path, name):
                if stem in parts:
                    raise DataError(
                        "{path}: {stem} stands in this list more than once. Download the list again.",
                        path=path,
                        stem=stem,
                    )
                parts[stem] = part
        return parts

    def _stems(self, path: Path, name: str) -> Iterable[str]:
        text = path.read_text("utf-8-sig")
        lines = text.splitlines() if path.suffix != ".json" else _paths(path, text, name)
        return (PurePosixPath(line.strip()).stem for line in lines if line.strip())


def _paths(path: Path, text: str, name: str) -> list[str]:
    try:
        return [str(row[0]) for row in json.loads(text)[name]]
    except (ValueError, LookupError, TypeError):
        raise DataError(
            '{path} is not a JSON file with "train", "val" and "test". Download it again.',
            path=path,
        ) from None


def with_parts(
    files: Sequence[Listed], root: Path, folder: Path, known: Sequence[SplitList]
) -> Listing:
    """The listing by the first list that lies in ``folder`` or ``root``; without one, no file has a part.

    DataError: the list leaves images out.
    """
    for each in known:
        parts = each.read(root) or each.read(folder)
        if parts is not None:
            return Listing(root, _divided(files, parts, each), each.split_by)
    return Listing(root, tuple(files), "content")


def _divided(files: Sequence[Listed], parts: dict[str, Part], by: SplitList) -> tuple[Listed, ...]:
    absent = [path for path, _, _ in files if PurePosixPath(path).stem not in parts]
    if absent:
        raise DataError(
            "{lists} leaves out {n_absent} of {n_files} images, first {absent}. Download the "
            "list again, or take it away to hold out a share by content.",
            lists=by.pattern.format("*"),
            n_absent=len(absent),
            n_files=len(files),
            absent=absent[0],
        )
    return tuple((path, label, parts[PurePosixPath(path).stem]) for path, label, _ in files)
