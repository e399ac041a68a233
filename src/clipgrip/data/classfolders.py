"""Which class a folder belongs to by its name: the class name itself, nearly it, or the name that an export made."""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from functools import lru_cache

from clipgrip.data.classes import ClassNames, canonical
from clipgrip.data.glossary import proposed
from clipgrip.data.portable import SEPARATORS, class_key, folder_names

NEAR = 0.8
"""difflib's ratio from which a folder is near to a class: "scratchs" and "scratch" have 0.93."""


class ClassFolders:
    """Finds a class by the name of a folder."""

    def __init__(self, classes: ClassNames) -> None:
        self._classes = classes
        self._by_key: dict[str, list[int]] = defaultdict(list)
        for position, name in enumerate(classes.display):
            self._by_key[class_key(name)].append(position)
        made = folder_names(classes.display)
        self._by_export_name = {canonical(folder): n for n, folder in enumerate(made.values())}
        self._english = [proposed(name) for name in classes.display]
        self._near_cache: dict[str, int | None] = {}

    def position(self, folder: str) -> int | None:
        """Position of the class that the folder stands for, or None.

        The name may differ in case, width and separators where only one class fits. Classes whose names make no folder
        on every system (``test``, ``a/b``) are found by the names that an export gives them (``test~``, ``a_b``).
        """
        if folder in self._classes:
            return self._classes.index(folder)
        alike = self._by_key.get(class_key(folder), [])
        return alike[0] if len(alike) == 1 else self._by_export_name.get(canonical(folder))

    def near(self, folder: str) -> int | None:
        """Position of a class whose name is only similar (a typo, numbers added, a translation), or None."""
        if folder not in self._near_cache:
            self._near_cache[folder] = self._nearest(folder)
        return self._near_cache[folder]

    def _nearest(self, folder: str) -> int | None:
        key, words = class_key(folder), proposed(folder)
        if words is not None and words in self._english:
            return self._english.index(words)
        bare = SEPARATORS.sub(" ", re.sub(r"\d+", " ", key)).strip()  # "01_scratch", "scratch 2024"
        if bare in self._by_key:
            return self._by_key[bare][0]
        close = difflib.get_close_matches(key, list(self._by_key), n=1, cutoff=NEAR)
        if not close or _other_number(key, close[0]):
            return None
        return self._by_key[close[0]][0]


def _other_number(folder: str, name: str) -> bool:
    """Whether both are numbered, and differently: ``M 1023`` and ``M 1024`` are two things."""
    numbers = re.findall(r"\d+", name)
    return bool(numbers) and numbers != re.findall(r"\d+", folder)


@lru_cache(maxsize=4)
def folders_like(classes: ClassNames) -> ClassFolders:
    """A `ClassFolders`, made once for equal classes."""
    return ClassFolders(classes)
