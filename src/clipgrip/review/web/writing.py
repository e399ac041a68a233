"""The routes that write: answers, classes, rounds, the promise, imports. The guard has checked who asks."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from starlette.concurrency import run_in_threadpool

from clipgrip.data.text import in_utf8
from clipgrip.errors import RunError
from clipgrip.review import classes as edits
from clipgrip.review import exchange, job
from clipgrip.review.desk import now
from clipgrip.review.overview import terms_of
from clipgrip.review.promises import keep_promise
from clipgrip.review.rounds import go_back
from clipgrip.review.store import Answer
from clipgrip.review.web import pages
from clipgrip.review.web.answering import Json
from clipgrip.review.web.bodies import Choice, ClassEdit, Earlier, Saids, Terms, Undo, Words
from clipgrip.review.web.reading import screen_of
from clipgrip.review.web.state import Hall
from clipgrip.review.web.uploads import TOKEN


def add_routes(app: FastAPI, hall: Hall) -> None:
    """Everything that is answered to a POST."""
    _answers(app, hall)
    _classes(app, hall)
    _rounds(app, hall)
    _choices(app)
    _imports(app, hall)


def _answers(app: FastAPI, hall: Hall) -> None:
    desk = hall.desk

    @app.post("/api/answers")
    def answers(request: Request, body: Saids) -> Json:
        person, when, view = screen_of(request, hall).person, now(), desk.view
        rows = [desk.row(said.image) for said in body.answers]
        kept = desk.answer(
            [
                Answer(
                    token=said.token,
                    image=said.image,
                    verdict=said.verdict,
                    klass=said.klass if said.verdict == "class" else None,
                    purpose=said.purpose,
                    person=person,
                    at=when,
                    seconds=said.seconds,
                    round=desk.round.number,
                    proposed=int(view.label[row]),
                    confidence=float(view.confidence[row]),
                )
                for said, row in zip(body.answers, rows, strict=True)
            ]
        )
        return Json({"saved": [said.token for said in body.answers], "new": kept})

    @app.post("/api/undo")
    def undo(request: Request, body: Undo) -> Json:
        person = screen_of(request, hall).person
        taken = [answer for token in body.tokens if (answer := desk.undo(token, person))]
        return Json({"undone": [a.token for a in taken], "images": [a.image for a in taken]})


def _classes(app: FastAPI, hall: Hall) -> None:
    desk = hall.desk

    @app.post("/api/classes")
    def classes(request: Request, body: ClassEdit) -> Json:
        person = screen_of(request, hall).person
        match body.action:
            case "add":
                edits.add(desk, body.name, body.prompt, person)
            case "edit":
                edits.edit(desk, body.id, body.name, body.prompt, person)
            case "merge":
                edits.merge(desk, body.id, body.into, person)
            case "split":
                edits.split(desk, body.id, body.names, person)
            case "remove":
                edits.remove(desk, body.id, person)
        return Json({"saved": True})

    @app.post("/api/classes/preview")
    def preview(request: Request, body: Words) -> Json:
        return Json(
            pages.moves_of(
                screen_of(request, hall), edits.preview(desk, body.id, body.name, body.prompt)
            )
        )


def _rounds(app: FastAPI, hall: Hall) -> None:
    desk = hall.desk

    @app.post("/api/rounds/start")
    def start(request: Request) -> Json:
        job.start(hall.folder, screen_of(request, hall).person)
        return Json({"started": True})

    @app.post("/api/rounds/stop")
    def stop(_: Request) -> Json:
        job.stop(hall.folder)
        return Json({"stopped": True})

    @app.post("/api/rounds/back")
    def back(request: Request, body: Earlier) -> Json:
        if job.progress(hall.folder).state == "running":
            raise RunError("a round is running. Wait until it is done, or stop it first.")
        go_back(hall.folder, body.number, screen_of(request, hall).person)
        desk.load()
        return Json({"round": desk.round.number})

    @app.post("/api/promise")
    def promise(request: Request, body: Terms) -> Json:
        person = screen_of(request, hall).person
        terms = terms_of(body.max_error / 100, body.confidence / 100)
        facts = keep_promise(desk, terms, tuple(body.ok), person)
        return Json({"decided": facts["decided_by_model"], "pool": facts["pool"]})


def _choices(app: FastAPI) -> None:
    @app.post("/api/choice")
    def choice(request: Request, body: Choice) -> Json:
        response = Json({"saved": True})
        for name, value in (("person", body.person), ("language", body.language)):
            if value is not None:
                response.set_cookie(
                    pages.COOKIES[name],
                    pages.encoded(value),
                    max_age=31_536_000,
                    **request.state.cookie,
                )
        return response


def _imports(app: FastAPI, hall: Hall) -> None:
    @app.post("/api/import/{form}")
    async def bring(
        form: str,
        request: Request,
        upload: Annotated[str, Query(pattern=TOKEN)] = "",
        at: Annotated[int, Query(ge=0)] = 0,
        of: Annotated[int, Query(ge=0)] = 0,
    ) -> Json:
        """A whole file or, with ``upload``, one piece of it."""
        data = await request.body()
        screen = screen_of(request, hall)

        def read(whole: bytes) -> dict[str, Any]:
            return exchange.imported(
                hall.desk, form, in_utf8(whole, hall.encoding), screen.person, screen.say
            )

        if not upload:
            return Json(await run_in_threadpool(read, data))
        return Json(await run_in_threadpool(hall.uploads.add, upload, at, of, data, read))
