"""Remarks on how lists and tables were read, and on tables of labels that nobody asked to read."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from itertools import islice

from clipgrip.data.classes import heading_remark
from clipgrip.data.entries import LABEL_COLUMNS, PATH_COLUMNS
from clipgrip.data.issues import Issue, Issues
from clipgrip.data.tables import TEXT_SUFFIXES, read_table
from clipgrip.data.text import encoding_remark
from clipgrip.errors import DataError
from clipgrip.files import open_file
from clipgrip.sentences import Sentence, mark

MOST_TABLES = 20
"""How many tables among the images are opened."""
LONGEST_LINE = 1 << 16
"""Bytes of the first line of a .jsonl that are read."""
OF_A_MODEL = ("decided_by", "confidence")
"""Columns by which tables of answers that clipgrip wrote are recognized: they are no labels."""
AMONG = mark(
    "{path} lists images with labels and lies among the images; to take its labels give --labels with it"
)
AMONG_LINES = mark(
    "{path} holds labels in JSON lines and lies among the images; to take them, write them as a CSV with the columns "
    "path,label, and give --labels with it"
)


def text_remarks(classes: object, places: Iterable[object], encoding: str | None) -> list[Issue]:
    """Remarks on encodings and headings of the files among ``places``; folders and values in memory are skipped."""
    issues = []
    if (path := _path(classes)) and (remark := heading_remark(path, encoding)):
        issues.append(Issue(os.path.basename(path), "class-list", remark))
    tables = (path for place in places if (path := _path(place)) and _is_text_table(path))
    for path in dict.fromkeys(part for part in (_path(classes), *tables) if part):
        remark = encoding_remark(path, encoding)
        issues += [Issue(os.path.basename(path), "text-encoding", remark)] if remark else []
    return issues


def tables_among(root: str, issues: Issues) -> Iterator[Issue]:
    """Remarks on tables of labels among the images, as the metadata.csv of published sets: only --labels reads them."""
    files = (one.path for one in issues.among({"not-an-image"}) if _is_text_table(one.path))
    for path in islice(files, MOST_TABLES):
        try:
            table = read_table(os.path.join(root, path))
            is_list = None not in (table.find(PATH_COLUMNS), table.find(LABEL_COLUMNS))
            is_list = is_list and table.find(OF_A_MODEL) is None
        except DataError:
            continue
        if is_list:
            yield Issue(path, "labels-not-read", Sentence(AMONG, path=path))
    lines = (one.path for one in issues.among({"not-an-image"}) if one.path.endswith(".jsonl"))
    for path in islice(lines, MOST_TABLES):
        if _holds_labels(os.path.join(root, path)):
            yield Issue(path, "labels-not-read", Sentence(AMONG_LINES, path=path))


def _holds_labels(path: str) -> bool:
    """Whether the first line of a .jsonl has a file and a label, as metadata.jsonl has."""
    try:
        with open_file(path) as file:
            first = json.loads(file.readline(LONGEST_LINE))
    except (OSError, ValueError, RecursionError):
        return False
    keys = {key.casefold() for key in first} if isinstance(first, dict) else set()
    return bool(keys & set(PATH_COLUMNS)) and bool(keys & set(LABEL_COLUMNS))


def _path(place: object) -> str | None:
    return os.fspath(place) if isinstance(place, str | os.PathLike) else None


def _is_text_table(path: str) -> bool:
    return path.casefold().endswith(TEXT_SUFFIXES) and not os.path.isdir(path)
