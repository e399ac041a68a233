"""What people send, described for programs: every field, what it may hold, and every refusal."""

from __future__ import annotations

from typing import Any, get_args

from clipgrip_line.sentences import mark
from clipgrip_line.service.writing import LEAST_TOKEN, MOST_CLASS, MOST_NAME, MOST_NOTE, MOST_TOKEN
from clipgrip_line.trust.responding import Verdict

_TOKEN = {
    "type": "string",
    "minLength": LEAST_TOKEN,
    "maxLength": MOST_TOKEN,
    "pattern": "^[A-Za-z0-9_-]+$",
    "description": mark(
        "Your own name for this answer: a new one for each. Sent again it counts once; undo takes it back."
    ),
}
_IMAGE = {
    "type": "string",
    "pattern": "^[0-9a-f]{64}$",
    "description": mark("image_id of the answer, as in /v1/waiting"),
}
_BY = {
    "type": "string",
    "maxLength": MOST_NAME,
    "description": mark("Who says it; may be left out."),
}
_CLASS = {
    "type": "string",
    "maxLength": MOST_CLASS,
    "description": mark("A class of /v1/model; empty: cannot tell."),
}


def person_answers() -> dict[str, Any]:
    """The paths of what people say."""
    number = {"type": "integer", "description": mark("of the answer, rising")}
    repeated = {"type": "boolean", "description": mark("true: this very answer was kept before")}
    return {
        "/v1/answers": _post(
            mark("A person's answer to an image that waits (/v1/waiting)"),
            {"image": _IMAGE, "class": _CLASS, "token": _TOKEN, "by": _BY},
            ("image", "class", "token"),
            {"number": number, "repeated": repeated},
            ("400", "401", "409", "413", "503"),
        ),
        "/v1/answers/undo": _post(
            mark("Take an answer back: its image waits again"),
            {"token": {**_TOKEN, "description": mark("The token that the answer was sent with.")}},
            ("token",),
            {"image": _IMAGE},
            ("400", "401", "413", "503"),
        ),
        "/v1/alarms/answer": _post(
            mark("Answer the alarm that rings"),
            {
                "verdict": {"type": "string", "enum": list(get_args(Verdict))},
                "note": {"type": "string", "maxLength": MOST_NOTE},
                "by": _BY,
            },
            ("verdict",),
            {"number": number, "response": {"type": "object"}},
            ("400", "401", "409", "413", "503"),
        ),
    }


def _post(
    text: str,
    fields: dict[str, Any],
    needed: tuple[str, ...],
    properties: dict[str, Any],
    refusals: tuple[str, ...],
) -> dict[str, Any]:
    schema = {"type": "object", "properties": fields, "required": list(needed)}
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    done = {"200": content(mark("Kept on the disk"), {"type": "object", "properties": properties})}
    return {
        "post": {"summary": text, "requestBody": body, "responses": {**done, **errors(*refusals)}}
    }


def content(text: str, schema: dict[str, Any]) -> dict[str, Any]:
    """A body of JSON."""
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def errors(*statuses: str) -> dict[str, Any]:
    """Refusals, each with its sentence."""
    texts = {
        "400": mark("The request cannot be understood"),
        "401": mark("The token is missing"),
        "404": mark("Not kept (any more)"),
        "409": mark(
            "The name of the request, or the token, belongs to another one; or no alarm rings"
        ),
        "413": mark("Too large"),
        "429": mark("The queue is full; Retry-After says when to come again"),
        "503": mark("The answer could not be kept, so it is not given"),
    }
    schema = {"$ref": "#/components/schemas/Error"}
    return {status: content(texts[status], schema) for status in statuses}
