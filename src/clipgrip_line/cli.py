"""The command line ``clipgrip-line``: each command is a module with ``add(parser)`` and ``run(args)``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from clipgrip_line import __version__
from clipgrip_line.causes import cause
from clipgrip_line.errors import ClipgripError
from clipgrip_line.files import system_sentence
from clipgrip_line.parsing import Parser, document, named_language, speaking, words_in, words_of
from clipgrip_line.sentences import Sentence, mark
from clipgrip_line.words import LANGUAGES, Words

ABOUT = mark("A model in one file, at work without the training stack.")
LANGUAGE = mark("language of what is printed [default: CLIPGRIP_LANG, else en]")
JSON = mark("print one JSON document, errors too")
STOPPED = 130
"""Exit code after Ctrl-C."""
STOPPED_SENTENCE = mark("stopped. What is done is kept; the same command goes on.")
DATABASE = mark(
    "the folder's database cannot be used now: {reason}. Nothing is half done; see to the disk, then try again."
)
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


def parser_of(say: Words | None = None) -> Parser:
    """All commands with their options."""
    say = say or Words("en")
    parser = Parser(prog="clipgrip-line", description=say(ABOUT))
    parser.add_argument("--version", action="version", version=f"clipgrip-line {__version__}")
    commands = parser.add_subparsers(dest="command", metavar=say("COMMAND"), required=True)
    for name, path in COMMANDS.items():
        module = import_module(path)
        help_text = say.translated((module.__doc__ or "").strip().splitlines()[0])
        one = commands.add_parser(name, help=help_text, description=help_text)
        module.add(one)
        one.add_argument("--lang", choices=LANGUAGES, help=LANGUAGE)
        one.add_argument("--json", action="store_true", help=JSON)
        one.set_defaults(run=module.run)
    for each in (parser, *commands.choices.values()):
        for action in each._actions:
            action.help = say.translated(action.help) if action.help else action.help
    parser.commands = commands.choices
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; errors of the input end with code 2 and a sentence, Ctrl-C with 130."""
    _utf8_output()
    _quiet_products()
    words = list(sys.argv[1:] if arguments is None else arguments)
    say = words_in(named_language(words))
    Parser.as_json = "--json" in words
    with speaking(say):
        words = command_first(words)
        parser = parser_of(say)
        parser.check_names(words)
        args = parser.parse_args(words)
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
    except Exception as error:
        import sqlite3

        if not isinstance(error, sqlite3.Error):
            raise
        why = Sentence(DATABASE, reason=cause(error))
        return _failed(args, why, type(error).__name__, 2)


def command_first(words: Sequence[str]) -> list[str]:
    """``--lang`` and ``--json`` may stand before the command too, as with clipgrip; the parser wants them behind it."""
    at = 0
    while at < len(words) and words[at].startswith(("--lang", "--json")):
        at += 2 if words[at] == "--lang" else 1
    return [*words[at : at + 1], *words[:at], *words[at + 1 :]]


def _failed(args: argparse.Namespace, sentence: str, kind: str, code: int) -> int:
    if args.json:
        print(document({"error": str(sentence), "kind": kind}))
    print(f"clipgrip-line: {words_of(args).translated(sentence)}", file=sys.stderr)
    return code


def _quiet_products() -> None:
    """One thread for numpy's products, which are small here: more of them spin beside the model's for nothing.

    A third of the processor time of an image went there. OpenBLAS reads the variable when numpy is loaded.
    """
    if "numpy" not in sys.modules:
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def _utf8_output() -> None:
    """Japanese on every console; what it cannot show is escaped, never an error."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
