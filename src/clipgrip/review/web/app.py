"""The review as an application: guard before everything, routes, refusals as sentences."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from clipgrip.allowed import refusal
from clipgrip.errors import ClipgripError, DataError, RunError
from clipgrip.files import system_sentence, utf8
from clipgrip.review.web import reading, writing
from clipgrip.review.web.answering import Json
from clipgrip.review.web.guard import Guard
from clipgrip.review.web.state import ServerState
from clipgrip.sentences import Sentence, combined, mark
from clipgrip.words import Words

PICTURES = ("/thumb/", "/image/", "/alarm/")
UNREADABLE = mark("What the page sent cannot be read. Reload it and try again.")
SENTENCES = {
    400: UNREADABLE,
    404: mark("There is no such page. Go back to the first page."),
    405: mark("This address is not answered in that way. Go back to the first page."),
}
MISSING = mark("{name} is missing.")
UNKNOWN = mark("{name} is not known here.")
ADDRESS = mark("Correct the address, or go back to the first page.")
PAGE = mark("Reload the page and try again.")
REPLACED = mark(
    "clipgrip was replaced or removed on this machine while this page was open. What was answered is kept. Stop "
    "clipgrip review (Ctrl-C) and start it again."
)
OF_ANOTHER = (ImportError, LookupError, AttributeError, TypeError, ValueError)
"""How code fails that goes on with the files of another version."""


def create_app(server: ServerState) -> FastAPI:
    """The application around one session."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    secret, language = server.session.store.secret(), server.language
    app.add_middleware(Guard, access=server.access, secret=secret, language=language)
    packages = [("clipgrip.review.web", "static"), ("clipgrip_line.web", "static")]
    app.mount("/static", StaticFiles(packages=[*packages]), "static")
    reading.add_routes(app, server)
    writing.add_routes(app, server)
    _errors(app)
    return app


def _errors(app: FastAPI) -> None:
    """Every refusal as a sentence in the reader's language: as JSON to scripts, as text elsewhere."""

    def refusal(request: Request, status: int, sentence: str) -> Response:
        sentence = Words(request.state.language).translated(sentence)
        if request.url.path.startswith("/api/"):
            return Json({"error": sentence}, status)
        return Response(utf8(sentence) + "\n", status, media_type="text/plain; charset=utf-8")

    async def ours(request: Request, error: Exception) -> Response:
        status = error.http_status if isinstance(error, ClipgripError) else 500
        if isinstance(error, RunError) and request.url.path == "/api/answers":
            status = 503  # the disk refused: the page keeps the answers and sends them again
        missing = isinstance(error, DataError) and request.url.path.startswith(PICTURES)
        sentence = error.sentence if isinstance(error, ClipgripError) else str(error)
        return refusal(request, 404 if missing else status, sentence)

    begun = _installed()

    async def system(request: Request, error: Exception) -> Response:
        assert isinstance(error, OSError)
        return refusal(request, 503, REPLACED if _installed() != begun else system_sentence(error))

    async def of_another(request: Request, error: Exception) -> Response:
        if _installed() == begun:
            raise error
        return refusal(request, 503, REPLACED)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return refusal(request, 400, refused(request, error))

    async def missing(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        status = error.status_code
        return refusal(request, status, SENTENCES.get(status, error.detail))

    app.add_exception_handler(ClipgripError, ours)
    app.add_exception_handler(OSError, system)
    for kind in OF_ANOTHER:
        app.add_exception_handler(kind, of_another)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, missing)


def _installed() -> tuple[int, ...]:
    """What tells this file from that of another installation; nothing where it is gone."""
    try:
        found = os.stat(__file__)
    except OSError:
        return ()
    return found.st_ino, found.st_mtime_ns, found.st_size


def refused(request: Request, error: RequestValidationError) -> str:
    """The first of what is wrong."""
    first = error.errors()[0]
    place, *loc = first["loc"]
    in_body = place == "body"
    if (in_body and not loc) or first["type"] in ("json_invalid", "string_pattern_mismatch"):
        return UNREADABLE
    name, field = ".".join(map(str, loc)), _field(request, in_body, loc)
    if first["type"] != "missing" and field is not None and _fields(field.annotation):
        return UNREADABLE
    if first["type"] == "missing":
        why = Sentence(MISSING, name=name)
    elif field is None:
        why = Sentence(UNKNOWN, name=name)
    else:
        why = refusal(name, first["input"], field.annotation, field.metadata)
    return combined([why, Sentence(PAGE if in_body else ADDRESS)], " ")


def _field(request: Request, in_body: bool, loc: Sequence[int | str]) -> FieldInfo | None:
    """What was declared of it; None where nothing was."""
    declared = request.scope["route"].dependant
    if not in_body:
        given = [*declared.query_params, *declared.path_params]
        return {one.alias: one.field_info for one in given}.get(str(loc[0]))
    found: FieldInfo | None = declared.body_params[0].field_info
    for part in loc:
        kind = None if found is None else found.annotation
        of_a_list = isinstance(part, int)
        found = (
            FieldInfo(annotation=get_args(kind)[0]) if of_a_list else _fields(kind).get(str(part))
        )
    return found


def _fields(kind: Any) -> Mapping[str, FieldInfo]:
    is_model = isinstance(kind, type) and issubclass(kind, BaseModel)
    return kind.model_fields if is_model else {}
