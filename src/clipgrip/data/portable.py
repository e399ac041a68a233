"""Names of folders that every system can make and every reader takes, and which class such a folder is of."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from clipgrip.data.classes import canonical
from clipgrip.data.tables import csv_bytes, read_table
from clipgrip.errors import ClipgripError

FOLDERS = "folders.csv"
"""Beside class folders of which some could not be called like their class: which is of which."""
SEPARATORS = re.compile(r"[\s_\-\u2010-\u2015\u2212]+")
"""Spaces, underscores, hyphens and dashes: the same between the words of a name."""
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


def class_key(name: str) -> str:
    """The form in which folders and classes are compared: case, width and what stands between words are one."""
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", canonical(name)).casefold())
    return SEPARATORS.sub(" ", text).strip()


def folder_names(names: Sequence[str]) -> dict[str, str]:
    """Class name -> a folder that any system can make, no two the same where capitals do not count.

    A class that can have a folder of its name has it; the others' are not even almost like another's.
    """
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        if no_split(safe(name)) == name and name.casefold() not in taken:
            found[name] = name
            taken |= {name.casefold(), class_key(name)}
    for name in names:
        if name in found:
            continue
        folder = made = no_split(safe(name))
        number = 2
        while {made.casefold(), class_key(made)} & taken:
            made, number = f"{folder} {number}", number + 1
        taken |= {made.casefold(), class_key(made)}
        found[name] = made
    return {name: found[name] for name in names}


def safe(name: str) -> str:
    """A name as the name of a file or folder that any system can make."""
    usable = "".join(c if c.isprintable() and c not in _UNSAFE else "_" for c in name)
    usable = usable.encode()[:_LONGEST].decode(errors="ignore").strip(" .") or "_"
    return f"_{usable}" if usable.split(".")[0].strip().casefold() in _RESERVED else usable


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
