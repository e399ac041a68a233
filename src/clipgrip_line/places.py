"""May a file be made here? Asked before the work whose result it will hold."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

from clipgrip_line.errors import LineError
from clipgrip_line.files import openable, system_words
from clipgrip_line.sentences import Sentence

TABLES = ("", ".csv", ".txt", ".tsv")
"""Endings of a file of lines; under another one a viewer of pictures or an archiver would open it in vain."""
PASSING = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO)
"""What is no matter of permissions, and may be put right where it is."""


def hindrance(folder: Path) -> Sentence | None:
    """Why no file can be made in a folder, or in the nearest one that is there; None where one can.

    A file without a name is made there and dropped: permissions do not tell it of /proc, nor of some network shares.
    """
    above = (folder, *folder.absolute().parents)
    there = next((one for one in above if os.path.lexists(one)), None)
    if there is None:  # a drive of Windows
        return Sentence("{folder} is not there", folder=above[-1])
    if not there.is_dir():
        return Sentence("{there} is a file", there=there)
    try:
        if os.access(there, os.W_OK):
            with tempfile.TemporaryFile(dir=openable(there)):
                return None
    except OSError as error:
        if error.errno in PASSING:
            return Sentence("{path}: {reason}", path=there, reason=system_words(error))
    return Sentence("{there} may not be written", there=there)


def check_new_table(path: Path) -> None:
    """`check_new`, of a CSV file. LineError: as there, or the name has an ending of another kind of file."""
    if path.suffix.lower() not in TABLES:
        raise LineError(
            '{path} will be a CSV file, and "{suffix}" is another kind of file. Give a name like {stem}.csv.',
            path=path,
            suffix=path.suffix,
            stem=path.stem,
        )
    check_new(path)


def check_new(path: Path) -> None:
    """LineError where a file or folder cannot be made anew: something stands there and stays, or nothing can."""
    if os.path.lexists(openable(path)):
        raise LineError(
            "{path} is there already and stays. Give another name, or move it away.", path=path
        )
    check_usable(path.parent)


def check_usable(folder: Path) -> None:
    """LineError where no file can be made in a folder, which is made itself if it is missing."""
    if why := hindrance(folder):
        raise LineError(
            "{folder} cannot be used: {why}. Choose another place.", folder=folder, why=why
        )
