"""What typer says of a command line that cannot be read, as our own sentences."""

from __future__ import annotations

import re
from typing import Any

from clipgrip.words import Sentence, mark

SAYINGS = (
    (r"no such option: (?P<option>\S+)", mark("no such option: {option}")),
    (
        r"no such option: (?P<option>\S+) \(Possible options: (?P<options>.+)\)",
        mark("no such option: {option} (Possible options: {options})"),
    ),
    (r"option (?P<option>'.+') requires an argument", mark("option {option} requires an argument")),
    (r"option (?P<option>'.+') does not take a value", mark("option {option} takes no value")),
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
