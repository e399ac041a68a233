"""One JSON file for each picture, at the picture's own path below another folder, or beside it."""

from __future__ import annotations

import contextlib
import errno
import json
from collections.abc import Sequence
from pathlib import Path

from clipgrip_line.files import openable, sweep, system_words, write_bytes_atomic
from clipgrip_line.folder.item import Item
from clipgrip_line.folder.outlet import Refused, Trouble
from clipgrip_line.sentences import Sentence

NEVER = {errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.EISDIR, errno.ENOTDIR}
"""What the system says of one name, and will say of it tomorrow."""


class JsonFiles:
    """``lot7/a.png`` becomes ``lot7/a.png.json``; the newest answer of a name stays."""

    at_once = 1

    def __init__(self, folder: Path, name: str, *, make: bool) -> None:
        """``make``: whether folders that are missing are made; not beside pictures, whose share may be away."""
        self.folder, self.name, self._make = folder, name, make
        self._swept: set[Path] = set()

    def deliver(self, items: Sequence[Item]) -> None:
        """Write each whole or not at all."""
        for item in items:
            try:
                self._write(item)
            except OSError as error:
                if error.errno in NEVER:
                    raise Refused(system_words(error)) from None
                raise

    def _write(self, item: Item) -> None:
        path = self.folder / f"{item.path}.json"
        if self._make:
            path.parent.mkdir(parents=True, exist_ok=True)
        elif not self.folder.is_dir():
            raise Trouble(Sentence("{folder} is not there", folder=self.folder))
        elif not path.parent.is_dir():
            raise Refused(Sentence("the picture's folder was taken away"))
        if path.parent not in self._swept:  # what a killed process left half written
            sweep(path.parent)
            self._swept.add(path.parent)
        if _number_in(path) <= item.number:
            text = json.dumps(item.document(), ensure_ascii=False, indent=1)
            write_bytes_atomic(path, (text + "\n").encode("utf-8", "backslashreplace"))


def _number_in(path: Path) -> int:
    with (
        contextlib.suppress(OSError, ValueError, KeyError, TypeError),
        open(openable(path), "rb") as file,
    ):
        return int(json.loads(file.read(1 << 20))["number"])
    return 0
