"""Old names of commands and options: they go on working until 0.3, with a line of advice."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from clipgrip.cli.spoken import words_of
from clipgrip.words import mark

ADVICE = mark("note: {old} is now {new}; the old name works until 0.3.")


def advise(old: str, new: str) -> None:
    """One line on standard error."""
    say = words_of(sys.argv[1:])
    print(f"clipgrip: {say(ADVICE, old=old, new=new)}", file=sys.stderr)


def renewed(
    words: Sequence[str], names: Mapping[str, str]
) -> tuple[list[str], list[tuple[str, str]]]:
    """The words of a command with new names for old options, and which they were.

    An old plural took several values with commas; the new name is given once for each.
    """
    new: list[str] = []
    found: list[tuple[str, str]] = []
    rest = iter(words)
    for word in rest:
        old, equals, value = word.partition("=")
        if word == "--":
            return [*new, word, *rest], found
        if old not in names:
            new.append(word)
            continue
        found.append((old, names[old]))
        value = value if equals else next(rest, "")
        parts = [part.strip() for part in value.split(",")] if old.endswith("s") else [value]
        for part in parts:
            new += [names[old], part]
    return new, found
