"""What a command did, for a file and for ``-v``: call, versions, settings, notes, warnings, and how it ended.

INFO and above stand on the screen anyway; DEBUG only in the file, and on the screen with ``-v``.
"""

from __future__ import annotations

import logging
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clipgrip.errors import ConfigError
from clipgrip.files import system_sentence

LOGGER = logging.getLogger("clipgrip.command")
LOGGER.propagate = False
LOGGER.addHandler(logging.NullHandler())  # else Python itself would print what nobody asked for
WARNINGS = logging.getLogger("py.warnings")
FIRST = "clipgrip log"
"""How such a file begins, so that no other file is added to."""
SECRET = "--token"


def begin(file: Path | None, *, verbose: bool, words: Sequence[str]) -> None:
    """Write down what is called from now on, to a file that grows, to standard error, to both or to none.

    ConfigError: the file cannot be written, or is none of these logs.
    """
    end()
    if verbose:
        shown = logging.StreamHandler(sys.stderr)
        shown.addFilter(lambda record: record.levelno < logging.INFO)
        _add(shown, "%(message)s")
    if file is not None:
        _add(_opened(file), "%(asctime)s %(levelname)-7s %(message)s")
    if verbose or file is not None:
        logging.captureWarnings(capture=True)
        _describe(words)


def end() -> None:
    """Close what `begin` opened."""
    for handler in [one for one in LOGGER.handlers if not isinstance(one, logging.NullHandler)]:
        for logger in (LOGGER, WARNINGS):
            logger.removeHandler(handler)
        handler.close()
    logging.captureWarnings(capture=False)


def note_values(values: Mapping[str, Any]) -> None:
    """What was given to the command."""
    given = {name: value for name, value in values.items() if value not in (None, False, "", {})}
    given.pop("token", None)
    LOGGER.debug("given: %s", given)


def _add(handler: logging.Handler, form: str) -> None:
    handler.setFormatter(logging.Formatter(form))
    LOGGER.setLevel(logging.DEBUG)
    for logger in (LOGGER, WARNINGS):
        logger.addHandler(handler)


def _opened(file: Path) -> logging.Handler:
    try:
        if file.exists():  # a pipe that nobody reads would be waited for
            os.close(os.open(file, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0)))
        if file.exists() and file.stat().st_size:
            with file.open("rb") as old:
                if not old.read(len(FIRST)).startswith(FIRST.encode()):
                    raise ConfigError(
                        "--log-file {file} is there and is no log of clipgrip. Give another name.",
                        file=file,
                    )
        else:
            file.write_text(f"{FIRST}\n", "utf-8")
        return logging.FileHandler(file, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise ConfigError(
            "--log-file cannot be written: {reason} Give another name.",
            reason=system_sentence(error),
        ) from None


def _describe(words: Sequence[str]) -> None:
    from clipgrip.runs.identity import machine, versions

    LOGGER.debug("called: clipgrip %s", shlex.join(_without_secret(words)))
    LOGGER.debug("in: %s", os.getcwd())
    LOGGER.debug("versions: %s", ", ".join(f"{name} {one}" for name, one in versions().items()))
    LOGGER.debug("machine: %s", ", ".join(f"{name} {one}" for name, one in machine().items()))


def _without_secret(words: Sequence[str]) -> list[str]:
    """What the link of a review must carry is not written down."""
    shown: list[str] = []
    for word in words:
        hide = shown[-1:] == [SECRET]
        is_both = word.startswith(f"{SECRET}=")
        shown.append("..." if hide else f"{SECRET}=..." if is_both else word)
    return shown
