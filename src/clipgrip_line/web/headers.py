"""What stands around every answer: headers of a page that trusts nothing, bodies within their limit."""

from __future__ import annotations

import hmac
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Send

from clipgrip_line.sentences import Sentence

POLICY = (
    "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}

_RAW = {name.encode(): value.encode() for name, value in HEADERS.items()}


def too_long(limit: int) -> str:
    """Why a body is refused."""
    return Sentence("More than {size} MB at once is not taken.", size=limit // 2**20)


def cookies_of(headers: Headers) -> dict[str, str]:
    """The cookies that a browser sent; none where they cannot be read."""
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(headers.get("cookie", ""))
    except CookieError:
        return {}
    return {name: morsel.value for name, morsel in jar.items()}


def same(given: str, wanted: str) -> bool:
    """Whether two secrets are equal, in a time that says nothing of where they differ."""
    return hmac.compare_digest(given.encode(), wanted.encode())


def limited(receive: Receive, limit: int, why: str = "") -> Receive:
    """Stops reading a body that is longer than is taken, whatever its header said; ``why`` tells its sender."""
    read = 0

    async def counted() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > limit:
            raise HTTPException(413, why or too_long(limit))
        return message

    return counted


class Headed:
    """Sends with the headers that every answer has."""

    def __init__(self, send: Send, cookie: str = "") -> None:
        self.send, self.cookie, self.begun = send, cookie, False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            given = [one for one in message.get("headers", ()) if one[0] not in _RAW]
            headers = [*given, *_RAW.items()]
            if all(name != b"cache-control" for name, _ in given):
                headers.append((b"cache-control", b"no-store"))
            if self.cookie:
                headers.append((b"set-cookie", self.cookie.encode("latin-1")))
            message = {**message, "headers": headers}
        await self.send(message)
