"""clipgrip review."""

from __future__ import annotations

import getpass
import os
from pathlib import Path
from typing import Annotated

import typer

from clipgrip.cli.arguments import Encoding, argument, option, run_folders
from clipgrip.cli.ui import Result, Ui
from clipgrip.data.text import in_utf8
from clipgrip.errors import ConfigError, DataError, RunError
from clipgrip.files import read_file, system_words
from clipgrip.sentences import Sentence
from clipgrip.words import Words, mark

TOKEN = "CLIPGRIP_TOKEN"
LONGEST = 1000
"""Characters of a token, so that a wrong file is not taken for one."""
NOTHING = mark("{table}: nothing was taken in; no line of it is an answer to an image of this run.")
EMPTY = mark("{table}: it holds no entry at all, so nothing was taken in.")
LARGEST = 2 << 30
"""Bytes of a table."""


def review(
    ui: Ui,
    run: Annotated[Path, argument("Folder of a finished run.", autocompletion=run_folders)],
    port: Annotated[
        int | None, option("Port.  [default: 8765, or the next free]", min=0, max=65535)
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen at; another one than 127.0.0.1 needs a token.")
    ] = "127.0.0.1",
    token: Annotated[
        str,
        option(
            "What the link must carry, at least 12 characters. Whoever sees this machine's processes sees it: "
            "better in a file, or in the environment as CLIPGRIP_TOKEN."
        ),
    ] = "",
    token_file: Annotated[Path | None, option("File that holds the token.")] = None,
    allow_name: Annotated[
        list[str] | None,
        option(
            "Name under which a reverse proxy offers the page, as it stands in the browser. May be repeated.",
            metavar="NAME[:PORT]",
        ),
    ] = None,
    path_prefix: Annotated[str, option("Path below which the proxy offers it, as /clipgrip.")] = "",
    encoding: Encoding = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the link.")] = False,
    bring: Annotated[
        Path | None,
        option(
            "Keep the labels of a CSV as a person's answers, and open no page; what clipgrip-line answers wrote.",
            "--import",
        ),
    ] = None,
    person: Annotated[
        str, option("Who gave these labels.  [default: the user of this machine]", "--by")
    ] = "",
) -> Result | None:
    """Open a page in the browser to audit, label, change classes and run the next round.

    Answers are kept in the run's folder (review.db) the moment they are given. Stop it with Ctrl-C; nothing is lost.
    """
    if bring is not None:
        return _bring_in(run, bring, person, Words(ui.language), encoding)
    from clipgrip.review.web.address import PublicName
    from clipgrip.review.web.address import path_prefix as prefix_of
    from clipgrip.review.web.server import check_access, serve

    secret = _token(token, token_file)
    source = "--token" if token else f"--token-file {token_file}" if token_file else TOKEN
    public = tuple(PublicName.of(name) for name in allow_name or ())
    check_access(host, secret, source)
    if public and not secret:
        ui.screen.note(
            Sentence(
                "note: whoever reaches {name} may answer. Let the proxy ask who comes, or give a token "
                "(--token-file).",
                name=public[0].name,
            )
        )

    serve(
        run,
        host=host,
        port=port,
        token=secret,
        public=public,
        prefix=prefix_of(path_prefix),
        encoding=encoding,
        language=ui.asked_language,
        ready=lambda link: _ready(
            ui, run, link, browser=not no_browser and bool(token or not secret)
        ),
    )
    return None


def _ready(ui: Ui, run: Path, link: str, *, browser: bool) -> None:
    """Say where the page is. A browser is given the link as an argument, which every list of processes shows."""
    lines = [
        Sentence("review of {run}: {link}", run=run, link=link),
        Sentence("Stop with Ctrl-C; what was answered is kept."),
    ]
    ui.tell(Result(lines, {"run": run, "link": link}))
    if browser:
        import webbrowser

        webbrowser.open(link)


def _token(given: str, file: Path | None) -> str:
    """The token from the option, the file or the environment, in this order."""
    if given and file is not None:
        raise ConfigError(mark("--token and --token-file were both given. Give one of them."))
    if file is None:
        return given or os.environ.get(TOKEN, "")
    try:
        with file.open("rb") as opened:  # a pipe too, as a keeper of secrets offers it
            text = opened.read(4 * LONGEST).decode("utf-8-sig").strip()
    except OSError as error:
        raise ConfigError(
            "--token-file {file} cannot be read: {reason}. Check the name.",
            file=file,
            reason=system_words(error),
        ) from None
    except UnicodeDecodeError:
        text = ""
    if not text or len(text) > LONGEST or not text.isprintable():
        raise ConfigError(
            "--token-file {file} holds no token. Write one line of text into it, of at least 12 characters.",
            file=file,
        )
    return text


def _bring_in(
    run: Path, table: Path, person: str, say: Words, encoding: str | None = None
) -> Result:
    """Keep what a table says as answers of a person; what was taken, what was left out, and why. Code 1: nothing.

    Raises:
        DataError: the table cannot be read, or is none.
        RunError: the review is open in another process, or damaged.
    """
    from clipgrip.review.exchange.importing import imported
    from clipgrip.review.session import ReviewSession
    from clipgrip.review.store import open_review
    from clipgrip.review.web.server import alone
    from clipgrip.runs.store import NO_RUN

    try:
        data = in_utf8(read_file(table, LARGEST), encoding)
    except OSError as error:
        unread = mark("{path} cannot be read: {reason}. Check the name.")
        raise DataError(unread, path=table, reason=system_words(error)) from error
    if not run.is_dir():
        raise RunError(NO_RUN, run=run)
    with open_review(run, create=True) as store, alone(run):
        session = ReviewSession(run, store)
        found = imported(session, "csv", data, person or _user(), say, str(table))
    lines = [Sentence("answers      {n} from {table}", n=found["answers"], table=table)]
    lines += [Sentence("{text}: {n}", text=line["text"], n=line["n"]) for line in found["table"]]
    lines += found["problems"]
    nothing = not found["answers"] and not any(one["kind"] == "same" for one in found["table"])
    if nothing:
        lines.append(
            Sentence(NOTHING if found["problems"] or found["table"] else EMPTY, table=table)
        )
    return Result(lines, found, int(nothing))


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "import"
