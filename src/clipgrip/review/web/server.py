"""Opens the review and serves it until it is stopped."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from clipgrip.errors import ConfigError, RunError
from clipgrip.files import system_words
from clipgrip.review.session import ReviewSession
from clipgrip.review.store import open_review
from clipgrip.review.web.address import Access, PublicName
from clipgrip.review.web.app import create_app
from clipgrip.review.web.state import ServerState
from clipgrip.runs.lock import InUse, locked
from clipgrip.words import Language
from clipgrip_line.web.connections import listening_at, server_of

LOOPBACK = ("127.0.0.1", "localhost", "::1")
PORT = 8765
TRIED = 20
"""Ports that are tried where the first is taken and none was asked for."""
LOCK = ".clipgrip-review.lock"
SHORTEST = 12
"""Characters of a token."""

log = logging.getLogger(__name__)


def check_access(host: str, token: str, source: str = "--token") -> None:
    """A page that others can reach needs a token that they cannot guess. ConfigError: none, or too short.

    ``source``: where it was written.
    """
    if host not in LOOPBACK and len(token) < SHORTEST:
        raise ConfigError(
            "--host {host} lets other machines reach the page, so it needs --token with at least "
            "{shortest} characters that nobody can guess (or --token-file, or CLIPGRIP_TOKEN, which "
            "no list of processes shows). Everyone who is given the link may answer.",
            host=host,
            shortest=SHORTEST,
        )
    if 0 < len(token) < SHORTEST:
        raise ConfigError(
            "{source}: the token has {n} characters. Give one of at least {shortest} that nobody can guess, or none "
            "where only this machine reaches the page.",
            source=source,
            n=len(token),
            shortest=SHORTEST,
        )


def serve(
    folder: Path,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    token: str = "",
    public: tuple[PublicName, ...] = (),
    prefix: str = "",
    encoding: str | None = None,
    language: Language | None = None,
    ready: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve the review of a run until Ctrl-C; ``ready`` is told the link once it can be opened.

    ``encoding`` is that of tables which people bring in; ``language`` that of the pages until a person chooses, else
    the browser's.

    Raises:
        ConfigError: the port is taken, or another address without a token.
        RunError: the folder holds no finished run, or its review is open already.
    """
    check_access(host, token)
    with (
        closing(_bound(host, port)) as listening,
        open_review(folder, create=True) as store,
        alone(folder),
        behind() as later,
    ):
        chosen = listening.getsockname()[1]
        names = {socket.gethostname().casefold(), socket.getfqdn().casefold()}
        access = Access(host, chosen, token, tuple(names), public, prefix)
        state = ServerState(ReviewSession(folder, store, later), access, encoding, language)
        state.warm()
        ready(link(host, chosen, token, prefix))
        try:
            server_of(create_app(state), lifespan="off").run(sockets=[listening])
        finally:
            state.stopped.set()
            state.uploads.close()


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One server for a review: what one of two keeps in memory the other would not know."""
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(folder, LOCK))
        except InUse:
            raise RunError(
                "the review of {folder} is open already, in another process. Use the link that it "
                "printed, or stop it first.",
                folder=folder,
            ) from None
        yield


@contextmanager
def behind() -> Iterator[Callable[[Callable[[], None]], None]]:
    """Does work behind the requests, one after the other; at the end all of it is done."""
    with ThreadPoolExecutor(1, "behind") as thread:
        yield lambda work: thread.submit(work).add_done_callback(_say_failed)


def _say_failed(work: Future[None]) -> None:
    if (error := work.exception()) is not None:
        log.error("files of the review are not brought up to date", exc_info=error)


def link(host: str, port: int, token: str, prefix: str = "") -> str:
    """What people open."""
    shown = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname(), "::1": "[::1]"}.get(
        host, host
    )
    return f"http://{shown}:{port}{prefix}/" + (f"?token={quote(token, safe='')}" if token else "")


def _bound(host: str, port: int | None) -> socket.socket:
    wanted = [port] if port is not None else [PORT + n for n in range(TRIED)]
    error: OSError | None = None
    for one in wanted:
        try:
            return listening_at(host, one)
        except OSError as failed:
            error = failed
    reason = system_words(error) if error else "no port"
    raise ConfigError(
        "port {wanted} of {host} cannot be used: {reason}. Choose another --port.",
        wanted=wanted[0],
        host=host,
        reason=reason,
    )
