"""Tables that grow by whole lines: each numbered line once, whatever was killed or torn before."""

from __future__ import annotations

import contextlib
import csv
import errno
import io
import os
import re
from collections.abc import Sequence
from pathlib import Path

from clipgrip_line.files import openable

BOM = b"\xef\xbb\xbf"
_FORMULA = re.compile(r"'*[=+\-@＝＋－＠﹦﹢﹣﹫\t\r\n]")
"""Begins what a spreadsheet may run."""
Cell = str | int | float


def line_of(cells: Sequence[Cell]) -> bytes:
    """One line as Excel takes it; a text that it would run gets an apostrophe in front."""
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerow(map(guarded, cells))
    return out.getvalue().encode("utf-8", "backslashreplace")


def guarded(cell: Cell) -> Cell:
    """A text that a spreadsheet would run with an apostrophe in front, which clipgrip takes away when it reads."""
    return "'" + cell if isinstance(cell, str) and _FORMULA.match(cell) else cell


class Lines:
    """One CSV file, UTF-8 with byte order mark, whose first column is the number of a line."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        """Take away what a kill or a cut of the power left of a last line.

        Raises:
            OSError: the file cannot be read or written.
            ValueError: it begins with other columns: it is another table.
        """
        self.path, self._head = path, BOM + line_of(columns)
        self.numbers: set[int] = set()
        with contextlib.suppress(FileNotFoundError):
            self._mend()

    def _mend(self) -> None:
        with open(openable(self.path), "r+b") as file:
            data = file.read()
            whole = data.split(b"\0", 1)[0]  # blocks that the disk never got
            whole = whole[: whole.rfind(b"\n") + 1]
            if whole and not whole.startswith(self._head):
                raise ValueError(self.path)
            if not whole and not self._head.startswith(data[: len(self._head)]):
                raise ValueError(self.path)
            if len(whole) < len(data):
                file.truncate(len(whole))
                os.fsync(file.fileno())
        for line in whole[len(self._head) :].splitlines():
            with contextlib.suppress(ValueError):
                self.numbers.add(int(line.split(b",", 1)[0]))

    def add(self, rows: Sequence[tuple[int, Sequence[Cell]]]) -> None:
        """Append the rows whose numbers are not there yet, and bring them to the disk.

        OSError: the system refused; the file is as it was.
        """
        new = [(number, cells) for number, cells in rows if number not in self.numbers]
        if not new:
            return
        text = b"".join(line_of((number, *cells)) for number, cells in new)
        with open(openable(self.path), "ab", buffering=0) as file:
            before = file.seek(0, os.SEEK_END)
            text = text if before else self._head + text
            try:
                if file.write(text) != len(text):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
                os.fsync(file.fileno())
            except BaseException:
                with contextlib.suppress(OSError):
                    file.truncate(before)
                raise
        self.numbers.update(number for number, _ in new)
