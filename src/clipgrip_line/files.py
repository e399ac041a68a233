"""Files that appear whole or not at all, and paths that open on every system."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
import shutil
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from typing import BinaryIO

from clipgrip_line.process import lives
from clipgrip_line.sentences import Sentence, mark

AnyPath = str | os.PathLike[str]

FULL = Sentence(
    "Make space there, then run the same command again: what was stored before is kept."
)
CLOSED = Sentence("See to its permissions, or choose another folder.")
FAILING = Sentence(
    "Check the path, and the disk or the connection to it, then run the same command again."
)
TAKEN = Sentence("Something stands there already. Give another name, or move it away.")
NO_FOLDER = Sentence("A file stands where a folder is needed. Give another name.")
CHECK = Sentence("Check the path.")
ADVICE = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), FULL),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), CLOSED),
    **dict.fromkeys((errno.EIO, errno.ESTALE, errno.ETIMEDOUT), FAILING),
    errno.EEXIST: TAKEN,
    errno.ENOTDIR: NO_FOLDER,
}
"""What to do, by the system's error number."""
REFUSALS = (
    mark("No such file or directory"),
    mark("Permission denied"),
    mark("Read-only file system"),
    mark("No space left on device"),
    mark("Disk quota exceeded"),
    mark("Is a directory"),
    mark("Not a directory"),
    mark("File name too long"),
    mark("File exists"),
    mark("Input/output error"),
    mark("Address already in use"),
    mark("Cannot assign requested address"),
    mark("Operation not permitted"),
    mark("Too many open files"),
    mark("Too many levels of symbolic links"),
    mark("Cannot allocate memory"),
    mark("Device or resource busy"),
    mark("Text file busy"),
    mark("Stale file handle"),
    mark("Transport endpoint is not connected"),
    mark("Connection refused"),
    mark("Connection reset by peer"),
    mark("Connection timed out"),
    mark("Network is unreachable"),
    mark("No route to host"),
    mark("Host is down"),
    mark("Name or service not known"),
    mark("Temporary failure in name resolution"),
    mark("timed out"),
)
"""How systems say what people meet most; anything else stays in the system's words."""
PART = re.compile(r"\.clipgrip-([0-9a-f]{8})-(\d+)-[0-9a-f]{16}\.part")
"""A name of `part_name`: machine, process."""


def system_sentence(error: OSError) -> str:
    """What the system refused, where, and what to do."""
    where = f"{os.fsdecode(error.filename)}: " if error.filename else ""
    advice = ADVICE.get(error.errno or 0, CHECK)
    return Sentence(
        "{where}{reason}. {advice}", where=where, reason=system_words(error), advice=advice
    )


def system_words(error: OSError) -> Sentence:
    """What the system says."""
    reason: str = error.strerror or str(error)
    return reason if isinstance(reason, Sentence) else Sentence(reason)


def part_name(folder: AnyPath) -> str:
    """A new hidden name in ``folder`` for what is not whole yet; `sweep` knows whose it is."""
    name = f".clipgrip-{_machine()}-{os.getpid()}-{secrets.token_hex(8)}.part"
    return os.path.join(os.fspath(folder), name)


def sweep(folder: AnyPath) -> None:
    """Remove the parts in ``folder`` that killed processes of this machine left; those of living ones stay."""
    try:
        names = os.listdir(openable(folder))
    except OSError:
        return
    for name in names:
        found = PART.fullmatch(name)
        if found and found[1] == _machine() and not lives(int(found[2])):
            path = openable(os.path.join(os.fspath(folder), name))
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):  # one that stays is no reason to keep the others
                    os.unlink(path)


def _machine() -> str:
    return hashlib.sha256(socket.gethostname().encode("utf-8", "replace")).hexdigest()[:8]


def write_bytes_atomic(
    path: AnyPath, data: bytes, ready: Callable[[], None] = lambda: None
) -> None:
    """Write ``data`` so that ``path`` holds the old content or the new one, never a mixture.

    The bytes go to a ``.part`` file in the same folder, reach the disk, then take the name.

    ``ready`` is called when the bytes are on the disk and have not taken the name yet. OSError: the folder is missing,
    the disk is full, or the name is not allowed; it names ``path``, which is then as it was.
    """
    folder = os.path.dirname(os.path.abspath(os.fspath(path)))
    part = part_name(folder)
    with naming(path):
        try:
            _write_through(part, data)
            ready()
            os.replace(openable(part), openable(path))
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(openable(part))
            raise
    _sync_folder(folder)


