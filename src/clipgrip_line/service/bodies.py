"""From the body of a request to pictures: raw bytes, a form with files, or JSON with Base64."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request

from clipgrip_line.causes import cause
from clipgrip_line.errors import LineError
from clipgrip_line.sentences import mark
from clipgrip_line.service.forms import files_and_texts
from clipgrip_line.service.guard import TOO_LARGE, kind_of
from clipgrip_line.service.limits import Limits
from clipgrip_line.service.predicting import Passed, Picture

TEXTS = ("lot", "serial", "station", "request")
MOST_TEXT = 200
"""Characters of what is passed through."""
NOTHING = mark(
    "there is no image in the request. Send the bytes of one as the body, files in a form (multipart/form-data), or "
    "JSON with a list images, whose entries have data in Base64."
)

LARGE = 256 << 10
"""Bytes of JSON that are read beside the loop."""


class TooLarge(LineError):
    """More bytes than are taken."""

    http_status = 413


async def pictures_of(request: Request, limits: Limits) -> tuple[list[Picture], Passed]:
    """The images of a request and what is passed through to their answers.

    LineError: there is none, or too many, or the body is not what its type says.
    """
    kind = kind_of(request.headers)
    if kind == "multipart/form-data":
        pictures, texts = await _form(request, limits)
    elif kind == "application/json":
        data = await request.body()
        if len(data) < LARGE:
            pictures, texts = from_json(data)
        else:  # beside the loop, which has others to serve
            pictures, texts = await asyncio.to_thread(from_json, data)
    else:
        data = await request.body()
        name = request.query_params.get("name", "")
        pictures, texts = ([Picture(data, _text("name", name))] if data else []), {}
    if not pictures:
        raise LineError(NOTHING)
    check(pictures, limits)
    given = {**{name: request.query_params.get(name, "") for name in TEXTS}, **texts}
    given["request"] = given["request"] or request.headers.get("idempotency-key", "")
    return pictures, passed_of(given)


def check(pictures: Sequence[Picture], limits: Limits) -> None:
    """LineError where there are too many; `TooLarge` where they have too many bytes, in whatever form they came."""
    if len(pictures) > limits.images:
        raise LineError(
            "{n} images in one request; at most {most} are taken (--max-images).",
            n=len(pictures),
            most=limits.images,
        )
    if sum(len(one.data) for one in pictures) > limits.body:
        raise TooLarge(TOO_LARGE, n=f"{limits.body / 2**20:g}")


def passed_of(texts: Mapping[str, Any]) -> Passed:
    """What is passed through; LineError where one of them is no short text."""
    return Passed(**{name: _text(name, value) for name, value in texts.items()})


async def _form(request: Request, limits: Limits) -> tuple[list[Picture], dict[str, Any]]:
    files, texts = await files_and_texts(request, limits.images + 1, limits.body)
    pictures = [Picture(data, _text("name", name)) for data, name in files]
    return pictures, {name: texts[name] for name in TEXTS if name in texts}


def from_json(data: bytes) -> tuple[list[Picture], dict[str, Any]]:
    """Images of a JSON document, and its texts. LineError: it is no JSON, or an image of it is no Base64 text."""
    try:
        body: Any = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise LineError(
            "the body is no JSON: {error}. Send one JSON object.", error=cause(error)
        ) from error
    if not isinstance(body, Mapping) or not isinstance(body.get("images"), list):
        return [], {}
    pictures = []
    for place, one in enumerate(body["images"], 1):
        one = {"data": one} if isinstance(one, str) else one
        if not isinstance(one, Mapping) or not isinstance(one.get("data"), str):
            raise LineError(
                "image {place} of the request has no data. Send its bytes as Base64.", place=place
            )
        text = one["data"]
        text = text.partition(",")[2] if text.startswith("data:") else text
        if " " in text or "\n" in text:  # the tool base64 writes lines
            text = "".join(text.split())
        try:
            content = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise LineError(
                "image {place} of the request is no Base64 text ({error}). Send its bytes as Base64.",
                place=place,
                error=cause(error),
            ) from error
        pictures.append(
            Picture(
                content, _text("name", one.get("name", "")), _text("serial", one.get("serial", ""))
            )
        )
    return pictures, {name: body[name] for name in TEXTS if name in body}


def _text(name: str, value: Any) -> str:
    """What is passed through: short, and without control characters."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if (
        not isinstance(value, str)
        or len(value) > MOST_TEXT
        or not (value.isprintable() or not value)
    ):
        raise LineError(
            "{name} is no text of at most {most} characters without line ends.",
            name=name,
            most=MOST_TEXT,
        )
    return value
