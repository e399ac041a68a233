"""Who may ask for what: host, origin, bearer token or the page's cookie, size. Stands before every route."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from clipgrip_line.sentences import Sentence, mark
from clipgrip_line.service.replies import refusal
from clipgrip_line.web.address import Access
from clipgrip_line.web.headers import Headed, Incoming, cookie_kind, cookies_of, is_over, same
from clipgrip_line.web.language import (
    address_without,
    choice_kept,
    language_of,
    unknown_language,
)
from clipgrip_line.words import Language, Words

log = logging.getLogger(__name__)
READING = ("GET", "HEAD")
OPEN = ("/healthz", "/readyz")
"""Answered without a token: they say nothing but yes or no."""
COOKIE = "clipgrip_line_"
SLACK = 64 << 10
"""Bytes around the images of a form or of JSON."""
FAILED = mark(
    "This could not be done; the reason is in the log. Try again; if it comes again, stop the program and start it "
    "anew."
)
TOO_LARGE = mark("More than {n} MB at once is not taken (--max-body).")
PACKED = mark(
    "A packed body ({encoding}) is not taken. Send it as it is, without the header Content-Encoding."
)


class Guard:
    """Refuses what is not allowed, then lets the application answer."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        access: Access,
        tokens: Sequence[str],
        body: int,
        language: Language | None = None,
    ) -> None:
        self.app, self.access, self.tokens = app, access, tuple(tokens)
        self.asked = language
        self.body, self.too_large = body, too_large(body)
        key = hashlib.sha256(f"line\0{'|'.join(self.tokens)}".encode()).hexdigest()
        self.cookie, self._key = COOKIE + key[:8], key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        incoming = Incoming(receive, headers, most_of(headers, self.body), self.too_large)
        sending = Headed(send, incoming)
        path = scope["path"]
        if "://" in path:  # the whole address, as it is sent to a proxy
            path = "/" + path.partition("://")[2].partition("/")[2]
            scope = {**scope, "path": path}
        if path.endswith("/") and path != "/":
            path = path.rstrip("/") or "/"
            scope = {**scope, "path": path}
        language = language_of(scope, self.asked)
        scope = {**scope, "state": {**scope.get("state", {}), "language": language}}
        refused = self._refusal(scope, headers, Words(language))
        if refused is not None:
            await refused(scope, receive, sending)
            return
        try:
            await self.app(scope, incoming, sending)
        except Exception:
            log.exception("%s %s failed", scope["method"], scope["path"])
            if sending.begun:
                raise
            text = Words(language)(FAILED)
            await refusal(500, text, "failed")(scope, receive, sending)

    def _refusal(self, scope: Scope, headers: Headers, say: Words) -> Response | None:
        host = headers.get("host", "")
        if not self.access.admits(host):
            text = say(
                "This address is not served here. If it is a name of this machine or of a reverse proxy, start the "
                "service with --allow-name and that name."
            )
            return refusal(400, text, "host")
        if scope["method"] not in READING:
            origin = headers.get("origin")
            if origin is not None and not self.access.admits_origin(origin, host):
                return refusal(403, say("Another page may not write here."), "origin")
            packed = headers.get("content-encoding", "identity")
            if packed.strip().lower() != "identity":
                return refusal(415, say(PACKED, encoding=packed[:40]), "packed")
            if is_over(headers, most_of(headers, self.body)):
                return refusal(413, say.translated(self.too_large), "too_large")
        if self.tokens and scope["path"] not in OPEN and not self._known(headers):
            return self._entry(scope, headers, say)
        if why := unknown_language(scope):
            return refusal(400, say.translated(why), "language")
        return choice_kept(scope, _from_here(scope), self.asked, **self._cookie(headers))

    def _known(self, headers: Headers) -> bool:
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return any(same(given.strip(), token) for token in self.tokens)
        return same(cookies_of(headers).get(self.cookie, ""), self._pass())

    def _entry(self, scope: Scope, headers: Headers, say: Words) -> Response:
        """In with the token of the link, for browsers; it becomes a cookie and leaves the address."""
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if scope["method"] in READING and any(same(given, token) for token in self.tokens):
            response = RedirectResponse(address_without(scope, _from_here(scope), "token"), 303)
            response.set_cookie(self.cookie, self._pass(), httponly=True, **self._cookie(headers))
            return response
        text = say(
            "This service needs its token: the header  Authorization: Bearer TOKEN,  or the page's whole link."
        )
        refused = refusal(401, text, "token")
        refused.headers["www-authenticate"] = "Bearer"
        return refused

    def _cookie(self, headers: Headers) -> dict[str, Any]:
        return cookie_kind(headers, public=bool(self.access.public))

    def _pass(self) -> str:
        return hmac.new(self._key, b"page", hashlib.sha256).hexdigest()


def _from_here(scope: Scope) -> str:
    """The address asked for as seen from itself, not from the root: a proxy may have taken a path away."""
    return "./" + scope["raw_path"].decode().rpartition("/")[2]


def kind_of(headers: Headers) -> str:
    """The type of a body, as ``application/json``."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def is_json(headers: Headers) -> bool:
    """Whether a body says that it is JSON: no other site's form can."""
    return kind_of(headers) == "application/json"


def most_of(headers: Headers, images: int) -> int:
    """Bytes of a body whose images have ``images`` bytes: JSON brings them as Base64, a form with its borders."""
    kind = kind_of(headers)
    if kind == "application/json":
        return images * 4 // 3 + SLACK
    return images + SLACK if kind == "multipart/form-data" else images


def too_large(images: int) -> str:
    """Why a request is refused whose images have more bytes."""
    return Sentence(TOO_LARGE, n=f"{images / 2**20:g}")


def parsed(data: bytes) -> object:
    """A JSON body; None where it is none."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None
