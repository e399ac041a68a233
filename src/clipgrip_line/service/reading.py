"""What is only read: model, health, metrics, the state of the line, pictures, the API's description, the pages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib.resources import files
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from clipgrip_line.service import people, state, versions
from clipgrip_line.service.metrics import metrics_text
from clipgrip_line.service.openapi import openapi
from clipgrip_line.service.page import TEXTS, page
from clipgrip_line.service.replies import answer, refusal, words_of
from clipgrip_line.service.service import Service
from clipgrip_line.service.writing import IMAGE


def routes(service: Service) -> list[BaseRoute]:
    """All of them."""
    return [*_health(service), *_facts(service), *_pages(service)]


async def _in_pool(service: Service, work: Callable[[], Any]) -> Any:
    return await asyncio.get_running_loop().run_in_executor(service.predicting.pool, work)


def _health(service: Service) -> list[BaseRoute]:
    """For monitoring."""

    async def health(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def ready(_: Request) -> Response:
        why = state.not_ready(service)
        return PlainTextResponse(why + "\n" if why else "ready\n", 503 if why else 200)

    async def metrics(_: Request) -> Response:
        text = await _in_pool(service, lambda: metrics_text(service))
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    return [Route("/healthz", health), Route("/readyz", ready), Route("/metrics", metrics)]


def _facts(service: Service) -> list[BaseRoute]:
    """What programs and the page read."""

    async def model(_: Request) -> Response:
        return answer(state.model_facts(service))

    async def line(request: Request) -> Response:
        say = words_of(request)
        return answer(await _in_pool(service, lambda: state.line_facts(service, say)))

    async def waiting(_: Request) -> Response:
        def found() -> dict[str, Any]:
            db = service.ledger.reader
            return {"waiting": people.waiting(db), "n": people.how_many(db)}

        return answer(await _in_pool(service, found))

    async def picture(request: Request) -> Response:
        image = request.path_params["image"]
        known = IMAGE.fullmatch(image) is not None
        data = await _in_pool(service, lambda: service.picture(image)) if known else None
        if data is None:
            return refusal(404, words_of(request)(TEXTS["gone"]), "http")
        return Response(data, 200, {"cache-control": "private, max-age=3600"}, "image/jpeg")

    async def listed(_: Request) -> Response:
        def found() -> dict[str, Any]:
            db = service.ledger.reader
            history = [vars(one) for one in versions.changes(db)]
            return {"versions": versions.listed(db), "changes": history}

        return answer(await _in_pool(service, found))

    return [
        Route("/v1/model", model),
        Route("/v1/line", line),
        Route("/v1/waiting", waiting),
        Route("/v1/pictures/{image}", picture),
        Route("/v1/versions", listed),
    ]


def _pages(service: Service) -> list[BaseRoute]:
    """What people open."""

    async def described(request: Request) -> Response:
        return answer(openapi(service, words_of(request)))

    async def front(request: Request) -> Response:
        return HTMLResponse(page("line.html", service, words_of(request)))

    async def docs(request: Request) -> Response:
        path = request.scope["raw_path"]
        if slashes := len(path) - len(path.rstrip(b"/")):  # its links go on from where it is
            return RedirectResponse("../" * slashes + "docs", 308)
        return HTMLResponse(page("docs.html", service, words_of(request)))

    async def icon(_: Request) -> Response:
        data = files("clipgrip_line.service").joinpath("static", "icon.svg").read_bytes()
        return Response(data, media_type="image/svg+xml")

    return [
        Route("/", front),
        Route("/docs", docs),
        Route("/favicon.ico", icon),
        Route("/openapi.json", described),
    ]
