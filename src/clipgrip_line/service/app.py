"""The application around one service: its routes, and every refusal as a sentence."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from clipgrip_line.causes import cause
from clipgrip_line.errors import ClipgripError
from clipgrip_line.sentences import Sentence, mark
from clipgrip_line.service import predicted, reading, station, writing
from clipgrip_line.service.admission import Full
from clipgrip_line.service.engine import TookTooLong
from clipgrip_line.service.guard import Guard
from clipgrip_line.service.ledger import NotKept
from clipgrip_line.service.replies import refusal, words_of
from clipgrip_line.service.service import Service

SENTENCES = {
    404: mark("There is nothing at this address. See /docs for what there is."),
    405: mark("This address is not answered in that way. See /docs."),
}
STATIC = ("clipgrip_line.service", "clipgrip_line.web")
FULL = mark("The queue is full. Come again in {n} s.")
NOT_KEPT = mark("The answer could not be kept ({why}), so it is not given. Make room on the disk.")

NOT_KEPT_NOW = mark("The answer could not be kept ({why}), so it is not given. Ask again later.")


def create_app(service: Service) -> Starlette:
    """Routes, errors and the guard before them."""
    settings = service.settings
    routes: list[BaseRoute] = [
        *predicted.routes(service),
        *reading.routes(service),
        *writing.routes(service),
        *station.routes(service),
        Mount("/static", StaticFiles(packages=[(one, "static") for one in STATIC])),
    ]
    guard = Middleware(
        Guard,
        access=settings.access,
        tokens=settings.tokens,
        body=settings.limits.body,
        language=settings.language,
    )
    app = Starlette(
        routes=routes, middleware=[guard], exception_handlers=_HANDLERS, lifespan=_stations(service)
    )
    app.router.redirect_slashes = False
    return app


def _stations(service: Service) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    """Stations over MQTT, where a broker is given, as long as the application runs.

    LineError: paho-mqtt is not installed, or the file of certificates cannot be used.
    """
    settings, lines = service.settings, None
    if settings.broker is not None:
        from clipgrip_line.service.lines import StationLines

        lines = StationLines(
            service.stations,
            settings.broker,
            user=os.environ.get("CLIPGRIP_MQTT_USER", ""),
            password=os.environ.get("CLIPGRIP_MQTT_PASSWORD", ""),
            authority=settings.authority,
        )
        service.lines = lines

    @asynccontextmanager
    async def running(_: Starlette) -> AsyncIterator[None]:
        if lines is None:
            yield
            return
        lines.start(asyncio.get_running_loop())
        try:
            yield
        finally:
            lines.stop()

    return running


async def _ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, ClipgripError)
    text = words_of(request).translated(error.sentence)
    return refusal(error.http_status, text, "input")


async def _full(request: Request, error: Exception) -> Response:
    after = error.after if isinstance(error, Full) else 1
    text = words_of(request)(FULL, n=after)
    return refusal(429, text, "full", after)


async def _not_kept(request: Request, error: Exception) -> Response:
    is_full = isinstance(error, NotKept) and error.is_full
    why = Sentence(NOT_KEPT if is_full else NOT_KEPT_NOW, why=cause(error))
    text = words_of(request).translated(why)
    return refusal(503, text, "not_kept", 5)


async def _gone(_: Request, __: Exception) -> Response:
    """Whoever asked went away in the middle of the body: nobody reads this."""
    return Response(status_code=400)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    text = SENTENCES.get(error.status_code, error.detail)
    shown = words_of(request).translated(text)
    refused = refusal(error.status_code, shown, "http")
    refused.headers.update(error.headers or {})  # which methods an address has
    return refused


_HANDLERS = {
    ClipgripError: _ours,
    Full: _full,
    TookTooLong: _full,
    NotKept: _not_kept,
    HTTPException: _http,
    ClientDisconnect: _gone,
}
