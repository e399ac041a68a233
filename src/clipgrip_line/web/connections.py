"""Connections in bounds: who says nothing is let go, and no number of connections uses up the machine's files."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import HANDLED_SIGNALS

from clipgrip_line.errors import LineError
from clipgrip_line.files import system_words
from clipgrip_line.sentences import mark

log = logging.getLogger(__name__)

SILENT = 15.0
"""Seconds in which a new connection has to ask for something, whole."""
STALLED = 60.0
"""Seconds without a byte in the middle of a body that is sent or fetched."""
LOITERING = 2.0
"""Seconds without a byte after which one in the middle of a body makes room where there are too many."""
MOST = 512
WAITING = 64
"""Connections that wait to be accepted; asyncio accepts as many at once."""
OTHERS = 128
"""Open files that are no connections: libraries, databases, images."""
FULL = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
QUIET = 60.0
"""Seconds between two lines of the log about the same shortage."""


NO_HOST = mark(
    '--host "{host}" is no address of this machine ({reason}). Give 127.0.0.1 for this machine alone, 0.0.0.0 for all '
    "of its addresses, or one of them."
)


def listening_at(host: str, port: int) -> socket.socket:
    """A socket that listens, and sends without delay: asyncio asks for that only where the protocol is named.

    Raises:
        LineError: the host is no address of this machine.
        OSError: the port is taken, or may not be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        places = socket.getaddrinfo(host or "-", port, family, socket.SOCK_STREAM)
    except (OSError, ValueError) as error:  # no name of a host at all
        reason = system_words(error) if isinstance(error, OSError) else str(error)
        raise LineError(NO_HOST, host=host, reason=reason) from None
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if sys.platform != "win32":  # there it would let two servers have one port
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(places[0][4])
        listening.listen(WAITING)
    except OSError as error:
        listening.close()
        if error.errno in (errno.EADDRNOTAVAIL, errno.EINVAL):
            raise LineError(NO_HOST, host=host, reason=system_words(error)) from None
        raise
    return listening


class OnePiece:
    """A transport on which the head of an answer waits for its body, so that both are one packet and one system call.

    Each call lets other threads take the interpreter, which comes back late where they compute.
    """

    def __init__(self, transport: asyncio.Transport, connection: Connection) -> None:
        self._transport, self._connection = transport, connection
        self._begun: object = None
        """The answer whose head was written last."""
        self._head = b""

    def write(self, data: bytes) -> None:
        """Now, or with what comes next."""
        cycle = self._connection.cycle
        if cycle is not None and cycle.response_started and cycle is not self._begun:
            self._begun, self._head = cycle, self._head + data
            return
        if self._head or data:
            data, self._head = self._head + data, b""
            self._transport.write(data)

    def close(self) -> None:
        """A head without a body is sent, too."""
        if self._head:
            self.write(b"")
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Connection(H11Protocol):
    """One browser's connection, which remembers when it was heard last."""

    heard = 0.0
    asked = False
    most = MOST

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Takes the place of the longest silent one where there are too many, at last of one amid a body."""
        super().connection_made(transport)
        self.transport = cast(asyncio.Transport, OnePiece(transport, self))
        self.heard = self.loop.time()
        if len(self.connections) > self.most:
            others = [c for c in self.connections if isinstance(c, Connection) and c is not self]
            silent = [c for c in others if c.waits] or [c for c in others if c.loiters]
            (min(silent, key=lambda c: c.heard) if silent else self).transport.abort()

    def data_received(self, data: bytes) -> None:
        """A new connection has all of its time for the first request, however it is cut in pieces."""
        if self.cycle is not None:
            self.heard = self.loop.time()
        super().data_received(data)
        if self.cycle is not None and not self.asked:
            self.asked, self.heard = True, self.loop.time()

    def resume_writing(self) -> None:
        """The browser fetches on."""
        self.heard = self.loop.time()
        super().resume_writing()

    @property
    def waits(self) -> bool:
        """No request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    @property
    def loiters(self) -> bool:
        """Its body has stopped coming, or its answer is not fetched."""
        stuck = self._sends or self.flow.write_paused
        return not self.waits and stuck and self.loop.time() - self.heard > LOITERING

    @property
    def _sends(self) -> bool:
        """It is its turn: more of its body is to come, and is read."""
        return self.cycle.more_body and not self.flow.read_paused

    def overdue(self, now: float) -> bool:
        """Whether the other side has kept silent for too long where it is its turn."""
        silent = now - self.heard
        if self.waits:  # after an answer uvicorn's own timer runs
            return silent > SILENT and self.timeout_keep_alive_task is None
        return silent > STALLED and (self._sends or self.flow.write_paused)


class Server(uvicorn.Server):
    """Uvicorn, which lets silent connections go, keeps its log short where files run out, and ends as an exception."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """SIGTERM and Ctrl-Break end as Ctrl-C does, so that whoever runs the server closes what it has opened.

        Uvicorn raises a signal again when it has stopped, and as the system has it that is the end of the process.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = [one for one in HANDLED_SIGNALS if one != signal.SIGINT]
        before = {one: signal.signal(one, _end) for one in numbers}
        try:
            with super().capture_signals():
                yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """With the handler of errors that nobody awaits."""
        asyncio.get_running_loop().set_exception_handler(_Shortage())
        await super().startup(sockets)

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second."""
        if counter % 10 == 0:
            self._let_go()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """What is under way is answered first; who stands still in the middle of it is let go as before."""

        async def watch() -> None:
            while True:
                self._let_go()
                await asyncio.sleep(1)

        watching = asyncio.create_task(watch())
        try:
            await super().shutdown(sockets)
        finally:
            watching.cancel()

    def _let_go(self) -> None:
        now = asyncio.get_running_loop().time()
        for one in list(self.server_state.connections):
            if isinstance(one, Connection) and one.overdue(now):
                one.transport.abort()


def server_of(app: Any, **more: Any) -> Server:
    """What serves an application, without a word of what or who it is; ``more`` of uvicorn's settings."""
    most = most_connections()
    return Server(
        uvicorn.Config(
            app,
            http=type("Connection", (Connection,), {"most": most}),
            ws="none",
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,  # what a proxy says is read in the guards, as far as it is safe
            backlog=min(WAITING, most),
            **more,
        )
    )


def _end(number: int, _: object) -> None:
    """A second one ends the process at once."""
    signal.signal(number, signal.SIG_DFL)
    raise SystemExit(0)


class _Shortage:
    """Where files run out asyncio reports every connection that it cannot accept: once a minute is enough."""

    def __init__(self) -> None:
        self.warned_at = -QUIET

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not (isinstance(error, OSError) and error.errno in FULL):
            loop.default_exception_handler(context)
        elif time.monotonic() - self.warned_at >= QUIET:
            self.warned_at = time.monotonic()
            log.error("no more connections can be accepted for now: %s", error.strerror)


def most_connections() -> int:
    """How many the limit of open files allows, after it was raised as far as the system lets it."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return MOST
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST + WAITING + OTHERS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        raised = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return MOST
    return max(8, (soft - OTHERS) // 2)
