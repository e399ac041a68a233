"""Who may ask for what: host, token, origin, CSRF token, size. Stands before every route."""

from __future__ import annotations

import hmac
import logging
import secrets
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, quote

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from clipgrip.review.web.address import Access
from clipgrip.sentences import mark
from clipgrip.words import Language, Words
from clipgrip_line.web.headers import HEADERS as HEADERS
from clipgrip_line.web.headers import POLICY as POLICY
from clipgrip_line.web.headers import (
    Headed,
    Incoming,
    cookie_kind,
    cookies_of,
    is_over,
    same,
    too_long,
)
from clipgrip_line.web.language import (
    address_without,
    choice_kept,
    language_of,
    unknown_language,
)

log = logging.getLogger(__name__)

SESSION = "clipgrip_session_"
ACCESS = "clipgrip_access_"
"""Names of cookies, with the review's own end: reviews on one host share the jar, whatever their ports."""
READING = ("GET", "HEAD")
MAX_BODY = 1 << 20
MAX_UPLOAD = 64 << 20
UPLOADS = "/api/import"
NOT_HERE = mark(
    "This address is not served here. If it is the name of a reverse proxy, start clipgrip review with --allow-name "
    "and that name."
)
NO_TOKEN = mark(
    "This review needs the whole link, with its token, as the person who started it was shown."
)
GET_AND_POST = mark("Only GET and POST are answered here.")
ANOTHER_PAGE = mark("Another page may not write here.")
TOO_OLD = mark("This page is too old to write. Reload it.")
FAILED = mark(
    "This could not be done; the reason is in the log. Try again; if it comes again, stop the program and start it "
    "anew."
)


class Guard:
    """Refuses what is not allowed, then lets the application answer, with the headers of a page that trusts nothing."""

    def __init__(
        self, app: ASGIApp, *, access: Access, secret: bytes, language: Language | None = None
    ) -> None:
        self.app, self.access, self.secret, self.language = app, access, secret, language
        own = self._sign("cookies", "")[:12]
        self.session, self.entrance = SESSION + own, ACCESS + own

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = self.access.inner(scope["path"])
        scope = {**scope, "path": path, "raw_path": quote(path).encode()}
        headers = Headers(scope=scope)
        cookies = cookies_of(headers)
        say = Words(language_of(scope, self.language))
        incoming = Incoming(receive, headers, limit_of(scope))
        refusal = self._refusal(scope, headers, cookies, say)
        if refusal is not None:
            await refusal(scope, receive, Headed(send, incoming))
            return
        session = cookies.get(self.session, "")
        fresh = "" if session else secrets.token_urlsafe(24)
        scope["state"] = {
            **scope.get("state", {}),
            "csrf": self._csrf(session or fresh),
            "cookie": self._cookie(headers),
            "language": say.language,
        }
        if scope["method"] == "HEAD":  # answered as GET; the server sends the head alone
            scope["method"] = "GET"
        cookie = Response()
        if fresh:
            cookie.set_cookie(self.session, fresh, **self._cookie(headers))
        sending = Headed(send, incoming, cookie.headers.get("set-cookie", ""))
        try:
            await self.app(scope, incoming, sending)
        except Exception:
            log.exception("%s %s failed", scope["method"], scope["path"])
            if sending.begun:
                raise
            await _refused(say, FAILED, 500)(scope, receive, sending)

    def _refusal(
        self, scope: Scope, headers: Headers, cookies: dict[str, str], say: Words
    ) -> Response | None:
        if not self.access.admits(headers.get("host", "")):
            return _refused(say, NOT_HERE, 400)
        if self.access.token and not self._known(cookies):
            return self._entry(scope, headers, say)
        if why := unknown_language(scope):
            return _refused(say, why, 400)
        if scope["method"] in READING:
            path = f"{self.access.prefix}/{scope['path'].lstrip('/')}"
            return choice_kept(scope, path, self.language, **self._cookie(headers))
        if scope["method"] != "POST":
            return _refused(say, GET_AND_POST, 405, allow="GET, HEAD, POST")
        origin = headers.get("origin")
        if origin is not None and not self.access.admits_origin(origin, headers["host"]):
            return _refused(say, ANOTHER_PAGE, 403)
        session = cookies.get(self.session, "")
        given = headers.get("x-csrf-token", "")
        if not session or not same(given, self._csrf(session)):
            return _refused(say, TOO_OLD, 403)
        if is_over(headers, limit_of(scope)):
            return _refused(say, too_long(limit_of(scope)), 413)
        return None

    def _entry(self, scope: Scope, headers: Headers, say: Words) -> Response:
        """In with the token of the link; it becomes a cookie and leaves the address."""
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if scope["method"] in READING and same(given, self.access.token):
            path = f"{self.access.prefix}/{scope['path'].lstrip('/')}"
            response = RedirectResponse(address_without(scope, path, "token"), 303)
            value = self._sign("access", self.access.token)
            response.set_cookie(self.entrance, value, **self._cookie(headers))
            return response
        return _refused(say, NO_TOKEN, 401)

    def _known(self, cookies: dict[str, str]) -> bool:
        return same(cookies.get(self.entrance, ""), self._sign("access", self.access.token))

    def _cookie(self, headers: Headers) -> dict[str, Any]:
        kind = cookie_kind(headers, public=bool(self.access.public))
        return {"path": self.access.prefix or "/", "httponly": True, **kind}

    def _csrf(self, session: str) -> str:
        return self._sign("csrf", session)

    def _sign(self, kind: str, value: str) -> str:
        return hmac.new(self.secret, f"{kind}\0{value}".encode(), sha256).hexdigest()


def _refused(say: Words, sentence: str, status: int, **headers: str) -> Response:
    return PlainTextResponse(say.translated(sentence), status, headers)


def limit_of(scope: Scope) -> int:
    """Bytes of a body that are taken."""
    return MAX_UPLOAD if scope["path"].startswith(UPLOADS) else MAX_BODY
