"""The socket of the review."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest

from clipgrip.errors import ClipgripError
from clipgrip.review.web.server import _bound
from clipgrip_line.service.server import bound


def test_small_answers_are_sent_without_delay() -> None:
    """asyncio switches Nagle's algorithm off only for sockets that name TCP; with it each answer takes 40 ms more."""
    with closing(_bound("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        with closing(socket.create_connection(("127.0.0.1", port))):
            accepted, _ = listening.accept()
            with closing(accepted):
                assert accepted.proto == socket.IPPROTO_TCP


@pytest.mark.parametrize(
    "host", ["", "a b", "192.0.2.7", "プラント..例", "x" * 300, "fe80::1%none"]
)
def test_a_host_that_is_no_address_of_this_machine_is_said_as_such(host: str) -> None:
    with pytest.raises(ClipgripError, match="is no address of this machine"):
        _bound(host, None)
    with pytest.raises(ClipgripError, match="is no address of this machine"):
        bound(host, 0)
