"""The review as an application: guard before everything, routes, refusals as sentences."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from clipgrip.errors import ClipgripError, DataError, RunError
from clipgrip.files import system_sentence, utf8
from clipgrip.review.web import reading, writing
from clipgrip.review.web.answering import Json
from clipgrip.review.web.guard import Guard
from clipgrip.review.web.refusing import UNREADABLE, refused
from clipgrip.review.web.state import ServerState
from clipgrip.sentences import mark
from clipgrip.words import Words

PICTURES = ("/thumb/", "/image/", "/alarm/")
SENTENCES = {
    400: UNREADABLE,
    404: mark("There is no such page. Go back to the first page."),
    405: mark("This address is not answered in that way. Go back to the first page."),
}


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

    async def system(request: Request, error: Exception) -> Response:
        assert isinstance(error, OSError)
        return refusal(request, 503, system_sentence(error))

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return refusal(request, 400, refused(request, error))

    async def missing(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        status = error.status_code
        return refusal(request, status, SENTENCES.get(status, error.detail))

    app.add_exception_handler(ClipgripError, ours)
    app.add_exception_handler(OSError, system)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, missing)
