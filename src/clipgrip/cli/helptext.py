"""The help of commands in the reader's language: headings, options, what they are for."""

from __future__ import annotations

import re
import sys
from typing import Any

import typer

from clipgrip.cli.spoken import words_of
from clipgrip.words import Words, mark

USAGE = mark("Usage: ")
HEADINGS = (mark("Arguments"), mark("Options"))
SHOWN = (
    mark("Show this message and exit."),
    mark("Install completion for the current shell."),
    mark("Show completion for the current shell, to copy it or customize the installation."),
)
"""What typer itself says."""
PLACES = {"[OPTIONS]": mark("[OPTIONS]"), "COMMAND [ARGS]...": mark("COMMAND [ARGS]...")}
REQUIRED = mark("required")
DEFAULT = mark("default: ")
NO_VALUE = (mark("all"), mark("none"))
BEHIND = re.compile(r"  \[([^\]]*)\]$")
"""What typer writes behind the text of an option: ``[default: 5; x>=1]``, ``[required]``."""
KIND = re.compile(r"<((?:list\[)?(?:str|path|Path)\]?)>")
"""How typer names a text or a path; readers of help need no names of Python's."""

Formatter: Any = typer.Context.formatter_class  # typer has no public name for it


def paragraphs(text: str) -> list[str]:
    """Those of a docstring, each on one line."""
    return [" ".join(one.split()) for one in re.split(r"\n\s*\n", text.strip())]


def parts(text: str) -> tuple[str, list[str]]:
    """The text of an option, and what stands behind it in brackets."""
    behind: list[str] = []
    while found := BEHIND.search(text):
        behind.insert(0, found[1])
        text = text[: found.start()]
    return text, behind


def default_phrase(bracket: str) -> str:
    """The default in a bracket where it is words that are said, no value; else nothing."""
    found = re.match(r"default: (.+?)(?:; x[<>]=?\S+)?$", bracket)
    is_phrase = found and (found[1] in NO_VALUE or (" " in found[1] and found[1][0] != '"'))
    return found[1] if found and is_phrase else ""


def option_text(say: Words, text: str) -> str:
    """What an option is for, with its default."""
    what, behind = parts(text)
    return say.translated(what) + "".join(_bracket(say, one) for one in behind)


def _bracket(say: Words, bracket: str) -> str:
    if bracket == REQUIRED:
        bracket = say(REQUIRED)
    elif phrase := default_phrase(bracket):
        bracket = bracket.replace(phrase, say.translated(phrase), 1)
    return f"  [{bracket.replace('default: ', say(DEFAULT), 1)}]"


class Help(Formatter):  # type: ignore[misc]
    """The help of a command; English as typer writes it, other languages wrapped by the width of their letters."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """How the command is called."""
        say = _words()
        for place, text in PLACES.items():
            args = args.replace(place, say.translated(text))
        super().write_usage(prog, args, prefix or say.translated(USAGE))

    def write_heading(self, heading: str) -> None:
        """Above a list."""
        say = _words()
        title, colon = say.translated(heading), ":" if say.language == "en" else "："
        self.write(f"{'':>{self.current_indent}}{title}{colon}\n")

    def write_text(self, text: str) -> None:
        """What a command does."""
        say = _words()
        shown = [say.translated(one) for one in paragraphs(text)]
        width = self.width - self.current_indent
        super().write_text("\n\n".join(_wrapped(one, width, say) for one in shown))

    def write_dl(self, rows: Any, col_max: int = 30, col_spacing: int = 2) -> None:
        """Names, and what each is for."""
        say = _words()
        first = min(max((len(name) for name, _ in rows), default=0), col_max) + col_spacing
        width = max(self.width - first - 2, 10)
        named = [(KIND.sub(_kind, name), text) for name, text in rows]
        shown = [(name, _wrapped(option_text(say, text), width, say)) for name, text in named]
        super().write_dl(shown, col_max, col_spacing)


def _kind(found: re.Match[str]) -> str:
    return "<path>" if "ath" in found[1] else "<text>"


def _wrapped(text: str, width: int, say: Words) -> str:
    """Lines that the formatter leaves as they are, where letters may be wide."""
    if say.language == "en":
        return text
    from clipgrip.cli.columns import wrapped

    return "\b\n" + "\n".join(wrapped(text, width))


class TranslatedContext(typer.Context):
    """Of a command whose help is in the reader's language."""

    formatter_class = Help


def _words() -> Words:
    return words_of(sys.argv[1:])
