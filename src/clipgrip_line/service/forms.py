"""Forms with files, read in memory: their bytes are counted as those of every body, and no disk is needed for them."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote_to_bytes

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from clipgrip_line.errors import LineError
from clipgrip_line.sentences import Sentence, mark

UNREADABLE = mark("the form of the request cannot be read: {error}")
CUT = mark("its end is missing (the last boundary). Was it sent whole?")
NO_FILE = mark(
    "the form brings no file. Give each image a file name, as curl -F images=@a.png does."
)
MOST_FIELDS = 32
_EXTENDED = re.compile(rb";\s*filename\*\s*=\s*\"?([\w-]+)'[^']*'([^;\s\"]*)\"?", re.IGNORECASE)
_PLAIN = re.compile(rb';\s*filename\s*=\s*("(\\.|[^"\\])*"|[^;\s]*)', re.IGNORECASE)


class _Parser(MultiPartParser):
    spool_max_size = 1 << 40
    ended = False

    def on_headers_finished(self) -> None:
        """With the file's name in its own letters, which some programs send beside or instead of the plain one."""
        part = self._current_part
        part.content_disposition = plainly_named(part.content_disposition or b"")
        super().on_headers_finished()

    def on_end(self) -> None:
        self.ended = True

    def close(self) -> None:
        """All files, also one that is not a part of the form because it is cut."""
        for file in self._files_to_close_on_error:
            file.close()


def plainly_named(disposition: bytes) -> bytes:
    """``filename*=UTF-8''%E9%83%A8.png`` (RFC 5987) as ``filename``, which is all that the parser knows."""
    found = _EXTENDED.search(disposition)
    if found is None:
        return disposition
    raw = unquote_to_bytes(found[2])
    try:
        name = raw.decode(found[1].decode("ascii")).encode()
    except (LookupError, UnicodeError):
        name = raw
    quoted = name.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    rest = _PLAIN.sub(b"", _EXTENDED.sub(b"", disposition))
    return rest + b'; filename="' + quoted + b'"'


async def files_and_texts(
    request: Request, files: int, part: int
) -> tuple[list[tuple[bytes, str]], dict[str, Any]]:
    """Files of a form with their names, and its texts: up to so many files, and so many bytes a text.

    Raises:
        LineError: it cannot be read, its end is missing, or it brings no file.
    """
    limits: dict[str, Any] = {"max_files": files, "max_fields": MOST_FIELDS, "max_part_size": part}
    parser = _Parser(request.headers, request.stream(), **limits)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise LineError(UNREADABLE, error=error.message) from error
    if not parser.ended:
        parser.close()
        raise LineError(UNREADABLE, error=Sentence(CUT))
    return await _sorted(form)


async def _sorted(form: FormData) -> tuple[list[tuple[bytes, str]], dict[str, Any]]:
    found: list[tuple[bytes, str]] = []
    texts: dict[str, Any] = {}
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            found.append((await value.read(), value.filename or ""))
        else:
            texts[name] = value
    await form.close()
    if not found:
        raise LineError(NO_FILE)
    return found, texts
