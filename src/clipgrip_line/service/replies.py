"""What is sent back: JSON, and refusals as a sentence in the reader's language with a code for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import Response

from clipgrip_line.web.headers import cookies_of
from clipgrip_line.words import LANGUAGES, Language

LANGUAGE = "clipgrip_language"
"""The cookie of a reader's choice, which the review has too."""


def answer(document: Mapping[str, Any], status: int = 200) -> Response:
    """JSON in UTF-8, never from a cache."""
    data = json.dumps(document, ensure_ascii=False, default=str).encode("utf-8", "replace")
    return Response(data, status, {"cache-control": "no-store"}, "application/json")


def refusal(status: int, sentence: str, code: str, after: int | None = None) -> Response:
    """``{"error": sentence, "code": code}``; ``after`` seconds it is worth to come again."""
    response = answer({"error": sentence, "code": code}, status)
    if after is not None:
        response.headers["retry-after"] = str(after)
    return response


def language_of(headers: Headers) -> Language:
    """By the reader's choice, else by what the browser accepts: Japanese where it stands before English."""
    chosen = cookies_of(headers).get(LANGUAGE, "")
    if chosen in LANGUAGES:
        return "ja" if chosen == "ja" else "en"
    for part in headers.get("accept-language", "").lower().split(","):
        tag = part.split(";")[0].strip()
        if tag.startswith(("ja", "en")):
            return "ja" if tag.startswith("ja") else "en"
    return "en"
