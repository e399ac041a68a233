"""What people should know about how their lists and tables were read."""

from __future__ import annotations

import os
from collections.abc import Iterable

from clipgrip.data.classes import heading_remark
from clipgrip.data.issues import Issue
from clipgrip.data.tables import TEXT_SUFFIXES
from clipgrip.data.text import encoding_remark


def text_remarks(classes: object, places: Iterable[object], encoding: str | None) -> list[Issue]:
    """Issues about encodings and headings; ``places`` may be folders or values in memory, which have none."""
    issues = []
    if (path := _file(classes)) and (remark := heading_remark(path, encoding)):
        issues.append(Issue(os.path.basename(path), "class-list", remark))
    tables = (path for place in places if (path := _file(place)) and _is_table(path))
    for path in dict.fromkeys(part for part in (_file(classes), *tables) if part):
        remark = encoding_remark(path, encoding)
        issues += [Issue(os.path.basename(path), "text-encoding", remark)] if remark else []
    return issues


def _file(place: object) -> str | None:
    return os.fspath(place) if isinstance(place, str | os.PathLike) else None


def _is_table(path: str) -> bool:
    return path.casefold().endswith(TEXT_SUFFIXES) and not os.path.isdir(path)
