"""The bytes of a picture that was answered: from memory while its batch is at work, else from its file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from clipgrip_line.files import open_file, openable
from clipgrip_line.folder.item import Item
from clipgrip_line.folder.loading import Loaded
from clipgrip_line.folder.outlet import Refused, Trouble
from clipgrip_line.sentences import Sentence


class Originals:
    """Pictures of one watched folder by the hash of their content."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._batch: dict[str, bytes] = {}

    def hold(self, batch: Sequence[Loaded]) -> None:
        """Keep the bytes of the batch at work, and only of it."""
        self._batch = {one.image: one.data for one in batch}

    def path(self, item: Item) -> Path:
        """Where the file lies."""
        return self.folder / item.path

    def read(self, item: Item) -> bytes:
        """The bytes whose hash was answered.

        Raises:
            Refused: the file is gone, or holds another picture now.
            Trouble: the folder is not there.
            OSError: the file cannot be read.
        """
        known = self._batch.get(item.image)
        if known is not None:
            return known
        try:
            with open_file(self.path(item)) as file:
                data = file.read()
        except FileNotFoundError:
            if not self.folder.is_dir():
                raise Trouble(Sentence("{folder} is not there", folder=self.folder)) from None
            raise Refused(Sentence("the picture was taken away before it was copied")) from None
        if hashlib.sha256(data).hexdigest() != item.image:
            raise Refused(Sentence("the file holds another picture now"))
        return data

    def is_unchanged(self, item: Item) -> bool:
        """Whether the file is the one that was answered, by size and time."""
        try:
            now = os.stat(openable(self.path(item)))
        except FileNotFoundError:
            return False
        return (now.st_size, now.st_mtime_ns) == (item.size, item.mtime)
