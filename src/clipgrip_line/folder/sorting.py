"""Pictures sorted by their answers into folders: as copies, as links, or moved there."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from clipgrip_line.files import openable, sweep, system_words, write_bytes_once
from clipgrip_line.folder.beside import NEVER
from clipgrip_line.folder.item import Item, portable
from clipgrip_line.folder.originals import Originals
from clipgrip_line.folder.outlet import Refused
from clipgrip_line.sentences import Sentence

How = Literal["copy", "link", "move"]
NO_LINK = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EACCES, errno.ENOTSUP, errno.ENOSYS}
"""Where a second name cannot be given: another disk, or one that knows no links."""


class Sorting:
    """``sorted/ng/lot7/a.png``; where another picture has the name, its hash is added."""

    name = "sorted"
    at_once = 1

    def __init__(self, folder: Path, how: How, originals: Originals) -> None:
        self.folder, self.how, self._originals = folder, how, originals
        self._swept: set[Path] = set()

    def deliver(self, items: Sequence[Item]) -> None:
        """Bring each picture to its place; an original goes only once its bytes were read back from there."""
        for item in items:
            try:
                self._place(item)
            except OSError as error:
                if error.errno in NEVER:
                    raise Refused(system_words(error)) from None
                raise

    def _place(self, item: Item) -> None:
        folder = self.folder / shelf(item) / item.lot
        folder.mkdir(parents=True, exist_ok=True)
        if folder not in self._swept:
            sweep(folder)
            self._swept.add(folder)
        stem, ending = os.path.splitext(item.path.rpartition("/")[2])
        places = [folder / f"{stem}{ending}", folder / f"{stem}-{item.image[:12]}{ending}"]
        for place in places:
            if _holds(place, item.image):
                break
        else:
            place = self._brought(item, places)
        if self.how == "move":
            self._remove(item, place)

    def _brought(self, item: Item, places: Sequence[Path]) -> Path:
        data = None if self.how == "link" else self._originals.read(item)
        for place in places:
            with contextlib.suppress(FileExistsError):
                if self.how == "link" and self._linked(item, place):
                    return place
                data = self._originals.read(item) if data is None else data
                write_bytes_once(place, data)
                return place
        raise Refused(Sentence("{place} is another file", place=places[-1]))

    def _linked(self, item: Item, place: Path) -> bool:
        """Whether the file got a second name; not where it has changed meanwhile, or links are not known."""
        try:
            os.link(openable(self._originals.path(item)), openable(place))
        except FileExistsError:
            raise
        except OSError as error:
            if error.errno in NO_LINK or isinstance(error, FileNotFoundError):
                return False
            raise
        if _holds(place, item.image):
            return True
        os.unlink(openable(place))
        return False

    def _remove(self, item: Item, place: Path) -> None:
        """Take the original away: it is what was answered, and the copy was read back whole."""
        if self._originals.is_unchanged(item) and _holds(place, item.image):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(openable(self._originals.path(item)))


def shelf(item: Item) -> str:
    """The folder of an answer: ok, ng or person, or the class where the bundle names no OK classes."""
    verdict = str(item.content["verdict"])
    return portable(str(item.content["class"])) if verdict == "class" else verdict


def _holds(path: Path, image: str) -> bool:
    try:
        with open(openable(path), "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == image
    except (FileNotFoundError, IsADirectoryError):
        return False
