"""Which known name an unknown one is a slip of: a letter wrong, missing, too many or exchanged; or a part of which.

Names that only look alike ("nosuch" and "bench") are no slip: a wrong hint is worse than the list beside it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

LETTERS_A_SLIP = 4
"""A name of so many letters may hold another slip."""
SHORT = 2
"""In names up to this long a letter that is another makes another name: OK and NG."""
PART = 3
"""Letters from which the beginning or the end of a name stands for it."""


def near(name: str, known: Iterable[str]) -> str | None:
    """The first of the known names with the fewest slips, or the one that begins or ends with ``name``."""
    word = _plain(name)
    most, found, parts = max(1, len(word) // LETTERS_A_SLIP), None, list[str]()
    for one in known:
        other = _plain(one)
        slips = _slips(word, other, most)
        if slips is not None and (found is None or slips < most):
            most, found = slips, one
        elif _is_part(word, other) and not _other_number(word, other):
            parts.append(one)
    if found is None and parts:
        shortest = min(parts, key=len)  # "visual", where "visual-deep" is there too
        return shortest if all(one.startswith(shortest) for one in parts) else None
    return found


def _plain(name: str) -> str:
    """Without case, and in the half width where a Japanese keyboard wrote in the full one."""
    return unicodedata.normalize("NFKC", name).casefold()


def _is_part(word: str, other: str) -> bool:
    """Whether the shorter one begins or ends the longer one."""
    short, long = sorted((word, other), key=len)
    return len(short) >= PART and (long.startswith(short) or long.endswith(short))


def _slips(word: str, other: str, most: int) -> int | None:
    """How many slips make one of the other; None for more than ``most``, or where it is another name."""
    if abs(len(word) - len(other)) > most or min(len(word), len(other)) < 2:
        return 0 if word == other else None
    if _other_number(word, other):
        return None
    if len(word) == len(other) <= SHORT and sorted(word) != sorted(other):
        return None
    slips = _distance(word, other)
    return slips if slips <= most else None


def _other_number(word: str, other: str) -> bool:
    """Whether both are numbered, by other digits: "defect 3" is no slip of "defect 1"; digits may be exchanged."""
    one, two = (sorted(re.findall(r"\d", text)) for text in (word, other))
    return bool(one and two) and one != two


def _distance(one: str, two: str) -> int:
    """Letters wrong, missing, too many, or exchanged with their neighbour (optimal string alignment)."""
    begin = _shared(one, two)
    one, two = one[begin:], two[begin:]
    end = _shared(one[::-1], two[::-1])
    one, two = one[: len(one) - end], two[: len(two) - end]
    before, row = [0] * (len(two) + 1), list(range(len(two) + 1))
    for i, a in enumerate(one, 1):
        before, last, row = row, before, [i]
        for j, b in enumerate(two, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == two[j - 2] and one[i - 2] == b:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]


def _shared(one: str, two: str) -> int:
    """How many letters are the same from the beginning."""
    pairs = enumerate(zip(one, two, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(one), len(two)))
