"""A file whose name is written almost as it is: another case, or without the ending."""

from __future__ import annotations

import os
import unicodedata
from collections import defaultdict

from clipgrip.files import openable
from clipgrip.sentences import Sentence


def nfc(text: str) -> str:
    """The form in which names are compared."""
    return unicodedata.normalize("NFC", text)


def folded(path: str) -> str:
    """A path in the form in which upper and lower case are one."""
    return nfc(path).casefold()


def without_ending(path: str) -> str:
    """The folded path without the last ending of its name."""
    return folded(os.path.splitext(path)[0])


def difference(written: str, found: str) -> Sentence:
    """In what a written path differs from the one found, in words."""
    one, other = (nfc(os.path.basename(path)) for path in (written, found))
    same = one.casefold() == other.casefold()
    return Sentence("upper and lower case" if same else "the ending of the name")


class Folders:
    """Names in folders, each folder listed once."""

    def __init__(self) -> None:
        self._names: dict[str, dict[str, list[str]]] = {}

    def nearby(self, path: str) -> str | None:
        """The only file beside ``path`` that differs from it in case or in a missing ending; absolute like it."""
        folder, name = os.path.split(path)
        if folder != path and not os.path.isdir(openable(folder)):
            folder = self.nearby(folder) or folder
        if folder not in self._names:
            self._names[folder] = _listed(folder)
        alike = self._names[folder].get(folded(name), [])
        return os.path.join(folder, alike[0]) if len(alike) == 1 else None


def _listed(folder: str) -> dict[str, list[str]]:
    names: dict[str, list[str]] = defaultdict(list)
    try:
        entries = os.listdir(openable(folder))
    except (OSError, ValueError):
        return names
    for entry in entries:
        for form in {folded(entry), without_ending(entry)}:
            names[form].append(entry)
    return names
