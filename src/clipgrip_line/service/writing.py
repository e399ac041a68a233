"""What people send from the page: answers, taking one back, the answer to an alarm."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Callable
from typing import Any, get_args

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from clipgrip_line.sentences import mark
from clipgrip_line.service import people
from clipgrip_line.service.guard import is_json, parsed
from clipgrip_line.service.people import Said
from clipgrip_line.service.replies import answer
from clipgrip_line.service.service import Service
from clipgrip_line.trust.responding import Verdict

TOKEN = re.compile(r"[\w-]{8,64}")
MOST_NAME, MOST_NOTE = 80, 500


def routes(service: Service) -> list[BaseRoute]:
    """All of them."""

    async def kept(change: Callable[[sqlite3.Connection], Any]) -> Any:
        return await asyncio.wrap_future(service.ledger.write(change))

    async def say(request: Request) -> Response:
        body = await _body(request)
        said = Said(_text(body, "image", 64), _text(body, "class", 200), _name(body), _token(body))
        return answer(await kept(people.say(said, service.model.classes)))

    async def undo(request: Request) -> Response:
        body = await _body(request)
        return answer(await kept(people.undo(_token(body))))

    async def respond(request: Request) -> Response:
        body = await _body(request)
        verdict, note = _text(body, "verdict", 20), _text(body, "note", MOST_NOTE)
        if verdict not in get_args(Verdict):
            raise HTTPException(400, mark("An alarm is answered by fixed, normal or nothing."))
        by, loop = _name(body), asyncio.get_running_loop()
        alarm = await loop.run_in_executor(
            service.predicting.pool, lambda: service.watching.answer(verdict, note, by)
        )
        if alarm is None:
            raise HTTPException(409, mark("No alarm rings any more."))
        return answer({"number": alarm.number, "response": alarm.response})

    return [
        Route("/v1/answers", say, methods=["POST"]),
        Route("/v1/answers/undo", undo, methods=["POST"]),
        Route("/v1/alarms/answer", respond, methods=["POST"]),
    ]


async def _body(request: Request) -> dict[str, Any]:
    """A JSON object that says that it is JSON, which no other site's form can."""
    body = parsed(await request.body()) if is_json(request.headers) else None
    if not isinstance(body, dict):
        raise HTTPException(400, mark("Send a JSON object, with content-type application/json."))
    return body


def _text(body: dict[str, Any], name: str, most: int) -> str:
    value = body.get(name, "")
    if not isinstance(value, str) or len(value) > most:
        raise HTTPException(400, mark("A field is missing or too long. See /docs."))
    return value


def _name(body: dict[str, Any]) -> str:
    text = _text(body, "by", MOST_NAME)
    return "".join(c for c in text if c.isprintable()).strip()


def _token(body: dict[str, Any]) -> str:
    token = _text(body, "token", 64)
    if not TOKEN.fullmatch(token):
        raise HTTPException(400, mark("A field is missing or too long. See /docs."))
    return token
