"""The command line: what it is called with, and how it ends."""

from __future__ import annotations

import inspect
import os
import platform
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from clipgrip.cli.group import UsageError, show_help, tree_of
from clipgrip.cli.log import LOGGER, end
from clipgrip.cli.shared import Shared, parameters
from clipgrip.cli.spoken import wants_json, words_of
from clipgrip.cli.tree import PANELS
from clipgrip.cli.ui import document, utf8_output
from clipgrip.errors import ClipgripError, ConfigError
from clipgrip.files import from_home, system_sentence
from clipgrip.words import Sentence, mark

STOPPED = 130
"""Exit code after Ctrl-C."""
TERMINATED = 143
"""After SIGTERM."""
STOPPED_SENTENCE = mark("stopped. What is done is kept; the same command goes on.")
NUL = mark(
    "a path holds the character NUL, which no file's name can hold. Take it out of the setting or the table."
)
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
"""What typer says of a command line that cannot be read, and our sentences for it; any other one stays as it is."""

NOWHERE = mark("the current folder was deleted or moved. Go to another one (cd), then try again.")
STRIPPED = mark(
    "Python leaves its documentation out (PYTHONOPTIMIZE=2 or -OO), without which models cannot be read. Take that out."
)
MEMORY = mark(
    "this machine has not enough memory left for that. Close other programs, or give fewer or smaller images; what is "
    "done is kept."
)


def root() -> Any:
    """All commands."""

    def start(context: typer.Context, version: bool = False, **shared: Any) -> None:
        if version:
            from clipgrip import __version__

            facts = document({"clipgrip": __version__})
            print(facts if shared["as_json"] else f"clipgrip {__version__}\n", end="")
            raise typer.Exit
        context.obj = Shared(**shared)
        show_help(context)

    own = [
        inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context),
        inspect.Parameter(
            "version",
            inspect.Parameter.KEYWORD_ONLY,
            default=False,
            annotation=Annotated[
                bool, typer.Option("--version", help="Show the version and exit.")
            ],
        ),
    ]
    start.__signature__ = inspect.Signature([*own, *parameters()])  # type: ignore[attr-defined]
    start.__annotations__ = {}
    return tree_of(
        PANELS,
        start,
        name="clipgrip",
        help="Images, class names, few or no labels: a classifier you can trust.",
    )


def main() -> None:
    """Run a command; errors of the input end with code 2 and a sentence, Ctrl-C with 130, SIGTERM with 143."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # its warnings are not for users
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin halt a busy machine
    if platform.machine() in ("x86_64", "AMD64"):  # elsewhere torch may multiply by OpenBLAS too
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy's products are small, and spin
    utf8_output()
    sys.argv[1:] = map(from_home, sys.argv[1:])
    try:
        with _ending_alike() as ended:
            code = _run()
        sys.exit(TERMINATED if ended and code == STOPPED else code)
    except Exception as error:
        LOGGER.critical("unexpected fault", exc_info=error)
        if wants_json(sys.argv[1:]):
            print(document({"error": str(error), "kind": type(error).__name__}), end="")
        raise
    finally:
        end()


@contextmanager
def _ending_alike() -> Iterator[list[int]]:
    """SIGTERM ends as Ctrl-C does, so that all is put in order; a second one ends at once. What came is listed."""
    came: list[int] = []

    def end(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        came.append(number)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield came
    finally:
        signal.signal(signal.SIGTERM, before)


def _run() -> int:
    """The exit code."""
    try:
        _check_place()
        code = root().main(prog_name="clipgrip", standalone_mode=False)
    except ClipgripError as error:
        code = _failed(error.sentence, type(error).__name__, error.exit_code)
    except KeyboardInterrupt:
        code = STOPPED
    except MemoryError:
        code = _failed(MEMORY, "MemoryError")
    except OSError as error:
        code = _failed(system_sentence(error), type(error).__name__)
    except ValueError as error:
        if "null" not in str(error):  # how Python says that a name holds what no system allows
            raise
        code = _failed(NUL, "ConfigError")
    except UsageError as error:
        code = _failed(usage_sentence(error), "UsageError")
    if code == STOPPED:
        print(file=sys.stderr)
        code = _failed(STOPPED_SENTENCE, "Stopped", STOPPED)
    return code or 0


def _check_place() -> None:
    """ConfigError where nothing would work, and other programs would say so in words of their own."""
    try:
        os.getcwd()
    except OSError:
        raise ConfigError(NOWHERE) from None
    if sys.flags.optimize > 1:
        raise ConfigError(STRIPPED)


def _failed(sentence: str, kind: str, code: int = 2) -> int:
    """Say why it ended: in the reader's language on standard error, in English in the one document of --json."""
    if wants_json(sys.argv[1:]):
        print(document({"error": sentence, "kind": kind}), end="")
    shown = words_of(sys.argv[1:]).translated(sentence)
    print(f"clipgrip: {shown}", file=sys.stderr)
    LOGGER.error("%s (exit code %d)", sentence, code)
    return code


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
