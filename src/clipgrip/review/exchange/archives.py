"""Class folders in a ZIP, whoever packed it: Windows in Japanese, old .NET, a Mac."""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import combinations
from pathlib import PurePosixPath

from clipgrip.data.archive import check_archive
from clipgrip.data.images import HEAD_BYTES, UndecodableImage, check_signature
from clipgrip.data.portable import FOLDERS
from clipgrip.data.walk import LITTER
from clipgrip.errors import DataError
from clipgrip.review.exchange.claims import Claimed, Known, Left, Read
from clipgrip.sentences import Sentence
from clipgrip_line.causes import cause

MAX_FILE = 256 << 20
"""Bytes of one image in a ZIP."""
MAX_ALL = 8 << 30
"""Bytes of all images in a ZIP."""
CHUNK = 1 << 20
MISSING = "MISSING-README.txt"
"""What our own export says in the ZIP of the images that it lacks."""
UNLABELED = "_unlabeled"
"""FiftyOne's folder of images without a label."""
NEAREST = 64
"""Last parts of a path among which a folder of a class is looked for; no system has paths of many thousands."""
DEEPEST = 8
"""Folders in which the parts of a name with slashes are looked for."""
ENCODINGS = ("utf-8", "cp932", "cp437", "cp850", "cp1252", "gbk", "cp949")
"""How names without the mark of UTF-8 may be written."""
_UTF8, _ENCRYPTED, _UNICODE_PATH = 0x800, 0x1, 0x7075
_BROKEN = (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, zlib.error)


def read_folders(data: bytes, known: Known) -> Iterator[Read]:
    """Images in folders named by class, whatever stands above or below these; an image is known by its content.

    DataError: no ZIP that can be read, or too much in it.
    """
    known = lru_cache(1 << 16)(known)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            check_archive(archive, len(data))
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            paths = names(entries, known)
            top = _common([path for path in paths if not _is_litter(path)])
            if sum(entry.file_size for entry in entries) > MAX_ALL:
                raise DataError(
                    "the ZIP holds more than {size} GB. Give it in parts.", size=MAX_ALL >> 30
                )
            for entry, path in zip(entries, paths, strict=True):
                yield _entry(archive, entry, path, known, top)
    except (zipfile.BadZipFile, NotImplementedError, struct.error, ValueError) as error:
        raise DataError(
            "the file is no ZIP that can be read ({error}). Give class folders in a ZIP.",
            error=error,
        ) from None


def names(entries: Sequence[zipfile.ZipInfo], known: Known) -> list[str]:
    """Paths with ``/``. Names without the mark of UTF-8 are read so that the most folders are classes.

    Windows in Japan writes them as cp932, and zipfile reads them all as cp437.
    """
    unmarked = [_raw(entry) for entry in entries if not entry.flag_bits & _UTF8]
    best = max(ENCODINGS, key=lambda code: _fit(unmarked, code, known))  # the first of equals
    found = []
    for entry in entries:
        raw = _raw(entry)
        own = _unicode_path(entry)
        if own is not None:
            text = own
        elif entry.flag_bits & _UTF8:
            text = entry.orig_filename.partition("\0")[0]
        else:
            text = raw.decode(best, "replace")
        found.append(text.replace("\\", "/"))
    return found


def _raw(entry: zipfile.ZipInfo) -> bytes:
    try:
        return entry.orig_filename.partition("\0")[0].encode("cp437")
    except UnicodeEncodeError:
        return entry.orig_filename.encode("utf-8", "replace")


def _fit(raw: Sequence[bytes], encoding: str, known: Known) -> tuple[bool, int]:
    """Whether all names can be read so, and how many then stand in a folder of a class."""
    try:
        texts = [one.decode(encoding).replace("\\", "/") for one in raw]
    except UnicodeDecodeError:
        return False, 0
    return True, sum(any(map(known, text.split("/")[-NEAREST:-1])) for text in texts)


def _unicode_path(entry: zipfile.ZipInfo) -> str | None:
    """The name in UTF-8 that Info-ZIP keeps beside the other one."""
    extra = entry.extra
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        if kind == _UNICODE_PATH and size > 5 and extra[4] == 1:
            (checksum,) = struct.unpack_from("<I", extra, 5)
            text = extra[9 : 4 + size]
            return text.decode("utf-8", "replace") if checksum == zlib.crc32(_raw(entry)) else None
        extra = extra[4 + size :]
    return None


def _entry(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: str, known: Known, top: str
) -> Read:
    if _is_litter(path):
        return Left("litter", path, path)
    if entry.file_size > MAX_FILE:
        return Left("unreadable", path, path, Sentence("more than {n} MB", n=MAX_FILE >> 20))
    if entry.flag_bits & _ENCRYPTED:
        return Left("unreadable", path, path, Sentence("it is encrypted"))
    try:
        head, sha256 = _content(archive, entry)
    except _BROKEN as error:
        return Left("unreadable", path, path, cause(error))
    if not _is_picture(head):
        return Left("no-picture", path, path)
    folders = [part for part in path.split("/")[-NEAREST:-1] if part not in ("", ".", "..")]
    if not folders:
        return Left("folder", path, path, sha256=sha256)
    if folders[-1] == UNLABELED:
        return Left("no-label", path, path, sha256=sha256)
    classes = list(dict.fromkeys(folder for folder in folders if known(folder))) or _joined(
        folders, known
    )
    inner = [name for name in classes if name != top]
    if len(classes) > 1 and len(inner) == 1:  # the folder around everything is called like a class
        classes = inner
    if len(classes) > 1:
        return Left("folders", path, path, ", ".join(classes), sha256)
    return Claimed(path, classes[0] if classes else folders[-1], path, sha256)


def _joined(folders: Sequence[str], known: Known) -> list[str]:
    """A class whose name holds a slash, as FiftyOne writes it: a folder in a folder."""
    last = folders[-DEEPEST:]
    pairs = combinations(range(len(last) + 1), 2)
    found = ("/".join(last[begin:end]) for begin, end in pairs if end - begin > 1)
    return list(dict.fromkeys(name for name in found if known(name)))


def _is_picture(head: bytes) -> bool:
    try:
        check_signature(head)
    except UndecodableImage:
        return False
    return True


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> tuple[bytes, str]:
    """The first bytes and the content hash."""
    digest, head = hashlib.sha256(), b""
    with archive.open(entry) as file:
        while chunk := file.read(CHUNK):
            head = head or chunk[:HEAD_BYTES]
            digest.update(chunk)
    return head, digest.hexdigest()


def _common(paths: Sequence[str]) -> str:
    """The folder that stands around everything; empty where there is none."""
    first = {path.partition("/")[0] for path in paths}
    return first.pop() if len(first) == 1 and all("/" in path for path in paths) else ""


def _is_litter(path: str) -> bool:
    parts = PurePosixPath(path).parts
    if any(part.casefold() in LITTER or part.startswith("._") for part in parts):
        return True
    ours = path == MISSING or parts[-1:] == (FOLDERS,)
    return bool(parts) and (parts[-1].startswith(".") or ours)
