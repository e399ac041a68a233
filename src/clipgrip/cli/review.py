"""clipgrip review."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from clipgrip.cli.arguments import Encoding, argument, option, run_folders
from clipgrip.cli.ui import Result, Ui
from clipgrip.errors import ConfigError
from clipgrip.files import system_words
from clipgrip.sentences import Sentence
from clipgrip.words import Words, mark

TOKEN = "CLIPGRIP_TOKEN"
LONGEST = 1000
"""Characters of a token, so that a wrong file is not taken for one."""


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
        from clipgrip.cli.brought import bring_in

        return bring_in(run, bring, person, Words(ui.language), encoding)
    from clipgrip.review.web.address import PublicName
    from clipgrip.review.web.address import path_prefix as prefix_of
    from clipgrip.review.web.server import check_access, serve

    secret = _token(token, token_file)
    public = tuple(PublicName.of(name) for name in allow_name or ())
    check_access(host, secret)
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
            "--token-file {file} cannot be read: {reason}.", file=file, reason=system_words(error)
        ) from None
    except UnicodeDecodeError:
        text = ""
    if not text or len(text) > LONGEST or not text.isprintable():
        raise ConfigError(
            "--token-file {file} holds no token. It must hold one line of text, of at least 12 "
            "characters.",
            file=file,
        )
    return text
