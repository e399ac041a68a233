"""What stands around every answer: headers of a page that trusts nothing, bodies within their limit."""

from __future__ import annotations

import hmac
from typing import Any

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import cookie_parser
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

FORGOTTEN = 256 << 20
"""Bytes of a body that nobody reads, which are let come all the same."""
_RAW = {name.encode(): value.encode() for name, value in HEADERS.items()}


def too_long(limit: int) -> str:
    """Why a body is refused."""
    return Sentence("More than {size} MB at once is not taken.", size=limit // 2**20)


def is_over(headers: Headers, limit: int) -> bool:
    """Whether a request says that its body has more bytes than ``limit``, or says no number."""
    length = headers.get("content-length", "0")
    return not length.isdecimal() or len(length) > 18 or int(length) > limit


def cookie_kind(headers: Headers, *, public: bool) -> dict[str, Any]:
    """How cookies are set. A reverse proxy (``public``) says whether the browser came by https, and nothing else.

    Lax: a strict one is not sent on to the page that a link on another site, as of a chat, leads to.
    """
    by_https = headers.get("x-forwarded-proto", "").split(",")[0].strip() == "https"
    return {"samesite": "lax", "secure": public and by_https}


def cookies_of(headers: Headers) -> dict[str, str]:
    """The cookies that a browser sent; one that another program on this host wrote oddly spoils none beside it."""
    return cookie_parser("; ".join(headers.getlist("cookie")))


def same(given: str, wanted: str) -> bool:
    """Whether two secrets are equal, in a time that says nothing of where they differ."""
    return hmac.compare_digest(given.encode(), wanted.encode())


class Incoming:
    """The body of a request: within its limit, and at its end before an answer begins.

    A connection that is closed while its sender still writes is a broken one for a reverse proxy, which then says 502
    in the place of what was answered. So what nobody read is let come and forgotten, up to a bound.
    """

    def __init__(self, receive: Receive, headers: Headers, limit: int, why: str = "") -> None:
        self._receive, self._limit, self._why = receive, limit, why
        length = headers.get("content-length", "0")
        known = int(length) if length.isdecimal() and len(length) < 18 else 0
        waits = "expect" in headers  # its sender sends nothing before it is asked to
        coming = known > 0 or "transfer-encoding" in headers
        self._open = coming and not waits and known <= FORGOTTEN
        self._read = 0

    async def __call__(self) -> Message:
        """The next part.

        Raises:
            HTTPException: 413, with ``why``; whatever the header said.
        """
        message = await self._next()
        if self._read > self._limit:
            raise HTTPException(413, self._why or too_long(self._limit))
        return message

    async def forget(self) -> None:
        """Read to the end what nobody read."""
        while self._open and self._read <= FORGOTTEN:
            await self._next()

    async def _next(self) -> Message:
        message = await self._receive()
        self._read += len(message.get("body", b""))
        self._open &= bool(message.get("more_body"))
        return message


class Headed:
    """Sends with the headers that every answer has."""

    def __init__(self, send: Send, incoming: Incoming, cookie: str = "") -> None:
        self.send, self.incoming, self.cookie, self.begun = send, incoming, cookie, False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self.incoming.forget()
            self.begun = True
            given = [one for one in message.get("headers", ()) if one[0] not in _RAW]
            headers = [*given, *_RAW.items()]
            if all(name != b"cache-control" for name, _ in given):
                headers.append((b"cache-control", b"no-store"))
            if self.cookie:
                headers.append((b"set-cookie", self.cookie.encode("latin-1")))
            message = {**message, "headers": headers}
        await self.send(message)
