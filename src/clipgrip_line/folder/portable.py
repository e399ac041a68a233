"""Names of folders and files that every system can make."""

from __future__ import annotations

import re

_NOT_ALLOWED = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
LONGEST = 80


def portable(name: str) -> str:
    """The name, with ``_`` for what some system does not allow."""
    plain = _NOT_ALLOWED.sub("_", name.encode("utf-8", "replace").decode())[:LONGEST].strip(" .")
    return f"_{plain}" if not plain or _RESERVED.fullmatch(plain) else plain
