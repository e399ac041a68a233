"""The command line: every command in a file of its own, nothing heavy imported before it is needed."""

from __future__ import annotations

import os
import sys

import typer

from clipgrip.cli import (
    audit,
    automate,
    bench,
    compare,
    demo,
    doctor,
    init,
    models,
    names,
    next,
    pilot,
    predict,
    report,
    review,
    run,
    stress,
    suggest,
)
from clipgrip.errors import ClipgripError
from clipgrip.files import system_sentence

STOPPED = 130
"""Exit code after Ctrl-C."""
NUL = "a path holds the character NUL, which no file's name can hold. Take it out of the setting or the table."

app = typer.Typer(
    name="clipgrip",
    help="Images, class names, few or no labels: a classifier you can trust.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    demo.demo,
    run.run,
    suggest.suggest,
    names.names,
    predict.predict,
    compare.compare,
    pilot.pilot,
    report.report,
    audit.audit,
    automate.automate,
    review.review,
    next.next_,
    doctor.doctor,
    init.init,
    bench.bench,
    stress.stress,
):
    app.command(command.__name__.rstrip("_"))(command)
app.add_typer(models.app, name="models")


@app.callback(invoke_without_command=True)
def _version(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Show the version and exit."),
) -> None:
    if version:
        from clipgrip import __version__

        typer.echo(f"clipgrip {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)


def _say_stopped() -> None:
    print("\nclipgrip: stopped. What is done is kept; the same command goes on.", file=sys.stderr)


def main() -> None:
    """Run a command; errors of the input end with code 2 and a sentence, Ctrl-C with 130."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # its warnings are not for users
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin halt a busy machine
    try:
        app()
    except ClipgripError as error:
        print(f"clipgrip: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        _say_stopped()
        sys.exit(STOPPED)
    except SystemExit as end:  # Typer turns a Ctrl-C into this
        if end.code == STOPPED:
            _say_stopped()
        raise
    except OSError as error:
        print(f"clipgrip: {system_sentence(error)}", file=sys.stderr)
        sys.exit(2)
    except ValueError as error:
        if "null" not in str(error):  # how Python says that a name holds what no system allows
            raise
        print(f"clipgrip: {NUL}", file=sys.stderr)
        sys.exit(2)
