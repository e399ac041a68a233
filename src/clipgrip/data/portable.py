"""Names of class folders that every operating system and reader accepts, and the way back to the class."""

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
"""A table folder,class beside exported class folders, if some could not have the name of their class."""
SEPARATORS = re.compile(r"[\s_\-\u2010-\u2015\u2212]+")
"""Spaces, underscores, hyphens and dashes: names that differ only in these are the same."""
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
"""Names that Windows reserves for devices."""
_LONGEST = 120
"""The most bytes of a folder's name."""
_SPLIT = re.compile(
    r"(?:(?<=[-._ 0-9])|^)(train|training|validation|valid|dev|val|test|testing|eval|evaluation)(?=[-._ 0-9]|$)"
)
"""A word that Hugging Face's ``imagefolder`` takes for a split; it then reads only the files that have one."""


def class_key(name: str) -> str:
    """The form in which folders and classes are compared, without differences in case, width and separators."""
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", canonical(name)).casefold())
    return SEPARATORS.sub(" ", text).strip()


def folder_names(names: Sequence[str]) -> dict[str, str]:
    """Class name -> folder name that any system accepts; no two are equal where case does not count.

    A class keeps its own name if it can. Any other folder differs from all others in `class_key` too.
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
    """A name with all characters replaced that some operating system does not accept in a file's name."""
    usable = "".join(c if c.isprintable() and c not in _UNSAFE else "_" for c in name)
    usable = usable.encode()[:_LONGEST].decode(errors="ignore").strip(" .") or "_"
    return f"_{usable}" if usable.split(".")[0].strip().casefold() in _RESERVED else usable


def no_split(name: str) -> str:
    """A name in which no reader finds the word for a split: ``test 1`` becomes ``test~ 1``."""
    return _SPLIT.sub(r"\1~", name)


def folders_table(names: Sequence[str]) -> bytes:
    """The content of `FOLDERS` for these classes; empty where every folder has the name of its class."""
    made = folder_names(names)
    if all(folder == name for name, folder in made.items()):
        return b""
    return csv_bytes(("folder", "class"), [(folder, name) for name, folder in made.items()])


def named_otherwise(place: Path) -> dict[str, str]:
    """Folder -> class, from the `FOLDERS` of an export; empty where it is missing or cannot be read."""
    if not os.path.isfile(place / FOLDERS):
        return {}
    try:
        table = read_table(place / FOLDERS)
        folder, name = table.need(("folder",)), table.need(("class",))
    except ClipgripError:
        return {}
    return {row[folder]: canonical(row[name]) for row in table.rows if canonical(row[name])}
