"""In which language a page answers: what its reader chose, else what it was started in, else the browser's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import Scope

from clipgrip_line.errors import LineError
from clipgrip_line.web.headers import cookies_of
from clipgrip_line.words import LANGUAGES, Language, catalogue

COOKIE = "clipgrip_language"
PARAMETER = "lang"
"""In an address, as ``/?lang=ja``."""
YEAR = 31_536_000
"""Seconds that a choice is remembered."""


def language_of(scope: Scope, asked: Language | None) -> Language:
    """``asked`` is what the service was started in, where somebody said so."""
    headers = Headers(scope=scope)
    chosen = cookies_of(headers).get(cookie_name(asked), "")
    for one in (_given(scope), chosen, asked, *_accepted(headers.get("accept-language", ""))):
        if one in LANGUAGES:
            return cast(Language, one)
    return "en"


def cookie_name(asked: Language | None) -> str:
    """What was chosen on another page does not undo the language that this one was started in."""
    return "_".join(filter(None, (COOKIE, asked)))


def unknown_language(scope: Scope) -> str:
    """Why the language in the address is none; empty where it is one, or where none was given."""
    try:
        catalogue(_given(scope) or "en")
    except LineError as error:
        return error.sentence
    return ""


def choice_kept(scope: Scope, onto: str, asked: Language | None, **cookie: Any) -> Response | None:
    """A browser that opens an address with a choice keeps it, and goes on to ``onto`` without it."""
    given = _given(scope)
    opens = scope["method"] == "GET" and "text/html" in Headers(scope=scope).get("accept", "")
    if given not in LANGUAGES or not opens:
        return None
    response = RedirectResponse(address_without(scope, onto, PARAMETER), 303)
    response.set_cookie(cookie_name(asked), given, max_age=YEAR, **cookie)
    return response


def address_without(scope: Scope, path: str, parameter: str) -> str:
    """The address of a request without one of its parameters, and never of another host; "./" stays relative."""
    rest = urlencode([(name, value) for name, value in _query(scope) if name != parameter])
    path = path if path.startswith("./") else "/" + path.lstrip("/")
    return path + ("?" + rest if rest else "")


def _given(scope: Scope) -> str:
    return dict(_query(scope)).get(PARAMETER, "")


def _query(scope: Scope) -> list[tuple[str, str]]:
    return parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)


def _accepted(header: str) -> Iterator[str]:
    """The languages of a browser, in its order."""
    for part in header.lower().split(","):
        yield part.split(";")[0].strip()[:2]
