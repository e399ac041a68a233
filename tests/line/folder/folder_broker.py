"""The smallest MQTT 3.1.1 broker that can be wrong: it acknowledges, or not, and publishes wills."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Thread


@dataclass
class Broker:
    """``deaf``: messages that are read and not acknowledged before it begins to."""

    port: int = 0
    deaf: int = 0
    refuse: int = 0
    """The code of CONNACK; 5: not authorized."""
    published: list[tuple[str, str, bool]] = field(default_factory=list)
    """Topic, payload, retained; answers of a client first, then what its will says."""
    clients: list[str] = field(default_factory=list)
    qos: set[int] = field(default_factory=set)
    _open: list[socket.socket] = field(default_factory=list)

    @contextmanager
    def serving(self) -> Iterator[str]:
        server = socket.create_server(("127.0.0.1", self.port))
        self.port = server.getsockname()[1]
        thread = Thread(target=self._accept, args=(server,))
        thread.start()
        try:
            yield f"mqtt://127.0.0.1:{self.port}/line/3"
        finally:
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            server.close()
            self.cut()
            thread.join()

    def cut(self) -> None:
        """Break all connections."""
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self, server: socket.socket) -> None:
        threads = []
        with suppress(OSError):
            while True:
                one, _ = server.accept()
                self._open.append(one)
                threads.append(Thread(target=self._serve, args=(one,)))
                threads[-1].start()
        for thread in threads:
            thread.join()

    def _serve(self, one: socket.socket) -> None:
        will: tuple[str, str, bool] | None = None
        with one, suppress(EOFError, OSError):
            while True:
                kind, body = _packet(one)
                if kind >> 4 == 1:
                    will = self._connect(body)
                    one.sendall(bytes([0x20, 2, 0, self.refuse]))
                elif kind >> 4 == 3:
                    self._publish(one, kind, body)
                elif kind >> 4 == 12:
                    one.sendall(b"\xd0\x00")
                elif kind >> 4 == 14:
                    will = None
                    break
        if will is not None:
            self.published.append(will)

    def _connect(self, body: bytes) -> tuple[str, str, bool] | None:
        flags = body[7]
        client, rest = _text(body[10:])
        self.clients.append(client)
        if not flags & 4:
            return None
        topic, rest = _text(rest)
        return topic, _text(rest)[0], bool(flags & 32)

    def _publish(self, one: socket.socket, kind: int, body: bytes) -> None:
        topic, rest = _text(body)
        self.qos.add((kind >> 1) & 3)
        if self.deaf and not topic.endswith("/state"):
            self.deaf -= 1
            return
        self.published.append((topic, rest[2:].decode(), bool(kind & 1)))
        one.sendall(b"\x40\x02" + rest[:2])


def _packet(one: socket.socket) -> tuple[int, bytes]:
    kind = _exactly(one, 1)[0]
    size, shift = 0, 0
    while True:
        digit = _exactly(one, 1)[0]
        size |= (digit & 127) << shift
        shift += 7
        if not digit & 128:
            return kind, _exactly(one, size)


def _exactly(one: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = one.recv(size - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def _text(data: bytes) -> tuple[str, bytes]:
    (size,) = struct.unpack_from(">H", data)
    return data[2 : 2 + size].decode(), data[2 + size :]
