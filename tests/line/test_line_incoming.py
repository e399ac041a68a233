"""A body that is refused comes to its end before it is answered: a reverse proxy hands on the reason, and no 502."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from clipgrip.review.web.guard import Guard as ReviewGuard
from clipgrip_line.service.guard import Guard
from clipgrip_line.web import headers
from clipgrip_line.web.address import Access
from clipgrip_line.web.headers import FORGOTTEN

LIMIT = 1000
PIECE = 100


async def unread(_: Request) -> PlainTextResponse:
    """Answers before it has read anything, as a full queue does."""
    return PlainTextResponse("later", 429)


async def read(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


APP = Starlette(
    routes=[Route("/unread", unread, methods=["POST"]), Route("/read", read, methods=["POST"])]
)


def asked(path: str, pieces: int, guard: Any = None, **headers: str) -> tuple[int, int, int]:
    """Status, pieces of the body that had come when the answer began, and all that were asked for."""
    guard = guard or Guard(APP, access=Access("127.0.0.1", 80), tokens=(), body=LIMIT)
    taken, at_answer, status = 0, 0, 0

    async def receive() -> dict[str, Any]:
        nonlocal taken
        assert taken < pieces, "more is asked for than comes"
        taken += 1
        return {"type": "http.request", "body": b"x" * PIECE, "more_body": taken < pieces}

    async def send(message: Any) -> None:
        nonlocal status, at_answer
        if message["type"] == "http.response.start":
            status, at_answer = message["status"], taken

    given = {"host": "127.0.0.1", "content-length": str(pieces * PIECE)} | headers
    raw = [(key.encode(), value.encode()) for key, value in given.items() if value]
    scope = {
        "type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "headers": raw,
        "query_string": b"", "client": ("127.0.0.1", 5), "server": ("127.0.0.1", 80), "scheme": "http",
        "root_path": "", "http_version": "1.1",
    }  # fmt: skip
    asyncio.run(guard(scope, receive, send))
    return status, at_answer, taken


@pytest.mark.parametrize(
    ("path", "given", "status"),
    [
        ("/read", {}, 413),
        ("/read", {"content-length": "", "transfer-encoding": "chunked"}, 413),
        ("/unread", {}, 413),
        ("/read", {"host": "evil.example"}, 400),
        ("/read", {"origin": "http://evil.example"}, 403),
    ],
)
def test_a_refused_body_is_at_its_end_before_the_answer_begins(
    path: str, given: dict[str, str], status: int
) -> None:
    assert asked(path, 20, **given) == (status, 20, 20)


def test_an_answer_before_the_body_was_read_waits_for_its_end() -> None:
    assert asked("/unread", 9) == (429, 9, 9)
    assert asked("/nothing", 9) == (404, 9, 9)


def test_a_body_that_is_read_is_asked_for_once() -> None:
    assert asked("/read", 9) == (200, 9, 9)


def test_nothing_is_read_of_a_body_far_too_long_or_that_waits_to_be_asked_for() -> None:
    assert asked("/read", 20, **{"content-length": str(2 * FORGOTTEN)}) == (413, 0, 0)
    assert asked("/read", 20, expect="100-continue") == (413, 0, 0)


def test_an_endless_body_is_read_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headers, "FORGOTTEN", 8 * LIMIT)
    endless = {"content-length": "", "transfer-encoding": "chunked"}
    status, _, taken = asked("/read", 10**9, **endless)
    assert (status, taken) == (413, 8 * LIMIT // PIECE + 1)


def test_the_page_of_a_review_waits_for_the_end_too() -> None:
    guard = ReviewGuard(APP, access=Access("127.0.0.1", 80), secret=b"secret")
    assert asked("/read", 30, guard) == (403, 30, 30)
