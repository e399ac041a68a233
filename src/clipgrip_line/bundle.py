"""One file that carries a model: a ZIP of plain members, whose manifest says the SHA-256 of each.

Members are stored as they are, in a fixed order under a fixed date, so equal content makes equal bytes on every
machine. JSON, text, pictures, arrays and ONNX graphs are all that may be inside: nothing in it is ever run as code.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from clipgrip_line.errors import LineError
from clipgrip_line.files import open_file, system_words
from clipgrip_line.sentences import Sentence

KIND, FORMAT = "clipgrip bundle", 1
MANIFEST = "manifest.json"
DATE = (1980, 1, 1, 0, 0, 0)
"""The first that a ZIP knows; the same in every bundle."""
ALLOWED = re.compile(
    r"[a-z0-9][a-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?\.(json|md|txt|png|npy|onnx)"
)
"""Names of members."""
MOST_MANIFEST = 4 << 20
UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, struct.error, ValueError, NotImplementedError, RuntimeError),
    *(EOFError, OSError),
)
"""What Python's reader of archives raises for files that are none, or damaged."""
AGAIN = Sentence("Copy it again, or make it anew with  clipgrip bundle RUN --out FILE.")


def packed(members: Mapping[str, bytes]) -> bytes:
    """The file's bytes; equal members give equal bytes, in whatever order they come."""
    manifest = {
        "kind": KIND,
        "format": FORMAT,
        "members": {
            name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in sorted(members.items())
        },
    }
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for name, data in {MANIFEST: json_bytes(manifest), **dict(sorted(members.items()))}.items():
            entry = zipfile.ZipInfo(name, DATE)
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, data)
    return made.getvalue()


def json_bytes(content: Mapping[str, Any]) -> bytes:
    """JSON that is the same wherever it is written."""
    text = json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False)
    return (text + "\n").encode()


def array_bytes(array: np.ndarray[Any, Any]) -> bytes:
    """An array as a member ``*.npy``."""
    made = io.BytesIO()
    np.lib.format.write_array(made, np.ascontiguousarray(array), (1, 0), allow_pickle=False)
    return made.getvalue()


class Bundle:
    """An opened file whose manifest fits its members; each is compared with its digest when it is read."""

    def __init__(self, path: Path) -> None:
        """Read the manifest. LineError: the file is missing, no bundle, damaged, or newer than this program."""
        self.path = path
        with self._archive() as archive:
            manifest = self._manifest(archive)
            self.members: Mapping[str, Mapping[str, Any]] = manifest["members"]
            self._check_members(archive)
        self.version = hashlib.sha256(self._manifest_bytes).hexdigest()[:12]

    def read(self, name: str) -> bytes:
        """The bytes of a member. LineError: they are not what was written."""
        if name not in self.members:
            raise LineError("{path} lacks its part {name}. {again}", **self._named(name))
        with self._archive() as archive:
            return self._compared(archive, name)

    def read_all(self) -> dict[str, bytes]:
        """The bytes of every member; LineError where one is not what was written."""
        with self._archive() as archive:
            return {name: self._compared(archive, name) for name in self.members}

    def json(self, name: str) -> dict[str, Any]:
        """A member that holds a JSON object."""
        try:
            content = json.loads(self.read(name))
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise self._unreadable(name)
        return content

    def array(self, name: str) -> np.ndarray[Any, Any]:
        """A member that holds an array."""
        try:
            found: np.ndarray[Any, Any] = np.lib.format.read_array(
                io.BytesIO(self.read(name)), allow_pickle=False
            )
        except ValueError:
            raise self._unreadable(name) from None
        return found

    @contextmanager
    def _archive(self) -> Iterator[zipfile.ZipFile]:
        with self._opened() as file:
            try:
                archive = zipfile.ZipFile(file)
            except UNREADABLE:
                raise self._without_end(file) from None
            with archive:
                yield archive

    def _opened(self) -> BinaryIO:
        try:
            return open_file(self.path)
        except OSError as error:
            raise LineError(
                "{path} cannot be read: {reason}. Check the name.",
                path=self.path,
                reason=system_words(error),
            ) from None

    def _manifest(self, archive: zipfile.ZipFile) -> dict[str, Any]:
        try:
            if archive.getinfo(MANIFEST).file_size > MOST_MANIFEST:
                raise self._foreign()
            self._manifest_bytes = archive.read(MANIFEST)
            manifest = json.loads(self._manifest_bytes)
        except KeyError:
            raise self._foreign() from None
        except UNREADABLE:
            raise self._damaged(MANIFEST) from None
        if not isinstance(manifest, dict) or manifest.get("kind") != KIND:
            raise self._foreign()
        self._check_format(manifest.get("format"))
        if not isinstance(manifest.get("members"), dict):
            raise self._damaged(MANIFEST)
        return manifest

    def _check_format(self, number: object) -> None:
        if not isinstance(number, int) or number != FORMAT:
            raise LineError(
                "{path} is a bundle of format {number}, and this program reads format {known}. Install the "
                "clipgrip-line that belongs to it (pip install --upgrade clipgrip-line).",
                path=self.path,
                number=number,
                known=FORMAT,
            )

    def _check_members(self, archive: zipfile.ZipFile) -> None:
        """Nothing more and nothing less than the manifest says, nothing compressed, no name that leads elsewhere."""
        entries = {entry.filename: entry for entry in archive.infolist()}
        for name in {*entries, *self.members} - {MANIFEST}:
            content, entry = self.members.get(name), entries.get(name)
            stored = entry is not None and entry.compress_type == zipfile.ZIP_STORED
            if not (stored and isinstance(content, dict) and ALLOWED.fullmatch(name)):
                raise self._damaged(name)
            if entry is None or content.get("bytes") != entry.file_size:
                raise self._damaged(name)
        if len(entries) != len(archive.infolist()):
            raise self._damaged(MANIFEST)

    def _compared(self, archive: zipfile.ZipFile, name: str) -> bytes:
        try:
            data = archive.read(name)
        except (KeyError, *UNREADABLE):
            raise self._damaged(name) from None
        if hashlib.sha256(data).hexdigest() != self.members[name].get("sha256"):
            raise self._damaged(name)
        return data

    def _named(self, name: str) -> dict[str, object]:
        return {"path": self.path, "name": name, "again": AGAIN}

    def _damaged(self, name: str) -> LineError:
        return LineError(
            "{path} is damaged: its part {name} is not what was written. {again}",
            **self._named(name),
        )

    def _unreadable(self, name: str) -> LineError:
        return LineError("{path}: its part {name} cannot be read. {again}", **self._named(name))

    def _without_end(self, file: BinaryIO) -> LineError:
        """It has no list of parts: the copy was broken off, or it is another kind of file."""
        file.seek(0)
        head = file.read(30 + len(MANIFEST))
        if not (head.startswith(b"PK\x03\x04") and head.endswith(MANIFEST.encode())):
            return self._foreign()
        return LineError(
            "{path} is cut off: its end is missing. {again}", path=self.path, again=AGAIN
        )

    def _foreign(self) -> LineError:
        return LineError(
            "{path} is no bundle of clipgrip. Give the file that  clipgrip bundle  wrote.",
            path=self.path,
        )
