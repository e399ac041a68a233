"""How a command speaks: results in lines or as one JSON document, progress beside them, in the reader's language."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import typer

from clipgrip.cli.log import LOGGER
from clipgrip.words import Language, Words

if TYPE_CHECKING:
    from clipgrip.cli.screen import Screen


@dataclass(frozen=True)
class Result:
    """What a command found: lines for a person, facts for a program, and the exit code.

    A line that is a `Sentence` is said in the reader's language; the facts stay as they are.
    """

    lines: Sequence[str]
    facts: Mapping[str, Any]
    code: int = 0


@dataclass(frozen=True)
class Ui:
    """What the shared options say: ``--lang``, ``--json``, ``-q``."""

    language: Language = "en"
    as_json: bool = False
    quiet: bool = False
    asked_language: Language | None = None
    """That of ``--lang`` or CLIPGRIP_LANG; None where neither was given."""

    @cached_property
    def say(self) -> Words:
        """Fixed sentences in the reader's language."""
        return Words(self.language)

    @cached_property
    def screen(self) -> Screen:
        """Progress and notes, on standard error."""
        from clipgrip.cli.screen import Screen

        return Screen(say=self.say, quiet=self.quiet)

    def tell(self, result: Result) -> None:
        """Print a result on standard output."""
        lines = [self.say.translated(line) for line in result.lines]
        for text in lines:
            LOGGER.info("%s", text)
        if "settings" in result.facts:
            LOGGER.debug("settings: %s", result.facts["settings"])
        if self.as_json:
            typer.echo(document(result.facts), nl=False)
        elif lines:
            typer.echo("\n".join(lines))


def document(facts: Mapping[str, Any]) -> str:
    """One JSON document; paths are written as texts."""
    return (
        json.dumps(dict(facts), indent=1, ensure_ascii=False, allow_nan=False, default=str) + "\n"
    )


def utf8_output() -> None:
    """Replace what an old console cannot show instead of stopping."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")
