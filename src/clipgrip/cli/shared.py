"""The options that every command has, before its name or after it."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, cast, get_type_hints

import typer

from clipgrip.cli.closed import parameter
from clipgrip.cli.log import begin
from clipgrip.cli.ui import Ui
from clipgrip.errors import ConfigError, nearest
from clipgrip.words import LANGUAGES, Language, mark

LANG = "CLIPGRIP_LANG"


@dataclass(frozen=True)
class Shared:
    """Their values; None or False where one was not given here."""

    lang: Annotated[
        Language | None,
        typer.Option(
            "--lang",
            help="Language of help, pages, reports and all that is printed; --json is English.  "
            f"[default: {LANG}, else en]",
            show_default=False,
        ),
    ] = None
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document, errors too.")
    ] = False

    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", help="No progress; only results, notes and errors.")
    ] = False
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Also versions, settings, warnings and times.")
    ] = False
    log_file: Annotated[
        Path | None,
        typer.Option(
            "--log-file",
            help="Write down what is done in this file; it grows with each command.",
            show_default=False,
        ),
    ] = None

    def over(self, outer: Shared) -> Shared:
        """These where they were given, else those before the command's name."""
        mine = {one.name: getattr(self, one.name) for one in fields(self)}
        return Shared(**{name: value or getattr(outer, name) for name, value in mine.items()})

    def ui(self) -> Ui:
        """What they mean; the log begins. ConfigError: the log cannot be written, or both -q and -v are given."""
        if self.quiet and self.verbose:
            raise ConfigError(mark("--quiet and --verbose were both given. Give one of them."))
        asked = self.lang or usual_language()
        if self.verbose or self.log_file is not None:
            begin(self.log_file, verbose=self.verbose, words=sys.argv[1:])
        return Ui(asked or "en", as_json=self.as_json, quiet=self.quiet, asked_language=asked)


def usual_language() -> Language | None:
    """That of the environment, if there is one. ConfigError: there are no texts in it."""
    named = os.environ.get(LANG)
    if not named:
        return None
    if named not in LANGUAGES:
        raise ConfigError(
            '{lang} "{named}" is not known. Known: {languages}.{nearest}',
            lang=LANG,
            named=named,
            languages=", ".join(LANGUAGES),
            nearest=nearest(named, LANGUAGES),
        )
    return cast(Language, named)


def leading(words: Sequence[str]) -> int:
    """How many words at the beginning are shared options and their values."""
    valued, flags = ("--lang", "--log-file"), ("--json", "-q", "--quiet", "-v", "--verbose")
    at = 0
    while at < len(words):
        if words[at] in valued:
            at += 2
        elif words[at] in flags or words[at].startswith(tuple(f"{name}=" for name in valued)):
            at += 1
        else:
            break
    return min(at, len(words))


def parameters() -> list[inspect.Parameter]:
    """The shared options for typer."""
    hints = get_type_hints(Shared, include_extras=True)
    return [parameter(one.name, hints[one.name], one.default) for one in fields(Shared)]
