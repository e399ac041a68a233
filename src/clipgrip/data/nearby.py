"""Finds a file whose name differs from the written one only in case or in a missing ending."""

from __future__ import annotations

import os
import unicodedata
from collections import defaultdict

from clipgrip.files import openable
from clipgrip.sentences import Sentence


def nfc(text: str) -> str:
    """Unicode's composed form (NFC), in which names are compared: macOS decomposes them."""
    return unicodedata.normalize("NFC", text)


def case_folded(path: str) -> str:
    """A path in a form without the difference of upper and lower case."""
    return nfc(path).casefold()


def without_ending(path: str) -> str:
    """The case-folded path without the ending of the file name."""
    return case_folded(os.path.splitext(path)[0])


def difference(written: str, found: str) -> Sentence:
    """How a written path differs from the one that was found, in words."""
    one, other = (nfc(os.path.basename(path)) for path in (written, found))
    same = one.casefold() == other.casefold()
    return Sentence("upper and lower case" if same else "the ending of the name")


class FolderNames:
    """The names in folders; each folder is listed once."""

    def __init__(self) -> None:
        self._names: dict[str, dict[str, list[str]]] = {}

    def similar(self, path: str) -> str | None:
        """The only existing path that differs from ``path`` in case or in a missing ending; None without one."""
        folder, name = os.path.split(path)
        if folder != path and not os.path.isdir(openable(folder)):
            folder = self.similar(folder) or folder
        if folder not in self._names:
            self._names[folder] = _names_in(folder)
        alike = self._names[folder].get(case_folded(name), [])
        return os.path.join(folder, alike[0]) if len(alike) == 1 else None


def _names_in(folder: str) -> dict[str, list[str]]:
    names: dict[str, list[str]] = defaultdict(list)
    try:
        entries = os.listdir(openable(folder))
    except (OSError, ValueError):
        return names
    for entry in entries:
        for form in {case_folded(entry), without_ending(entry)}:
            names[form].append(entry)
    return names
