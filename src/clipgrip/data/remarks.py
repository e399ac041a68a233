"""What people should know about how their lists and tables were read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import islice

from clipgrip.data.classes import heading_remark
from clipgrip.data.entries import LABEL_COLUMNS, PATH_COLUMNS
from clipgrip.data.issues import Issue, Issues
from clipgrip.data.tables import TEXT_SUFFIXES, read_table
from clipgrip.data.text import encoding_remark
from clipgrip.errors import DataError
from clipgrip.sentences import Sentence, mark

MOST_TABLES = 20
OF_A_MODEL = ("decided_by", "confidence")
"""Columns of tables of a model's answers, which clipgrip writes: they are no labels."""
AMONG = mark(
    "{path} lists images with labels and lies among the images; to take its labels give --labels with it"
)


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


def tables_among(root: str, issues: Issues) -> Iterator[Issue]:
    """Tables of labels that lie among images, as metadata.csv in published sets: they are read where they are given."""
    files = (one.path for one in issues.among({"not-an-image"}) if _is_table(one.path))
    for path in islice(files, MOST_TABLES):
        try:
            table = read_table(os.path.join(root, path))
            is_list = None not in (table.find(PATH_COLUMNS), table.find(LABEL_COLUMNS))
            is_list = is_list and table.find(OF_A_MODEL) is None
        except DataError:
            continue
        if is_list:
            yield Issue(path, "labels-not-read", Sentence(AMONG, path=path))


def _file(place: object) -> str | None:
    return os.fspath(place) if isinstance(place, str | os.PathLike) else None


def _is_table(path: str) -> bool:
    return path.casefold().endswith(TEXT_SUFFIXES) and not os.path.isdir(path)
