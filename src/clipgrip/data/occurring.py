"""Which classes of a list may occur among some images: named one by one, or in a file with one a line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clipgrip.data.classes import ClassNames, canonical
from clipgrip.data.text import read_text
from clipgrip.errors import DataError, nearest

FILE_MARK = "@"
"""Before the name of a file that holds one class a line."""
COMMAS = re.compile("[,、，]")


def named(given: Any, encoding: str | None = None) -> Any:
    """A text or several with every ``@file`` replaced by its lines; what is no text is refused with the settings.

    Raises:
        DataError: a file cannot be read, or names nothing.
    """
    if not isinstance(given, str | list | tuple):
        return given
    found: list[Any] = []
    for one in (given,) if isinstance(given, str) else given:
        if not isinstance(one, str) or not one.startswith(FILE_MARK):
            found.append(one)
            continue
        path = one.removeprefix(FILE_MARK)
        lines = [line for line in map(canonical, read_text(path, encoding).splitlines()) if line]
        if not lines:
            raise DataError(
                "{path} names no class. Write the classes that may occur, one a line.", path=path
            )
        found += lines
    return tuple(found)


def checked_classes(
    names: Sequence[str] | None, classes: ClassNames | Path, encoding: str | None
) -> ClassNames | Path:
    """The classes. DataError: one of the names is none of them, which is told before any image is read."""
    if names is not None:
        positions_of(names, ClassNames.of(classes, encoding))
    return classes


def positions_of(names: Sequence[str], classes: ClassNames) -> list[int]:
    """Ascending positions of the classes; what is no class is cut at its commas. DataError: a name is unknown."""
    found: set[int] = set()
    for name in names:
        parts = [name] if name in classes else [part for part in COMMAS.split(name) if part.strip()]
        for part in parts:
            if part not in classes:
                raise DataError(
                    'may_occur: no class is called "{name}". Known: {known}.{nearest} Correct the name, or add it to '
                    "the classes.",
                    name=canonical(part),
                    known=classes.listing(),
                    nearest=nearest(canonical(part), classes.display),
                )
            found.add(classes.index(part))
    return sorted(found)
