"""Opens a bundle or the version that stands, and serves it until it is stopped."""

from __future__ import annotations

import contextlib
import gc
import logging
import socket
from collections.abc import Callable
from pathlib import Path

from clipgrip_line.errors import LineError
from clipgrip_line.files import system_words
from clipgrip_line.model import Model
from clipgrip_line.sentences import mark, quoted
from clipgrip_line.service import versions
from clipgrip_line.service.app import create_app
from clipgrip_line.service.ledger import NAME
from clipgrip_line.service.service import Service, Settings
from clipgrip_line.web.connections import listening_at, server_of

LOOPBACK = ("127.0.0.1", "localhost", "::1")
NO_ASCII = mark(
    "a token holds other characters than ASCII's, which no request's header carries. Take letters and digits."
)
SHORTEST = 12
"""Characters of a token."""
DRAIN = 15
"""Seconds that requests under way have when the service is stopped."""


def check_tokens(host: str, tokens: tuple[str, ...], public: bool = False) -> None:
    """A service that others can reach needs a token that they cannot guess.

    LineError: none, or one that is too short.
    """
    if public and not tokens:
        raise LineError(
            "--allow-name lets whoever reaches the reverse proxy ask, so it needs --token-file FILE with a token of "
            "at least {shortest} characters that nobody can guess, one a line.",
            shortest=SHORTEST,
        )
    if host not in LOOPBACK and not tokens:
        raise LineError(
            "--host {host} lets other machines reach the service, so it needs --token-file FILE with a token of at "
            "least {shortest} characters that nobody can guess, one a line.",
            host=host,
            shortest=SHORTEST,
        )
    if not all(map(str.isascii, tokens)):
        raise LineError(NO_ASCII)
    if any(len(one) < SHORTEST for one in tokens):
        raise LineError(
            "a token needs at least {shortest} characters that nobody can guess.", shortest=SHORTEST
        )


def standing(state: Path, bundle: Path | None, by: str, *, check: bool = True) -> tuple[str, bool]:
    """The version that answers, and whether it is the bundle's that was given: the folder's own stands before it.

    LineError: there is none yet, and no bundle was given.
    """
    nothing = LineError(
        "{state} has no version yet. Give a bundle: clipgrip-line serve BUNDLE --state {state}.",
        state=quoted(state),
    )
    if bundle is None and not (state / NAME).is_file():
        raise nothing
    with versions.opened(state, create=True) as db:
        present = versions.live(db)
        if bundle is None:
            if present is None:
                raise nothing
            return present.version, True
        version = versions.add(db, state, bundle, check=check)
        if present is None:
            versions.change_to(db, versions.BEGIN, version, by, "")
            return version, True
        return present.version, present.version == version


def opened(state: Path, version: str) -> tuple[Model, str]:
    """The version that stands, or the newest before it that can be opened, and why it is not the one that stands.

    LineError: none can be opened.
    """
    try:
        return Model.open(versions.path_of(state, version), check=False), ""
    except Exception as error:  # ONNX Runtime raises its own
        with versions.opened(state) as db:
            history = [one.version for one in reversed(versions.changes(db))]
        for other in dict.fromkeys(history):
            if other != version:
                with contextlib.suppress(Exception):
                    model = Model.open(versions.path_of(state, other), check=False)
                    return model, getattr(error, "sentence", str(error))
        if isinstance(error, LineError):
            raise
        raise LineError(
            "version {version} cannot be opened: {error}.", version=version, error=error
        ) from error


def serve(
    settings: Settings,
    model: Model,
    listening: socket.socket,
    ready: Callable[[], None],
    shadow: Path | None = None,
) -> None:
    """Answer until SIGINT or SIGTERM; what was taken is answered before the end."""
    beside = None if shadow is None else Model.open(shadow)
    service = Service(settings, model, lambda path: Model.open(path, check=False), beside)
    service.start()
    try:
        logging.getLogger("python_multipart").setLevel(logging.ERROR)  # who sent the form is told
        lifespan = "on" if settings.broker else "off"
        app = create_app(service)
        server = server_of(app, lifespan=lifespan, timeout_graceful_shutdown=DRAIN)
        gc.collect()
        gc.freeze()  # what stands now stays: going through it again halted all answers for 25 ms
        ready()
        server.run(sockets=[listening])
    finally:
        service.stop()


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens. LineError: the system refuses."""
    if not 0 <= port < 2**16:
        raise LineError("--port {port} is not allowed: whole numbers from 0 to 65535.", port=port)
    try:
        return listening_at(host, port)
    except OSError as error:
        raise LineError(
            "port {port} of {host} cannot be used: {reason}. Choose another --port.",
            port=port,
            host=host,
            reason=system_words(error),
        ) from error