def write_bytes_once(path: AnyPath, data: bytes, ready: Callable[[], None] = lambda: None) -> None:
    """Write a new file that appears whole; what is there already stays as it is.

    Raises:
        FileExistsError: ``path`` is there.
        OSError: as `write_bytes_atomic`.
    """
    folder = os.path.dirname(os.path.abspath(os.fspath(path)))
    part = part_name(folder)
    with naming(path):
        try:
            _write_through(part, data)
            ready()
            _name_once(openable(part), openable(path))
        finally:
            with contextlib.suppress(OSError):
                os.unlink(openable(part))
    _sync_folder(folder)


def utf8(text: str) -> str:
    """Text that can be encoded: bytes of a name that are no UTF-8 are shown as ``\\udcff``."""
    return utf8_bytes(text).decode()


def utf8_bytes(text: str) -> bytes:
    """The same, encoded."""
    return text.encode("utf-8", "backslashreplace")


def write_text_atomic(path: AnyPath, text: str) -> None:
    """Write ``text`` as UTF-8, newlines as they are, with the promise of `write_bytes_atomic`.

    OSError as `write_bytes_atomic`.
    """
    write_bytes_atomic(path, utf8_bytes(text))


@contextlib.contextmanager
def naming(path: AnyPath) -> Iterator[None]:
    """Let an OSError within name ``path``: a full disk names no file, and a part is not what was asked for."""
    try:
        yield
    except OSError as error:
        if error.errno is not None:  # else the name would take the place of the sentence
            error.filename = os.fspath(path)
        raise


def open_file(path: AnyPath) -> BinaryIO:
    """A regular file for reading, or what a link to one leads to; a pipe or device is never waited for.

    OSError: as `open`; also a folder, a pipe, a socket or a device, and a path that no system allows.
    """
    text = os.fspath(path)
    if "\0" in text:
        raise OSError(errno.EINVAL, mark("no name of a file holds a NUL character"), text)
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    handle = os.open(openable(text), flags | getattr(os, "O_CLOEXEC", 0))
    try:
        mode = os.fstat(handle).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, mark("it is a folder"), text)
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, mark("it is a pipe or a device, not a file"), text)
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def read_file(path: AnyPath, most: int) -> bytes:
    """The bytes of a regular file of at most ``most`` bytes. OSError: as `open_file`; also a larger file."""
    with open_file(path) as file:
        data = file.read(min(most, os.fstat(file.fileno()).st_size) + 1)
        while len(data) <= most and (more := file.read(1 << 20)):  # it grew, or says no size
            data += more
        if len(data) > most:
            raise OSError(
                errno.EINVAL,
                Sentence("it is larger than {most} MiB", most=most >> 20),
                os.fspath(path),
            )
        return data


def is_full(error: BaseException) -> bool:
    """Whether a disk or a quota is full: the only faults that making room mends."""
    full = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
    return isinstance(error, OSError) and error.errno in full


def openable(path: AnyPath) -> str:
    """``path`` as the system opens it: Windows needs a prefix beyond 259 characters."""
    text = os.fspath(path)
    if sys.platform != "win32":
        return text
    full = os.path.abspath(text)
    if len(full) < 248 or full.startswith("\\\\?\\"):
        return text
    return "\\\\?\\UNC" + full[1:] if full.startswith("\\\\") else "\\\\?\\" + full


def from_home(word: str) -> str:
    """``--out=~/runs`` below the home, as no shell has it behind ``=``, in quotes or in a file; others as they are.

    A folder that is really called ``~`` is meant where there is one.
    """
    option, equals, path = word.partition("=") if word.startswith("--") else ("", "", word)
    if not path.startswith(("~/", f"~{os.sep}")) or os.path.lexists("~"):
        return word
    return f"{option}{equals}{os.path.expanduser(path)}"


def _write_through(path: str, data: bytes) -> None:
    with open(openable(path), "xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _name_once(part: str, path: str) -> None:
    """A second name refuses to take a place; where a file has but one (FAT), look before the move."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError:
        if os.path.lexists(path):
            raise FileExistsError(path) from None
        os.replace(part, path)


def _sync_folder(folder: str) -> None:
    """Make the new name itself durable; Windows has no handle for this and needs none."""
    if sys.platform == "win32":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network shares refuse to sync a folder
            os.fsync(handle)
    finally:
        os.close(handle)
