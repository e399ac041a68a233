"""The head of an answer and its body go out together; nothing is held back that nothing follows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from clipgrip_line.web.connections import OnePiece


class Wire:
    """What the system was given, call by call."""

    def __init__(self) -> None:
        self.calls: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.calls.append(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


@pytest.fixture
def wire() -> Wire:
    return Wire()


def answering(wire: Wire, *, started: bool = True) -> tuple[OnePiece, Any]:
    connection = SimpleNamespace(cycle=SimpleNamespace(response_started=started))
    return OnePiece(cast(Any, wire), cast(Any, connection)), connection


def test_head_and_body_are_one_call_and_more_of_the_body_goes_at_once(wire: Wire) -> None:
    transport, _ = answering(wire)
    for data in (b"head ", b"body", b"", b"more"):
        transport.write(data)
    assert wire.calls == [b"head body", b"more"]


def test_an_answer_without_a_body_goes_out(wire: Wire) -> None:
    transport, _ = answering(wire)
    transport.write(b"head")
    transport.write(b"")
    assert wire.calls == [b"head"]


def test_each_answer_of_a_connection_has_a_head_of_its_own(wire: Wire) -> None:
    transport, connection = answering(wire)
    transport.write(b"head ")
    transport.write(b"body")
    connection.cycle = SimpleNamespace(response_started=True)
    transport.write(b"HEAD ")
    transport.write(b"BODY")
    assert wire.calls == [b"head body", b"HEAD BODY"]


def test_what_comes_before_an_answer_is_not_held_back(wire: Wire) -> None:
    transport, connection = answering(wire, started=False)
    transport.write(b"100 continue")
    connection.cycle = None
    transport.write(b"400 bad request")
    assert wire.calls == [b"100 continue", b"400 bad request"]


def test_a_head_whose_body_never_came_is_sent_when_the_connection_ends(wire: Wire) -> None:
    transport, _ = answering(wire)
    transport.write(b"head")
    transport.close()
    assert (wire.calls, wire.closed, transport.is_closing()) == ([b"head"], True, True)
