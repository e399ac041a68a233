"""The command line ``clipgrip-line``: each command is a module with ``add(parser)`` and ``run(args)``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, cast

from clipgrip_line import __version__
from clipgrip_line.errors import ClipgripError
from clipgrip_line.files import system_sentence
from clipgrip_line.sentences import mark
from clipgrip_line.words import LANGUAGES, Language, Words

LANG = "CLIPGRIP_LANG"
STOPPED = 130
"""Exit code after Ctrl-C."""
STOPPED_SENTENCE = mark("stopped. What is done is kept; the same command goes on.")
COMMANDS = {
    "show": "clipgrip_line.commands.show",
    "check": "clipgrip_line.commands.check",
    "predict": "clipgrip_line.commands.predict",
    "serve": "clipgrip_line.commands.serve",
    "versions": "clipgrip_line.commands.versions",
    "promote": "clipgrip_line.commands.promote",
    "rollback": "clipgrip_line.commands.rollback",
    "answers": "clipgrip_line.commands.answers",
    "watch": "clipgrip_line.commands.watch",
    "status": "clipgrip_line.commands.status",
    "alarms": "clipgrip_line.commands.alarms",
    "collect": "clipgrip_line.commands.collect",
}
"""In the order of use; a module is imported when the commands are listed, so it imports nothing heavy by itself."""


def parser_of() -> argparse.ArgumentParser:
    """All commands with their options."""
    parser = argparse.ArgumentParser(
        prog="clipgrip-line", description="A model in one file, at work without the training stack."
    )
    parser.add_argument("--version", action="version", version=f"clipgrip-line {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, path in COMMANDS.items():
        module = import_module(path)
        help_text = (module.__doc__ or "").strip().splitlines()[0]
        one = commands.add_parser(name, help=help_text, description=help_text)
        module.add(one)
        one.add_argument(
            "--lang",
            choices=LANGUAGES,
            help=f"language of what is printed [default: {LANG}, else en]",
        )
        one.add_argument("--json", action="store_true", help="print one JSON document, errors too")
        one.set_defaults(run=module.run)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; errors of the input end with code 2 and a sentence, Ctrl-C with 130."""
    _utf8_output()
    args = parser_of().parse_args(arguments)
    try:
        return int(args.run(args))
    except ClipgripError as error:
        return _failed(args, error.sentence, type(error).__name__, error.exit_code)
    except KeyboardInterrupt:
        return _failed(args, STOPPED_SENTENCE, "Stopped", STOPPED)
    except BrokenPipeError:  # whoever read the output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return _failed(args, system_sentence(error), type(error).__name__, 2)


def words_of(args: argparse.Namespace) -> Words:
    """In the language that was asked for, else that of the environment, else English."""
    named = args.lang or os.environ.get(LANG, "")
    return Words(cast(Language, named if named in LANGUAGES else "en"))


def document(facts: Any) -> str:
    """What ``--json`` prints."""
    return json.dumps(facts, ensure_ascii=False, indent=1, default=str)


def _failed(args: argparse.Namespace, sentence: str, kind: str, code: int) -> int:
    if args.json:
        print(document({"error": str(sentence), "kind": kind}))
    print(f"clipgrip-line: {words_of(args).translated(sentence)}", file=sys.stderr)
    return code


def _utf8_output() -> None:
    """Japanese on every console; what it cannot show is escaped, never an error."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
