"""Names of folders that every system can make and every reader takes, and which class such a folder is of."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from clipgrip.data.classes import canonical
from clipgrip.data.tables import csv_bytes, read_table
from clipgrip.errors import ClipgripError

FOLDERS = "folders.csv"
"""Beside class folders of which some could not be called like their class: which is of which."""
_UNSAFE = frozenset('<>:"/\\|?*')
_RESERVED = frozenset(
    (
        "con",
        "prn",
        "aux",
        "nul",
        *(f"{kind}{n}" for kind in ("com", "lpt") for n in "0123456789¹²³"),
    )
)
"""Names that Windows keeps for devices."""
_LONGEST = 120
"""Bytes of a name."""
_SPLIT = re.compile(
    r"(?:(?<=[-._ 0-9])|^)(train|training|validation|valid|dev|val|test|testing|eval|evaluation)(?=[-._ 0-9]|$)"
)
"""A word that Hugging Face's ``imagefolder`` takes for a split; where one file has such a name, it reads no other."""


def folder_names(names: Sequence[str]) -> dict[str, str]:
    """Class name -> a folder that any system can make, no two the same where capitals do not count."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        folder = made = no_split(safe(name))
        number = 2
        while made.casefold() in taken:
            made, number = f"{folder} {number}", number + 1
        taken.add(made.casefold())
        found[name] = made
    return found


def safe(name: str) -> str:
    """A name as the name of a file or folder that any system can make."""
    kept = "".join(c if c.isprintable() and c not in _UNSAFE else "_" for c in name)
    kept = kept.encode()[:_LONGEST].decode(errors="ignore").strip(" .") or "_"
    return f"_{kept}" if kept.split(".")[0].strip().casefold() in _RESERVED else kept


def no_split(name: str) -> str:
    """A name in which no word alone means a split to a reader: ``test 1`` becomes ``test~ 1``."""
    return _SPLIT.sub(r"\1~", name)


def folders_table(names: Sequence[str]) -> bytes:
    """The content of `FOLDERS` for classes with these names; empty where every folder is called like its class."""
    made = folder_names(names)
    if all(folder == name for name, folder in made.items()):
        return b""
    return csv_bytes(("folder", "class"), [(folder, name) for name, folder in made.items()])


def named_otherwise(place: Path) -> dict[str, str]:
    """Folder -> class, from the table that an export left in a folder; empty where there is none that can be read."""
    if not os.path.isfile(place / FOLDERS):
        return {}
    try:
        table = read_table(place / FOLDERS)
        folder, name = table.need(("folder",)), table.need(("class",))
    except ClipgripError:
        return {}
    return {row[folder]: canonical(row[name]) for row in table.rows if canonical(row[name])}
