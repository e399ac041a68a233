"""The socket of the review."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest
from review_helpers import Browser

from clipgrip.errors import ClipgripError
from clipgrip.review.session import ReviewSession
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


@pytest.mark.parametrize(
    ("language", "replaced"),
    [("en", "was replaced or removed"), ("ja", "入れ替えられたか削除されました")],
)
def test_a_program_that_was_replaced_while_its_page_is_open_says_so(
    session: ReviewSession, monkeypatch: pytest.MonkeyPatch, language: str, replaced: str
) -> None:
    browser = Browser(session, language)

    def gone(*_: object, **__: object) -> None:
        raise ImportError("cannot import name")

    monkeypatch.setattr("clipgrip.review.session.ReviewSession.snapshot", property(gone))
    assert browser.get("/api/rounds").status_code == 500
    monkeypatch.setattr("clipgrip.review.web.app._installed", tuple)
    for path in ("/", "/api/rounds"):
        told = browser.get(path)
        said = told.json()["error"] if path.startswith("/api/") else told.text
        assert (told.status_code, replaced in said) == (503, True), said
