"""Which files lie below a folder now. Folders are read anew each time: network shares send no notices."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clipgrip_line.files import openable

LITTER = frozenset(
    {"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin"}
    | {"system volume information", "lost+found"}
)
"""Names, in lower case, that operating systems and network drives leave behind."""
UNFINISHED = (".tmp", ".part", ".partial", ".filepart", ".crdownload")
"""Endings under which programs write what they rename when it is whole."""
BESIDE = (".json", ".xml", ".csv", ".txt", ".ini", ".log")
"""Endings of what cameras, and this program, write beside pictures."""


@dataclass(frozen=True)
class Entry:
    """A file as a listing shows it."""

    path: str
    size: int
    mtime: int


@dataclass(frozen=True)
class Listing:
    """Files by path, sub-folders and files that could not be looked at with the reason, and what is no file."""

    entries: tuple[Entry, ...]
    unread: tuple[tuple[str, OSError], ...]
    odd: tuple[str, ...] = ()
    """What is no file of its own: pipes, sockets, devices, linked folders. It is not looked at."""


def scan(folder: Path, apart: Path) -> Listing:
    """All files that may be pictures; what lies below ``apart`` is not looked at, nor what links to folders.

    OSError: the folder itself is not there, or cannot be read.
    """
    entries: list[Entry] = []
    unread: list[tuple[str, OSError]] = []
    odd: list[str] = []
    pending = [""]
    not_here = _identity(apart)
    while pending:
        below = pending.pop()
        here = os.path.join(folder, below)
        if below and not_here is not None and _identity(here) == not_here:
            continue
        try:
            for name, one in _listed(here):
                path = f"{below}/{name}" if below else name
                if one is None:
                    pending.append(path)
                elif isinstance(one, OSError):
                    unread.append((path, one))
                elif not stat.S_ISREG(one.st_mode):
                    odd.append(path)
                else:
                    entries.append(Entry(path, one.st_size, one.st_mtime_ns))
        except OSError as error:
            if not below:
                raise
            unread.append((below, error))
    entries.sort(key=lambda one: one.path)
    return Listing(tuple(entries), tuple(sorted(unread, key=lambda pair: pair[0])), tuple(odd))


def is_within(path: Path, folder: Path) -> bool:
    """Whether a path is a folder or lies in it, however both are written: shares may not mind upper and lower case."""
    wanted = _identity(folder)
    whole = path.resolve()
    return wanted is not None and wanted in map(_identity, (whole, *whole.parents))


def _identity(folder: str | Path) -> tuple[int, int] | str | None:
    """What the system knows a folder by, its whole name where that is nothing; None where there is none."""
    try:
        found = os.stat(openable(folder))
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if found.st_ino else os.path.realpath(folder)


def _listed(here: str) -> Iterator[tuple[str, os.stat_result | OSError | None]]:
    """Names with their status; None for a sub-folder, the error where the system refuses a single file."""
    with os.scandir(openable(here)) as found:
        for one in found:
            if one.name.startswith((".", "~$")) or one.name.casefold() in LITTER:
                continue
            if one.is_dir(follow_symlinks=False):
                yield one.name, None
            elif not one.name.casefold().endswith((*UNFINISHED, *BESIDE)):
                try:  # the listing of a Windows folder lags behind what is written
                    yield one.name, os.stat(os.path.join(here, one.name))
                except FileNotFoundError:  # renamed or removed meanwhile
                    continue
                except OSError as error:  # a link in a circle, or to where we may not look
                    yield one.name, error
