"""Writes output files without overwriting a person's: only files that clipgrip wrote and nobody changed are replaced.

A hidden file in the same folder (`RECORD`) has a line for each output: its name, the SHA-256 of its bytes, and the
command that wrote it. It moves with the folder and needs no lock. The line is added before the output gets its name, so
that an output of a killed process is recognized too.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Callable, Collection, Iterable
from datetime import date
from functools import partial
from itertools import count
from pathlib import Path

from clipgrip.errors import RunError
from clipgrip.files import (
    AnyPath,
    hindrance,
    naming,
    openable,
    sweep,
    write_bytes_atomic,
    write_bytes_once,
)
from clipgrip.sentences import Sentence
from clipgrip_line.places import TABLES

RECORD = ".clipgrip.written"


def check_table(path: AnyPath, by: str, reads: Iterable[AnyPath] = ()) -> None:
    """As `check_output`, for a CSV file. RunError: also for a name with another ending."""
    path = Path(path)
    if path.suffix.lower() not in TABLES:
        raise RunError(
            '{path} will be a CSV file, and "{suffix}" is another kind of file. Give --out a name like '
            "{stem}.csv.",
            path=path,
            suffix=path.suffix,
            stem=path.stem,
        )
    check_output(path, by, reads)


def check_output(
    path: AnyPath, by: str, reads: Iterable[AnyPath] = (), option: str = "--out"
) -> None:
    """Check that the command ``by`` may write a file at ``path``, which must be none that it ``reads``.

    A missing folder is made when the file is written. RunError: that is impossible, or at ``path`` is a folder, a link,
    a device, or a file that this command did not write or that was changed since.
    """
    path = Path(path)
    if path.is_dir() and not path.is_symlink():
        raise RunError(
            "{path} is a folder. Give {option} the name of a file.",
            path=path,
            option=option,
        )
    check_writable(path.parent, option)
    sweep(path.parent)
    if any(_same(path, one) for one in reads):
        raise RunError(
            "{path} is what this command reads. Give {option} another name.",
            path=path,
            option=option,
        )
    if not may_replace(path, by):
        raise RunError(_not_ours(path, option))


def may_replace(path: AnyPath, by: str) -> bool:
    """Whether ``path`` is free, or a file that the command ``by`` wrote and nobody changed since."""
    try:
        mode = os.lstat(openable(path)).st_mode
    except FileNotFoundError:
        return True
    if not stat.S_ISREG(mode):
        return False
    return _digest_of(path) in _digests(path, by)


def write_output(path: AnyPath, data: bytes, by: str) -> None:
    """Write a file that a person named; it appears whole or not at all.

    Raises:
        RunError: as `check_output`.
        OSError: the system refused; it names ``path``, which is then as it was.
    """
    if _holds(path, data):
        _remember(path, data, by)
        return
    check_output(path, by)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    remember = partial(_remember, path, data, by)
    if os.path.lexists(openable(path)):
        write_bytes_atomic(path, data, remember)
        return
    try:
        write_bytes_once(path, data, remember)
    except FileExistsError:  # it appeared meanwhile
        raise RunError(_not_ours(Path(path))) from None


def take_output(path: AnyPath, part: AnyPath, by: str) -> None:
    """As `write_output`, but rename the finished file ``part`` in the same folder; for large files.

    Raises:
        RunError: as `check_output`.
        OSError: the system refused.
    """
    check_output(path, by)
    _remember_digest(path, _digest_of(part), by)
    with naming(path):
        with open(openable(part), "rb") as file:
            os.fsync(file.fileno())
        os.replace(openable(part), openable(path))


def write_dated(
    path: Path, data: bytes, by: str, note: Callable[[str], None] = lambda _: None
) -> Path:
    """As `write_output`, but beside a file that is not ours, as ``NAME-2026-11-28``; returns the path.

    ``note`` is called if the path is another one than asked for. OSError as `write_output`.
    """
    today = path.with_name(f"{path.stem}-{date.today().isoformat()}{path.suffix}")
    more = (path.with_name(f"{today.stem}-{number}{path.suffix}") for number in count(2))
    for place in (path, today, *(next(more) for _ in range(98))):
        if _holds(place, data) or may_replace(place, by):
            write_output(place, data, by)
            if place != path:
                note(
                    Sentence(
                        "{path} is not as clipgrip wrote it, so it stays; the new one is {place}.",
                        path=path,
                        place=place,
                    )
                )
            return place
    raise RunError(
        "{path} and every dated name beside it are taken. Move some of them away.", path=path
    )


def remove_output(path: Path, by: str) -> None:
    """Remove a file that the command wrote earlier, if nobody changed it since."""
    if path.is_file() and may_replace(path, by):
        path.unlink()


def check_writable(folder: Path, option: str = "--out") -> None:
    """RunError where no file can be made in a folder, which need not exist; ``option`` is what to change."""
    if why := hindrance(folder):
        raise RunError(
            "{folder} cannot be used: {why}. Choose another {option}.",
            folder=folder,
            why=why,
            option=option,
        )


def check_folder(folder: Path, own: str, what: str, beside: Collection[str] = ()) -> None:
    """Check that a command may write into a folder: it is new, empty but for ``beside``, or contains the file ``own``.

    RunError: it has other content, or cannot be written.
    """
    check_writable(folder)
    if not folder.is_dir():
        return
    sweep(folder)
    if {path.name for path in folder.iterdir()} - {RECORD, *beside} and not (
        folder / own
    ).is_file():
        raise RunError(
            "{folder} is there already and holds no {what}. Give --out a folder that is new or empty.",
            folder=folder,
            what=what,
        )


def _not_ours(path: Path, option: str = "--out") -> str:
    if path.is_symlink():
        return Sentence("{path} is a link. Give {option} another name.", path=path, option=option)
    if path.is_file():
        return Sentence(
            "{path} is there already, and it is no file that this command wrote and nobody changed since: it may hold "
            "what you need, and stays. Give {option} another name, or move it away.",
            path=path,
            option=option,
        )
    return Sentence(
        "{path} is no ordinary file. Give {option} another name.", path=path, option=option
    )


def _same(path: Path, other: AnyPath) -> bool:
    with contextlib.suppress(OSError):
        return os.path.samefile(path, other)
    return os.path.abspath(path) == os.path.abspath(other)


def _holds(path: AnyPath, data: bytes) -> bool:
    """Whether the file has exactly these bytes already."""
    with contextlib.suppress(OSError):
        found = os.lstat(openable(path))
        if stat.S_ISREG(found.st_mode) and found.st_size == len(data):
            return _digest_of(path) == hashlib.sha256(data).hexdigest()
    return False


def _digest_of(path: AnyPath) -> str:
    try:
        with open(openable(path), "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return "unreadable"


def _digests(path: AnyPath, by: str) -> set[str]:
    """SHA-256 of everything that the command wrote under this name."""
    folder, name = os.path.split(os.path.abspath(path))
    record, found = os.path.join(folder, RECORD), set()
    with contextlib.suppress(OSError):
        if stat.S_ISREG(os.lstat(openable(record)).st_mode):
            with open(openable(record), encoding="utf-8", errors="replace") as file:
                for line in file:
                    with contextlib.suppress(ValueError, KeyError, TypeError):
                        entry = json.loads(line)
                        if (entry["name"], entry["by"]) == (name, by):
                            found.add(str(entry["sha256"]))
    return found


def _remember(path: AnyPath, data: bytes, by: str) -> None:
    _remember_digest(path, hashlib.sha256(data).hexdigest(), by)


def _remember_digest(path: AnyPath, digest: str, by: str) -> None:
    """Add a line to the record. If that fails, the file will be taken for a person's and not be replaced."""
    folder, name = os.path.split(os.path.abspath(path))
    record = openable(os.path.join(folder, RECORD))
    if digest in _digests(path, by):
        return
    line = json.dumps({"name": name, "sha256": digest, "by": by}) + "\n"
    with contextlib.suppress(OSError):
        if os.path.lexists(record) and not stat.S_ISREG(os.lstat(record).st_mode):
            return
        handle = os.open(record, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(handle, line.encode())
            os.fsync(handle)
        finally:
            os.close(handle)
