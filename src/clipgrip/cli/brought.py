"""Labels that people gave elsewhere, brought into a review without opening its page."""

from __future__ import annotations

import getpass
from pathlib import Path

from clipgrip.cli.ui import Result
from clipgrip.data.text import in_utf8
from clipgrip.errors import DataError, RunError
from clipgrip.files import read_file, system_words
from clipgrip.sentences import Sentence, mark
from clipgrip.words import Words

NOTHING = mark("{table}: nothing was taken in; no line of it is an answer to an image of this run.")
EMPTY = mark("{table}: it holds no entry at all, so nothing was taken in.")
LARGEST = 2 << 30
"""Bytes of a table."""


def bring_in(
    run: Path, table: Path, person: str, say: Words, encoding: str | None = None
) -> Result:
    """Keep what a table says as answers of a person; what was taken, what was left out, and why. Code 1: nothing.

    Raises:
        DataError: the table cannot be read, or is none.
        RunError: the review is open in another process, or damaged.
    """
    from clipgrip.review.exchange.importing import imported
    from clipgrip.review.session import ReviewSession
    from clipgrip.review.store import open_review
    from clipgrip.review.web.server import alone

    try:
        data = in_utf8(read_file(table, LARGEST), encoding)
    except OSError as error:
        unread = mark("{path} cannot be read: {reason}. Check the name.")
        raise DataError(unread, path=table, reason=system_words(error)) from error
    if not run.is_dir():
        raise RunError("{run} holds no run. Give the folder that clipgrip run wrote.", run=run)
    with open_review(run, create=True) as store, alone(run):
        try:
            found = imported(ReviewSession(run, store), "csv", data, person or _user(), say)
        except DataError as error:
            raise DataError("{path}: {reason}", path=table, reason=error.sentence) from error
    lines = [Sentence("answers      {n} from {table}", n=found["answers"], table=table)]
    lines += [Sentence("{text}: {n}", text=line["text"], n=line["n"]) for line in found["table"]]
    lines += found["problems"]
    nothing = not found["answers"] and not any(one["kind"] == "same" for one in found["table"])
    if nothing:
        lines.append(
            Sentence(NOTHING if found["problems"] or found["table"] else EMPTY, table=table)
        )
    return Result(lines, found, int(nothing))


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "import"
