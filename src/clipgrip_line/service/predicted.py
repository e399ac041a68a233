"""POST /v1/predict: one image or many, in whatever form they come."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Message

from clipgrip_line.errors import ClipgripError
from clipgrip_line.service.admission import Full
from clipgrip_line.service.bodies import pictures_of
from clipgrip_line.service.engine import TookTooLong
from clipgrip_line.service.ledger import NotKept
from clipgrip_line.service.replies import answer, words_of
from clipgrip_line.service.service import Service

STATUS: Mapping[type[Exception], int] = {Full: 429, TookTooLong: 429, NotKept: 503}


def routes(service: Service) -> list[BaseRoute]:
    """The one route."""

    async def predict(request: Request) -> Response:
        began, status = time.monotonic(), 500
        try:
            documents = await predicted(service, request)
            status = 200 if any("error" not in one for one in documents) else 422
            return answer({"answers": documents}, status)
        except ClipgripError as error:
            status = error.http_status
            raise
        except HTTPException as error:
            status = error.status_code
            raise
        except ClientDisconnect:
            status = 499
            return Response(status_code=400)
        except tuple(STATUS) as error:
            status = STATUS[type(error)]
            raise
        finally:
            service.counters.request(status, time.monotonic() - began)

    return [Route("/v1/predict", predict, methods=["POST"])]


async def predicted(service: Service, request: Request) -> list[dict[str, Any]]:
    """The documents of a request, errors of single images in the reader's language. Full: no room."""
    async with room(service, request) as arriving:
        pictures, passed = await pictures_of(arriving, service.settings.limits)
        documents = await service.predicting.answer(service.model, pictures, passed)
    unreadable = [one for one in documents if "error" in one]
    if unreadable:
        say = words_of(request)
        for one in unreadable:
            service.counters.unreadable()
            one["error"] = say.translated(one["error"])
    return documents


@asynccontextmanager
async def room(service: Service, request: Request) -> AsyncIterator[Request]:
    """The request, whose body has room in memory as it comes, as long as its images are at work.

    What was only announced takes none, so who sends slowly keeps nobody out. Full: there is none; the body is read all
    the same, so that the refusal arrives.
    """
    size, more = 0, True

    async def counted() -> Message:
        nonlocal size, more
        message = await request.receive()
        more = message.get("more_body", False)
        arrived = len(message.get("body", b""))
        service.admission.enter_bytes(arrived)
        size += arrived
        return message

    try:
        yield Request(request.scope, counted)
    except Full:
        while more:
            more = (await request.receive()).get("more_body", False)
        raise
    finally:
        service.admission.leave_bytes(size)
