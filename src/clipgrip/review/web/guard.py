"""Who may ask for what: host, token, origin, CSRF token, size. Stands before every route."""

from __future__ import annotations

import hmac
import ipaddress
import logging
import secrets
from dataclasses import dataclass, field
from hashlib import sha256
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

SESSION = "clipgrip_session"
ACCESS = "clipgrip_access"
READING = ("GET", "HEAD")
MAX_BODY = 1 << 20
MAX_UPLOAD = 64 << 20
UPLOADS = "/api/import"
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


@dataclass(frozen=True)
class Access:
    """What the server answers to. ``token`` empty: whoever reaches the loopback address may come in."""

    host: str
    port: int
    token: str = field(default="", repr=False)
    names: tuple[str, ...] = ()
    """Further names of this machine under which people open the page."""

    def admits(self, host: str) -> bool:
        """Whether a Host header names this server. A name that is not ours may be a rebinding attack."""
        name, port = _parted(host)
        if port != self.port:
            return False
        if name in ("localhost", self.host, *self.names):
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or self.host in ("0.0.0.0", "::")


class Guard:
    """Refuses what is not allowed, then lets the application answer, with the headers of a page that trusts nothing."""

    def __init__(self, app: ASGIApp, *, access: Access, secret: bytes) -> None:
        self.app, self.access, self.secret = app, access, secret

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        cookies = _cookies(headers)
        refusal = self._refusal(scope, headers, cookies)
        if refusal is not None:
            await refusal(scope, receive, _Headed(send))
            return
        session = cookies.get(SESSION, "")
        fresh = "" if session else secrets.token_urlsafe(24)
        scope["state"] = {**scope.get("state", {}), "csrf": self._csrf(session or fresh)}
        limit = MAX_UPLOAD if scope["path"].startswith(UPLOADS) else MAX_BODY
        cookie = f"{SESSION}={fresh}; Path=/; HttpOnly; SameSite=Strict" if fresh else ""
        sending = _Headed(send, cookie)
        try:
            await self.app(scope, _limited(receive, limit), sending)
        except Exception:
            log.exception("%s %s failed", scope["method"], scope["path"])
            if sending.begun:
                raise
            failed = PlainTextResponse("This could not be done; the reason is in the log.", 500)
            await failed(scope, receive, sending)

    def _refusal(self, scope: Scope, headers: Headers, cookies: dict[str, str]) -> Response | None:
        if not self.access.admits(headers.get("host", "")):
            return PlainTextResponse("This address is not served here.", 400)
        if self.access.token and not self._known(cookies):
            return self._entry(scope)
        if scope["method"] in READING:
            return None
        if scope["method"] != "POST":
            return PlainTextResponse("Only GET and POST are answered here.", 405)
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] != headers.get("host"):
            return PlainTextResponse("Another page may not write here.", 403)
        session = cookies.get(SESSION, "")
        given = headers.get("x-csrf-token", "")
        if not session or not _same(given, self._csrf(session)):
            return PlainTextResponse("This page is too old to write. Reload it.", 403)
        limit = MAX_UPLOAD if scope["path"].startswith(UPLOADS) else MAX_BODY
        length = headers.get("content-length", "0")
        if not length.isdecimal() or len(length) > 18 or int(length) > limit:
            return PlainTextResponse(_too_long(limit), 413)
        return None

    def _entry(self, scope: Scope) -> Response:
        """In with the token of the link; it becomes a cookie and leaves the address."""
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if scope["method"] in READING and _same(given, self.access.token):
            response = RedirectResponse("/" + scope["path"].lstrip("/"), 303)
            value = self._sign("access", self.access.token)
            response.set_cookie(ACCESS, value, httponly=True, samesite="strict")
            return response
        return PlainTextResponse(
            "This review needs the whole link, with its token, as the person who started it was shown.",
            401,
        )

    def _known(self, cookies: dict[str, str]) -> bool:
        return _same(cookies.get(ACCESS, ""), self._sign("access", self.access.token))

    def _csrf(self, session: str) -> str:
        return self._sign("csrf", session)

    def _sign(self, kind: str, value: str) -> str:
        return hmac.new(self.secret, f"{kind}\0{value}".encode(), sha256).hexdigest()


def _too_long(limit: int) -> str:
    return f"More than {limit // 2**20} MB at once is not taken."


def _parted(host: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{host}")
        return (parts.hostname or "").casefold(), parts.port or 80
    except ValueError:
        return "", 0


def _cookies(headers: Headers) -> dict[str, str]:
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(headers.get("cookie", ""))
    except CookieError:
        return {}
    return {name: morsel.value for name, morsel in jar.items()}


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())


def _limited(receive: Receive, limit: int) -> Receive:
    """Stops reading a body that is longer than is taken, whatever its header said."""
    read = 0

    async def counted() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > limit:
            raise HTTPException(413, _too_long(limit))
        return message

    return counted


class _Headed:
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
