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

from clipgrip_line.errors import LineError
from clipgrip_line.sentences import mark
from clipgrip_line.service import people
from clipgrip_line.service.guard import is_json, parsed
from clipgrip_line.service.people import PersonAnswer
from clipgrip_line.service.replies import answer
from clipgrip_line.service.service import Service
from clipgrip_line.trust.responding import Verdict

LEAST_TOKEN, MOST_TOKEN = 8, 64
TOKEN = re.compile(rf"[\w-]{{{LEAST_TOKEN},{MOST_TOKEN}}}", re.ASCII)
IMAGE = re.compile(r"[0-9a-f]{64}")
MOST_CLASS, MOST_NAME, MOST_NOTE = 200, 80, 500


def routes(service: Service) -> list[BaseRoute]:
    """All of them."""

    async def written(change: Callable[[sqlite3.Connection], Any]) -> Any:
        return await asyncio.wrap_future(service.ledger.write(change))

    async def say(request: Request) -> Response:
        body = await _body(request)
        given = PersonAnswer(
            _image(body), _text(body, "class", MOST_CLASS), _name(body), _token(body)
        )
        return answer(await written(people.say(given, service.model.classes)))

    async def undo(request: Request) -> Response:
        body = await _body(request)
        return answer(await written(people.undo(_token(body))))

    async def respond(request: Request) -> Response:
        body = await _body(request)
        verdict, note = _text(body, "verdict", 20), _text({"note": "", **body}, "note", MOST_NOTE)
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
    """A text that must be there, and may be empty."""
    if name not in body:
        raise LineError("{name} is missing. See /docs for what is needed.", name=name)
    value = body[name]
    if not isinstance(value, str):
        raise LineError("{name} must be a text.", name=name)
    if len(value) > most:
        raise LineError("{name} has more than {most} characters.", name=name, most=most)
    return value


def _name(body: dict[str, Any]) -> str:
    """Who says it; empty where it is left out."""
    text = _text({"by": "", **body}, "by", MOST_NAME)
    return "".join(c for c in text if c.isprintable()).strip()


def _image(body: dict[str, Any]) -> str:
    image = _text(body, "image", 64)
    if not IMAGE.fullmatch(image):
        raise LineError(
            mark("image must be an image_id of an answer: 64 hexadecimal digits, small letters.")
        )
    return image


def _token(body: dict[str, Any]) -> str:
    """The asker's own name for the answer, so that what is sent twice counts once."""
    token = _text(body, "token", MOST_TOKEN)
    if not TOKEN.fullmatch(token):
        raise LineError(
            "token must have {least} to {most} letters, digits, - or _: your own name for this answer, a new one "
            "for each, the same one where it is sent again.",
            least=LEAST_TOKEN,
            most=MOST_TOKEN,
        )
    return token
