"""Answers as CSV, one file a day, and what could not be used in another."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import count, groupby
from pathlib import Path

from clipgrip_line.folder.item import Item, printable
from clipgrip_line.folder.lines import Cell, Lines

ANSWERS = (
    *("number", "time", "lot", "path", "class", "confidence", "verdict", "decided_by"),
    *("second", "second_confidence", "third", "third_confidence", "version", "image_id"),
)
ISSUES = ("number", "time", "lot", "path", "reason")
ALARMS = ("number", "time", "event", "what", "version", "facts")


def answer_row(item: Item) -> list[Cell]:
    """The cells after the number."""
    answer = item.content
    others = [*answer["top"][1:3], *({"class": "", "confidence": ""} for _ in range(2))][:2]
    more = [cell for other in others for cell in (other["class"], other["confidence"])]
    head = [
        item.at,
        printable(item.lot),
        printable(item.path),
        answer["class"],
        answer["confidence"],
    ]
    return [
        *head,
        answer["verdict"],
        answer["decided_by"],
        *more,
        answer["version"],
        answer["image_id"],
    ]


def issue_row(item: Item) -> list[Cell]:
    """The cells after the number."""
    reason = printable(str(item.content["reason"]))
    return [item.at, printable(item.lot), printable(item.path), reason]


def alarm_row(item: Item) -> list[Cell]:
    """The cells after the number."""
    facts = {
        key: item.content[key]
        for key in item.content
        if key not in ("event", "at", "version", "what")
    }
    what = item.content.get("what") or item.content.get("group", "")
    head = [item.at, item.content["event"], what, item.content["version"]]
    return [*head, json.dumps(facts, ensure_ascii=False)]


class Table:
    """An outlet of numbered lines, a file for each day of the items' own times."""

    at_once = 500

    def __init__(
        self, folder: Path, name: str, columns: Sequence[str], row: Callable[[Item], list[Cell]]
    ) -> None:
        self.folder, self.name, self._columns, self._row = folder, name, columns, row
        self._open: dict[str, Lines] = {}

    def deliver(self, items: Sequence[Item]) -> None:
        """Append what is not there yet."""
        for day, group in groupby(items, lambda item: item.at[:10]):
            lines = self._lines(day)
            try:
                lines.add([(item.number, self._row(item)) for item in group])
            except OSError:
                self._open.pop(
                    day, None
                )  # it may hold half a line now, and is mended before the next
                raise

    def _lines(self, day: str) -> Lines:
        """The day's file, mended when it is first used; a person's file of that name stays."""
        known = self._open.get(day)
        if known is not None and known.path.exists():
            return known
        self._open.pop(day, None)
        self.folder.mkdir(parents=True, exist_ok=True)
        for number in count(1):
            extra = "" if number == 1 else f"-{number}"
            try:
                lines = Lines(self.folder / f"{self.name}-{day}{extra}.csv", self._columns)
            except ValueError:
                continue
            while len(self._open) > 3:  # days that are over
                del self._open[min(self._open)]
            return self._open.setdefault(day, lines)
        raise AssertionError("unreachable")
