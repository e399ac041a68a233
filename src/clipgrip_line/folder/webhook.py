"""Answers posted to a URL as JSON, one a request, signed where a secret is given."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from clipgrip_line import __version__
from clipgrip_line.errors import LineError
from clipgrip_line.folder.item import Item
from clipgrip_line.folder.outlet import Refused, Trouble
from clipgrip_line.sentences import Sentence

TIMEOUT = 10.0
LATER = {408, 421, 423, 425, 429}
"""Answers of the kind 4xx that say: not now."""
SIGNATURE = "X-Clipgrip-Signature"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirected POST would arrive as a GET without its body."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class Webhook:
    """Each request carries the image's id as ``Idempotency-Key``: what comes twice is known to the receiver."""

    name = "webhook"
    at_once = 1

    def __init__(self, url: str, secret: str = "") -> None:
        """LineError where the URL is none that can be posted to."""
        self.url, self._secret = checked_url(url), secret.encode()
        self._opener = urllib.request.build_opener(_NoRedirects)

    def deliver(self, items: Sequence[Item]) -> None:
        """Post each; only an answer of the kind 2xx counts."""
        for item in items:
            message = item.message()
            body = json.dumps(message, ensure_ascii=False).encode("utf-8", "replace")
            self.post(body, item.image or f"{message['event']}-{item.number}")

    def post(self, body: bytes, key: str) -> None:
        """One message; ``key`` tells the receiver what it had before.

        Raises:
            Trouble: not now.
            Refused: never.
        """
        request = urllib.request.Request(self.url, body, method="POST")
        request.add_header("Content-Type", "application/json; charset=utf-8")
        request.add_header("User-Agent", f"clipgrip-line/{__version__}")
        request.add_header("Idempotency-Key", key)
        if self._secret:
            request.add_header(SIGNATURE, signature(self._secret, body))
        try:
            with self._opener.open(request, timeout=TIMEOUT) as answer:
                answer.read(1 << 16)
        except urllib.error.HTTPError as error:
            with error:
                raise _judged(error.code, error.headers.get("Retry-After", "")) from None
        except (OSError, http.client.HTTPException) as error:
            raise Trouble(_why(error)) from None


def signature(secret: bytes, body: bytes) -> str:
    """``sha256=`` and the HMAC-SHA256 of the body in hex."""
    return "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()


def _judged(code: int, retry_after: str) -> Trouble | Refused:
    if 300 <= code < 400:
        return Trouble(Sentence("it answers {code}, a redirect; give the final URL", code=code))
    reason = Sentence("it answers {code}", code=code)
    if code in (401, 403, 404, 405, 407):  # a setting, there or here: the messages are not to blame
        return Trouble(reason)
    if code >= 500 or code in LATER:
        return Trouble(reason, float(retry_after) if retry_after.isdecimal() else 0.0)
    return Refused(reason)


def _why(error: Exception) -> str:
    inner = getattr(error, "reason", error)
    if isinstance(inner, ssl.SSLCertVerificationError):
        return Sentence("its certificate is not trusted: {reason}", reason=inner.verify_message)
    if isinstance(inner, TimeoutError):
        return Sentence("no answer within {n} s", n=f"{TIMEOUT:.0f}")
    return Sentence(getattr(inner, "strerror", None) or str(inner) or type(inner).__name__)


def checked_url(url: str) -> str:
    """The URL; LineError where it is no http or https address, or carries a password that lists of processes show."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    fine = parts.scheme in ("http", "https") and parts.hostname and url.isascii()
    if not fine or parts.username is not None or port == 0 or any(c <= " " for c in url):
        raise LineError(
            "--webhook {url} is no address to post to. Give one like https://mes.example/clipgrip, without user or "
            "password; with a secret in the environment as CLIPGRIP_WEBHOOK_SECRET, messages are signed.",
            url=url,
        )
    return url
