"""The routes that write: answers, classes, rounds, the promise, imports. The guard has checked who asks."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from starlette.concurrency import run_in_threadpool

from clipgrip.clock import precisely
from clipgrip.data.text import in_utf8
from clipgrip.errors import RunError
from clipgrip.review import classes as edits
from clipgrip.review import exchange, job
from clipgrip.review.choosing import choose_draw
from clipgrip.review.overview import terms_of
from clipgrip.review.promises import keep_promise
from clipgrip.review.rounds import go_back
from clipgrip.review.snapshot import ReviewSnapshot
from clipgrip.review.store import Answer, Purpose
from clipgrip.review.web import pages, work
from clipgrip.review.web.answering import Json
from clipgrip.review.web.bodies import (
    AlarmBody,
    AnswerBody,
    AnswersBody,
    ChoiceBody,
    ClassEditBody,
    DrawBody,
    EarlierBody,
    TermsBody,
    UndoBody,
    WordsBody,
)
from clipgrip.review.web.context import PERSON, encoded
from clipgrip.review.web.reading import context_of
from clipgrip.review.web.state import ServerState
from clipgrip.review.web.uploads import TOKEN
from clipgrip.runs.promised import warning
from clipgrip.sentences import mark
from clipgrip_line.web.language import YEAR, cookie_name


def add_routes(app: FastAPI, server: ServerState) -> None:
    """Everything that is answered to a POST."""
    _answers(app, server)
    _classes(app, server)
    _rounds(app, server)
    _work(app, server)
    _choices(app, server)
    _imports(app, server)


def _answers(app: FastAPI, server: ServerState) -> None:
    session = server.session

    @app.post("/api/answers")
    def answers(request: Request, body: AnswersBody) -> Json:
        person, when, snapshot = context_of(request, server).person, precisely(), session.snapshot
        rows, view = [snapshot.row(one.image) for one in body.answers], snapshot.view
        new = session.answer(
            [
                Answer(
                    token=one.token,
                    image=one.image,
                    verdict=one.verdict,
                    klass=one.klass if one.verdict == "class" else None,
                    purpose=_purpose(one, snapshot, row),
                    person=person,
                    at=when,
                    seconds=one.seconds,
                    round=snapshot.round.number,
                    proposed=int(view.label[row]),
                    confidence=float(view.confidence[row]),
                )
                for one, row in zip(body.answers, rows, strict=True)
            ]
        )
        return Json({"saved": [one.token for one in body.answers], "new": new})

    @app.post("/api/undo")
    def undo(request: Request, body: UndoBody) -> Json:
        person = context_of(request, server).person
        taken = [answer for token in body.tokens if (answer := session.undo(token, person))]
        return Json({"undone": [a.token for a in taken], "images": [a.image for a in taken]})


def _purpose(one: AnswerBody, snapshot: ReviewSnapshot, row: int) -> Purpose:
    """What an answer is kept for: an image that measures the model does so whatever draw asks about it again."""
    if one.purpose != "apart":
        return one.purpose
    return "audit" if snapshot.states.audit[row] else "review"


def _classes(app: FastAPI, server: ServerState) -> None:
    session = server.session

    @app.post("/api/classes")
    def classes(request: Request, body: ClassEditBody) -> Json:
        person = context_of(request, server).person
        match body.action:
            case "add":
                edits.add(session, body.name, body.prompt, person)
            case "edit":
                edits.edit(session, body.id, body.name, body.prompt, person)
            case "merge":
                edits.merge(session, body.id, body.into, person)
            case "split":
                edits.split(session, body.id, body.names, person)
            case "remove":
                edits.remove(session, body.id, person)
        return Json({"saved": True})

    @app.post("/api/classes/preview")
    def preview(request: Request, body: WordsBody) -> Json:
        return Json(
            pages.moves_of(
                context_of(request, server),
                edits.preview(session.snapshot, body.id, body.name, body.prompt),
            )
        )


def _rounds(app: FastAPI, server: ServerState) -> None:
    session = server.session

    @app.post("/api/rounds/start")
    def start(request: Request) -> Json:
        context = context_of(request, server)
        job.start(server.folder, context.person, context.say.language)
        return Json({"started": True})

    @app.post("/api/rounds/stop")
    def stop(_: Request) -> Json:
        job.stop(server.folder)
        return Json({"stopped": True})

    @app.post("/api/rounds/back")
    def back(request: Request, body: EarlierBody) -> Json:
        if job.progress(server.folder).state == "running":
            raise RunError(mark("a round is running. Wait until it is done, or stop it first."))
        go_back(server.folder, body.number, context_of(request, server).person)
        session.load()
        return Json({"round": session.snapshot.round.number})

    @app.post("/api/draw")
    def draw(request: Request, body: DrawBody) -> Json:
        person = context_of(request, server).person
        terms = terms_of(body.max_error / 100, body.confidence / 100)
        planned, plan = body.planned, body.plan
        chosen = choose_draw(session, body.kind, body.ok, terms, planned, person, plan)
        return Json(
            {"kind": chosen.kind, "left": len(server.queue(session.snapshot, "audit", None))}
        )

    @app.post("/api/promise")
    def promise(request: Request, body: TermsBody) -> Json:
        context = context_of(request, server)
        terms = terms_of(body.max_error / 100, body.confidence / 100)
        facts = keep_promise(session, terms, tuple(body.ok), context.person, context.say)
        notes = [context.say.translated(one) for one in warning(facts)]
        model, pool = facts["decided_by_model"], facts["pool"]
        return Json({"decided_by_model": model, "pool": pool, "notes": notes})


def _work(app: FastAPI, server: ServerState) -> None:
    @app.post("/api/alarm")
    def alarm(request: Request, body: AlarmBody) -> Json:
        return Json({"alarm": work.answer(server, body, context_of(request, server).person)})


def _choices(app: FastAPI, server: ServerState) -> None:
    @app.post("/api/choice")
    def choice(request: Request, body: ChoiceBody) -> Json:
        response, language = Json({"saved": True}), cookie_name(server.language)
        for name, value in ((PERSON, body.person), (language, body.language)):
            if value is not None:
                response.set_cookie(name, encoded(value), max_age=YEAR, **request.state.cookie)
        return response


def _imports(app: FastAPI, server: ServerState) -> None:
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
        context = context_of(request, server)

        def read(whole: bytes) -> dict[str, Any]:
            return exchange.imported(
                server.session, form, in_utf8(whole, server.encoding), context.person, context.say
            )

        if not upload:
            return Json(await run_in_threadpool(read, data))
        return Json(await run_in_threadpool(server.uploads.add, upload, at, of, data, read))
