"""What stands around every answer: headers of a page that trusts nothing, bodies within their limit."""

from __future__ import annotations

import hmac
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
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


def limited(receive: Receive, limit: int) -> Receive:
    """Stops reading a body that is longer than is taken, whatever its header said."""
    read = 0

    async def counted() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > limit:
            raise HTTPException(413, too_long(limit))
        return message

    return counted


class Headed:
    """Sends with the headers that every answer has."""

    def __init__(self, send: Send, cookie: str = "") -> None:
        self.send, self.cookie, self.begun = send, cookie, False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            if "cache-control" not in headers:
                headers["cache-control"] = "no-store"
            if self.cookie:
                headers.append("set-cookie", self.cookie)
        await self.send(message)
