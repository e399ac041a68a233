"""Refuses lists of classes whose lines hold more than a name: numbers, quotes, YAML, comments."""

from __future__ import annotations

import re
from collections.abc import Sequence

from clipgrip.data.text import without_controls
from clipgrip.errors import DataError
from clipgrip.sentences import mark

Line = tuple[int, str]
"""Number of the line in the file, and its text."""

NO_NAME = mark(
    '{source} line {number}: "{line}" is written as in a program, in YAML or as a comment, not as a name. Write one '
    "name a line and nothing else, or a CSV with the columns name,prompt."
)
NUMBERED = mark(
    '{source}: a number stands beside each name ("{line}"). Give the names alone, one a line. Where the number is a '
    "part of the name, give a CSV with the columns name,prompt."
)
ONE_LINE = mark('{source}: one line alone ("{line}"). Write one name a line.')
TABS = mark("{source} line {number}: two columns without names. Let the first line be name,prompt.")

_NOTATION = re.compile(
    r"""[\[\]{}(),]+$|(?:["'].*["']|[^"']*["']),$|#\s(?!\d+$)|//|<!--|(?:names|classes|labels):$"""
)
_LIST_MARK = re.compile(r"[-*•]\s")
_BEFORE = re.compile(r"(\d+)(?:\s*[:.)=,;](?!\d)\s*|\s+)(\S.*)")
_BEHIND = re.compile(r"(.*\S)(?:\s*[:=,;]\s*|\s+)(\d+)")
_WORD = re.compile(r"[^\W\d_]")


def check_names(lines: Sequence[Line], source: str) -> None:
    """DataError where the lines of a list hold more than names."""
    shown = [(number, without_controls(line).strip()) for number, line in lines]
    for number, line in shown:
        if "\t" in line:
            raise DataError(TABS, source=source, number=number)
        if _NOTATION.match(line):
            raise DataError(NO_NAME, source=source, number=number, line=line)
    if len(shown) == 1 and re.search("[,;、|]", shown[0][1]):
        raise DataError(ONE_LINE, source=source, line=shown[0][1])
    if len(shown) > 1 and all(_LIST_MARK.match(line) for _, line in shown):
        raise DataError(NO_NAME, source=source, number=shown[0][0], line=shown[0][1])
    if _are_numbered([line for _, line in shown]):
        raise DataError(NUMBERED, source=source, line=shown[0][1])


def _are_numbered(lines: Sequence[str]) -> bool:
    """Whether the lines are numbered 0, 1, 2 or 1, 2, 3, and the names beside the numbers all differ.

    No numbering: names that differ only in a plural (1 pin, 2 pins), and sizes (0.5 mm, 1.0 mm).
    """
    for pattern, number, name in ((_BEFORE, 1, 2), (_BEHIND, 2, 1)):
        found = [one for line in lines if (one := pattern.fullmatch(line))]
        numbers = [int(one[number][:9]) for one in found]
        if len(found) < max(2, len(lines)) or numbers[0] not in (0, 1):
            continue
        names = {one[name].casefold() for one in found}
        if numbers != list(range(numbers[0], numbers[0] + len(found))) or len(names) < len(found):
            continue
        if len({name.rstrip("es") for name in names}) > 1 and all(map(_WORD.search, names)):
            return True
    return False
