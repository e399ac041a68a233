"""What typer says of a command line that cannot be read, as our own sentences, and the headings of its help."""

from __future__ import annotations

import re
import sys
from typing import Any

import typer

from clipgrip.cli.spoken import words_of
from clipgrip.words import Sentence, Words, mark

SAYINGS = (
    (r"no such option: (?P<option>\S+)", mark("no such option: {option}")),
    (
        r"no such option: (?P<option>\S+) \(Possible options: (?P<options>.+)\)",
        mark("no such option: {option} (Possible options: {options})"),
    ),
    (r"option (?P<option>'.+') requires an argument", mark("option {option} requires an argument")),
    (r"missing argument '(?P<name>.+)'", mark("missing argument '{name}'")),
    (r"missing option '(?P<name>.+)'", mark("missing option '{name}'")),
    (r"missing command", mark("missing command")),
    (
        r"got unexpected extra argument\(s\) \((?P<words>.+)\)",
        mark("got unexpected extra argument(s) ({words})"),
    ),
    (
        r"invalid value for '(?P<name>.+)': (?P<value>.+) is not a valid (?P<kind>.+)",
        mark("invalid value for '{name}': {value} is not a valid {kind}"),
    ),
    (r"invalid value for '(?P<name>.+)': (?P<why>.+)", mark("invalid value for '{name}': {why}")),
)
"""Its sentences, and how we say them in other languages; any other one stays as it is."""
HEADINGS = (mark("Arguments"), mark("Options"))
USAGE = mark("Usage: ")
SHOWN = (
    mark("Show this message and exit."),
    mark("Install completion for the current shell."),
    mark("Show completion for the current shell, to copy it or customize the installation."),
)


def usage_sentence(error: Any) -> Sentence:
    """What the command line cannot be read for, and where to look."""
    text, context = error.format_message().rstrip(".").replace("Value error, ", ""), error.ctx
    path = "clipgrip" if context is None else context.command_path
    what = _known(f"{text[:1].lower()}{text[1:]}")
    return Sentence("{what}. See {path} --help.", what=what, path=path)


def _known(text: str) -> Sentence:
    for pattern, template in SAYINGS:
        if found := re.fullmatch(pattern, text):
            return Sentence(template, **found.groupdict())
    return Sentence(text)


Formatter: Any = typer.Context.formatter_class  # typer has no public name for it


class Help(Formatter):  # type: ignore[misc]
    """The help of a command, its fixed words in the reader's language."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """How the command is called."""
        super().write_usage(prog, args, prefix or _words().translated(USAGE))

    def write_heading(self, heading: str) -> None:
        """Above a list."""
        super().write_heading(_words().translated(heading))

    def write_dl(self, rows: Any, *args: Any, **more: Any) -> None:
        """Names, and what each is for."""
        say = _words()
        super().write_dl([(name, say.translated(help)) for name, help in rows], *args, **more)


class TranslatedContext(typer.Context):
    """Of a command whose help is in the reader's language."""

    formatter_class = Help


def _words() -> Words:
    return words_of(sys.argv[1:])
