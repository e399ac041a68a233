"""The command line in the reader's language: headings of --help, and what is said of words that cannot be used."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Any, NoReturn, cast

from clipgrip_line.misspelled import near
from clipgrip_line.sentences import Sentence, mark
from clipgrip_line.words import LANGUAGES, Language, Words

LANG = "CLIPGRIP_LANG"
OF_ARGPARSE = (
    mark("usage: "),
    mark("positional arguments"),
    mark("options"),
    mark("show this help message and exit"),
    mark("show program's version number and exit"),
    mark("argument %(argument_name)s: %(message)s"),
    mark("unrecognized arguments: %s"),
    mark("not allowed with argument %s"),
    mark("ignored explicit argument %r"),
    mark("the following arguments are required: %s"),
    mark("one of the arguments %s is required"),
    mark("expected one argument"),
    mark("expected at most one argument"),
    mark("expected at least one argument"),
    mark("ambiguous option: %(option)s could match %(matches)s"),
    mark("invalid %(type)s value: %(value)r"),
    mark("invalid choice: %(value)r (choose from %(choices)s)"),
)
"""How Python's parser says what people meet; what it says beyond that stays English."""
EMPTY = mark("{what} is empty. Give the name of a file or folder, or leave it out.")
ENDS = (".", "?", "。", "？")
"""Of a sentence, after which no full stop is set."""


def named_language(words: Sequence[str]) -> str:
    """What ``--lang`` says, before the words are parsed; else the environment; empty where neither says anything."""
    named = os.environ.get(LANG, "")
    for word, following in pairwise([*words, ""]):
        if word == "--lang":
            named = following
        elif word.startswith("--lang="):
            named = word.partition("=")[2]
    return named


def words_in(named: str) -> Words:
    """That language, else English."""
    return Words(cast(Language, named if named in LANGUAGES else "en"))


def words_of(args: argparse.Namespace) -> Words:
    """In the language that was asked for, else that of the environment, else English."""
    return words_in(args.lang or os.environ.get(LANG, ""))


def asked_language(args: argparse.Namespace) -> Language | None:
    """The one that was asked for; None where nobody said."""
    named = args.lang or os.environ.get(LANG, "")
    return words_in(named).language if named in LANGUAGES else None


def document(facts: Any) -> str:
    """What ``--json`` prints."""
    return json.dumps(facts, ensure_ascii=False, indent=1, default=str)


@contextmanager
def speaking(say: Words) -> Iterator[None]:
    """Python's parser asks gettext for its texts; meanwhile it asks our catalogue."""
    former: Any = vars(argparse)["_"]
    vars(argparse)["_"] = say.translated
    try:
        yield
    finally:
        vars(argparse)["_"] = former


def refused(template: str, **values: object) -> argparse.ArgumentTypeError:
    """Why a word cannot be used, in the language that the parser speaks now."""
    return argparse.ArgumentTypeError(vars(argparse)["_"](Sentence(template, **values)))


def number_within(text: str, low: float, high: float, allowed: str) -> float:
    """A number from ``low`` to ``high``; ``allowed`` says so in words."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise not_allowed(text, allowed)
    return value


def not_allowed(text: str, allowed: str) -> argparse.ArgumentTypeError:
    """That ``text`` is none of what ``allowed`` says."""
    return refused(
        mark('"{text}" is not allowed. Give {allowed}.'), text=text, allowed=Sentence(allowed)
    )


def positive(text: str) -> int:
    """A whole number from 1."""
    allowed = mark("a whole number from 1")
    value = number_within(text, 1, 1e9, allowed)
    if value % 1:
        raise not_allowed(text, allowed)
    return int(value)


def whole(text: str) -> int:
    """A whole number; its range is checked where it is used."""
    try:
        return int(text)
    except ValueError:
        raise not_allowed(text, mark("a whole number")) from None


def number(text: str) -> float:
    """A number; its range is checked where it is used."""
    try:
        return float(text)
    except ValueError:
        raise not_allowed(text, mark("a number")) from None


def _meant(template: str, values: object, slip: str) -> str:
    """What Python's parser would say, with what was meant, in the language that it speaks now."""
    translated = vars(argparse)["_"]
    problem = translated(template) % values
    meant = Sentence(' Did you mean "{name}"?', name=slip)
    return translated(Sentence("{problem}.{meant}", problem=problem, meant=meant))


class Parser(argparse.ArgumentParser):
    """One that says its errors as one JSON document, too, where ``--json`` asks for it."""

    as_json = False
    commands: Mapping[str, Parser] = {}
    """The commands below it."""

    def check_names(self, words: Sequence[str]) -> None:
        """Refuse a slip in a command or an option, and say what was meant, before anything else is missed."""
        name, *rest = words or [""]
        command = self.commands.get(name)
        if command is None:
            if slip := near(name, self.commands):
                shown = {"value": name, "choices": ", ".join(map(repr, self.commands))}
                self.error(
                    _meant("invalid choice: %(value)r (choose from %(choices)s)", shown, slip)
                )
            return
        known = [one for action in command._actions for one in action.option_strings]
        command._check_empty(rest)
        for word in takewhile(lambda one: one != "--", rest):
            option = word.partition("=")[0]
            is_known = any(one.startswith(option) for one in known)
            if option.startswith("--") and not is_known and (slip := near(option, known)):
                command.error(_meant("unrecognized arguments: %s", option, slip))

    def _check_empty(self, words: Sequence[str]) -> None:
        """Refuse a file or folder that is named by an empty word, which would mean the working folder."""
        options = {name: one for one in self._actions for name in one.option_strings}
        for before, word in pairwise(["", *words]):
            name, equals, value = word.partition("=")
            option = name if equals and not value else before if not word else ""
            is_path = option in options and options[option].type is Path
            if is_path or (not word and (before not in options or options[before].nargs == 0)):
                what = option if is_path else Sentence("an argument")
                empty = Sentence(EMPTY, what=what)
                self.error(vars(argparse)["_"](empty))

    def error(self, message: str) -> NoReturn:
        """The sentence, where help is, and code 2; a page of options before it would hide it."""
        if Parser.as_json:
            print(document({"error": message, "kind": "Usage"}))
        translated = vars(argparse)["_"]
        if not message.endswith(ENDS):
            message = translated(Sentence("{message}.", message=message))
        refusal = Sentence("{message} See {command} --help.", message=message, command=self.prog)
        self.exit(2, f"clipgrip-line: {translated(refusal)}\n")
