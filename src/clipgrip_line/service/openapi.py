"""The description of the REST interface (OpenAPI 3.1), made of the same names that the routes have."""

from __future__ import annotations

from typing import Any

from clipgrip_line import __version__
from clipgrip_line.sentences import Sentence, mark
from clipgrip_line.service.described import content, errors, person_answers
from clipgrip_line.service.service import Service
from clipgrip_line.words import Words

_TEXT = {"type": "string"}
_PASSED = [
    {
        "name": name,
        "in": "query",
        "schema": {"type": "string", "maxLength": 200},
        "description": text,
    }
    for name, text in (
        ("lot", mark("Passed through to the answers.")),
        ("serial", mark("Passed through to the answers.")),
        ("station", mark("Passed through to the answers.")),
        ("name", mark("File name of the one image of a raw body.")),
        (
            "request",
            mark(
                "Your name for this request: sent again, it is answered as before and counts once."
            ),
        ),
    )
]
_ANSWER = {
    "type": "object",
    "properties": {
        "image_id": {"type": "string", "description": mark("SHA-256 of the file")},
        "class": _TEXT,
        "confidence": {"type": "number"},
        "top": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"class": _TEXT, "confidence": {"type": "number"}},
            },
        },
        "decided_by": {"type": "string", "enum": ["model", "person"]},
        "verdict": {"type": "string", "enum": ["ok", "ng", "person", "class"]},
        "version": _TEXT,
        "number": {"type": "integer"},
        "at": {"type": "string", "format": "date-time"},
        **dict.fromkeys(("name", "lot", "serial"), _TEXT),
        "error": {
            "type": "string",
            "description": mark("Instead of all others: why it is no image."),
        },
        "code": _TEXT,
    },
}
_ERROR = {
    "type": "object",
    "properties": {"error": _TEXT, "code": _TEXT},
    "required": ["error", "code"],
}
_STATION = {
    "type": "object",
    "properties": {
        **{name: {"type": "boolean"} for name in ("ready", "busy", "results_ready", "error")},
        **{name: {"type": "boolean"} for name in ("ok", "ng", "person")},
        "class_number": {"type": "integer", "description": mark("-1: no image")},
        "code": {
            "type": "integer",
            "description": mark(
                "0 none, 1 no image, 2 unreadable, 3 not ready, 4 full, 5 no such configuration, 6 failed"
            ),
        },
        **dict.fromkeys(("class_name", "lot", "serial", "image_id", "version", "at"), _TEXT),
        "configuration": _TEXT,
        "inspected": {"type": "integer"},
        "confidence": {"type": "number"},
    },
}
_BODIES = {
    "content": {
        "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        "image/*": {"schema": {"type": "string", "format": "binary"}},
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {
                    "images": {"type": "array", "items": {"type": "string", "format": "binary"}},
                    **dict.fromkeys(("lot", "serial", "station", "request"), _TEXT),
                },
            }
        },
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["images"],
                "properties": {
                    "images": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["data"],
                            "properties": {
                                "data": {"type": "string", "contentEncoding": "base64"},
                                "name": _TEXT,
                                "serial": _TEXT,
                            },
                        },
                    },
                    **dict.fromkeys(("lot", "serial", "station", "request"), _TEXT),
                },
            }
        },
    }
}


def openapi(service: Service, say: Words) -> dict[str, Any]:
    """The document, in the reader's language where it is for people."""
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "clipgrip-line",
            "version": __version__,
            "summary": mark("Images in, answers out: class, OK/NG, or to a person."),
        },
        "paths": _paths(service.settings.limits.images),
        "components": {
            "schemas": {"Answer": _ANSWER, "Error": _ERROR, "Station": _STATION},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }
    if service.settings.tokens:
        document["security"] = [{"token": []}]
    return _in_words(document, say)


def _in_words(part: Any, say: Words) -> Any:
    if isinstance(part, list):
        return [_in_words(one, say) for one in part]
    if not isinstance(part, dict):
        return part
    return {
        name: say.translated(one)
        if name in ("summary", "description") and isinstance(one, str)
        else _in_words(one, say)
        for name, one in part.items()
    }


def _paths(most: int) -> dict[str, Any]:
    answers = {
        "type": "object",
        "properties": {
            "answers": {"type": "array", "items": {"$ref": "#/components/schemas/Answer"}}
        },
    }
    name = {"name": "name", "in": "path", "required": True, "schema": _TEXT}
    return {
        "/v1/predict": {
            "post": {
                "summary": Sentence("Answer up to {most} images", most=most),
                "parameters": _PASSED,
                "requestBody": _BODIES,
                "responses": {
                    "200": content(
                        mark("Answers in the order of the images, each kept on the disk"), answers
                    ),
                    "422": content(mark("None of them is an image"), answers),
                    **errors("400", "401", "409", "413", "429", "503"),
                },
            }
        },
        "/v1/model": _get(mark("The version that answers")),
        "/v1/line": _get(mark("The line as the page shows it")),
        "/v1/waiting": _get(mark("Images that wait for a person")),
        "/v1/versions": _get(mark("Versions and every change of them")),
        "/v1/pictures/{image}": {
            "get": {
                "summary": mark("A picture as JPEG"),
                "parameters": [{**name, "name": "image"}],
                "responses": {"200": {"description": mark("The picture")}, **errors("404")},
            }
        },
        **person_answers(),
        **_stations(name),
        "/healthz": _get(mark("Whether the process lives")),
        "/readyz": _get(mark("Whether images may be sent")),
        "/metrics": _get(mark("For Prometheus")),
    }


def _stations(name: dict[str, Any]) -> dict[str, Any]:
    station = {"$ref": "#/components/schemas/Station"}
    return {
        "/v1/stations/{name}": {
            "parameters": [name],
            "get": {
                "summary": mark("A station's outputs"),
                "responses": {"200": content(mark("Outputs"), station)},
            },
        },
        "/v1/stations/{name}/trigger": {
            "parameters": [name],
            "post": {
                "summary": mark("Inspect one image"),
                "parameters": _PASSED[:2],
                "requestBody": _BODIES,
                "responses": {"200": content(mark("Outputs with the result"), station)},
            },
        },
        **{
            f"/v1/stations/{{name}}/{word}": {
                "parameters": [name],
                "post": {"summary": text, "responses": {"200": content(mark("Outputs"), station)}},
            }
            for word, text in (
                ("acknowledge", mark("The results were taken")),
                ("reset", mark("Ready again, whatever stood")),
                (
                    "configuration",
                    mark("Another product, by the name of its bundle, as name in a JSON object"),
                ),
            )
        },
    }


def _get(text: str) -> dict[str, Any]:
    return {"get": {"summary": text, "responses": {"200": {"description": text}}}}
