"""clipgrip review."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def review(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Port.  [default: 8765, or the next free]", show_default=False
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen at; another one than 127.0.0.1 needs --token.")
    ] = "127.0.0.1",
    token: Annotated[
        str,
        typer.Option(help="What the link must carry, at least 12 characters.", show_default=False),
    ] = "",
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the link.")] = False,
) -> None:
    """Open a page in the browser to audit, label, change classes and run the next round.

    Answers are kept in the run's folder (review.db) the moment they are given. Stop it with Ctrl-C; nothing is lost.
    """
    from clipgrip.cli.screen import utf8_output
    from clipgrip.review.web.server import check_access, serve

    utf8_output()
    check_access(host, token)

    def ready(link: str) -> None:
        typer.echo(f"review of {run}: {link}")
        typer.echo("Stop with Ctrl-C; what was answered is kept.")
        if not no_browser:
            import webbrowser

            webbrowser.open(link)

    serve(run, host=host, port=port, token=token, ready=ready)
