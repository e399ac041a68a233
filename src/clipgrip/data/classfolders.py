"""Which class a folder is named like: exactly, almost, or as an export would call its folder."""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from functools import lru_cache

from clipgrip.data.classes import ClassNames, canonical
from clipgrip.data.glossary import proposed
from clipgrip.data.portable import SEPARATORS, class_key, folder_names

NEAR = 0.8
"""Likeness from which a folder may be meant for a class (difflib's ratio): "scratchs" and "scratch" have 0.93."""


class ClassFolders:
    """Finds the class that a folder is named like."""

    def __init__(self, classes: ClassNames) -> None:
        self._classes = classes
        self._alike: dict[str, list[int]] = defaultdict(list)
        for position, name in enumerate(classes.display):
            self._alike[class_key(name)].append(position)
        made = folder_names(classes.display)
        self._made = {canonical(folder): n for n, folder in enumerate(made.values())}
        self._words = [proposed(name) for name in classes.display]
        self._near: dict[str, int | None] = {}

    def position(self, folder: str) -> int | None:
        """Of the class with this name, or the only one whose name is written almost so, or whose export makes it so.

        A class ``test`` or ``a/b`` cannot have a folder of that name everywhere; an export calls it ``test~``, ``a_b``.
        """
        if folder in self._classes:
            return self._classes.index(folder)
        alike = self._alike.get(class_key(folder), [])
        return alike[0] if len(alike) == 1 else self._made.get(canonical(folder))

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


@lru_cache(maxsize=4)
def folders_like(classes: ClassNames) -> ClassFolders:
    """The same for the same classes."""
    return ClassFolders(classes)
