"""What is sent back: JSON, and refusals as a sentence in the reader's language with a code for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import HTTPConnection
from starlette.responses import Response

from clipgrip_line.words import Words


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


def words_of(request: HTTPConnection) -> Words:
    """In the reader's language, which the guard has found."""
    return Words(request.state.language)
