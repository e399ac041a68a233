"""The routes that only read: pages, pictures, exports."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from fastapi import FastAPI, Query, Request
from fastapi.responses import RedirectResponse, Response, StreamingResponse

from clipgrip.data.sources import has_picture
from clipgrip.errors import ClipgripError
from clipgrip.review import exchange
from clipgrip.review.web import pages, work
from clipgrip.review.web.answering import Json, Page
from clipgrip.review.web.cards import Queue, batch
from clipgrip.review.web.context import PageContext
from clipgrip.review.web.faceless import drawn
from clipgrip.review.web.state import ServerState
from clipgrip.review.web.thumbs import full as full_picture
from clipgrip.review.web.thumbs import longest_side, picture, thumbnail

FOREVER = {"cache-control": "private, max-age=31536000, immutable"}
"""For what is addressed by its content."""
ClassId = Annotated[int | None, Query(alias="class")]


def add_routes(app: FastAPI, server: ServerState) -> None:
    """Everything that is answered to a GET."""
    _figures(app, server)
    _images(app, server)
    _values(app, server)
    _exports(app, server)
    _pictures(app, server)


def context_of(request: Request, server: ServerState) -> PageContext:
    """Who asks, in which language."""
    return PageContext.of(server, request)


def _figures(app: FastAPI, server: ServerState) -> None:
    """Pages about the whole."""

    def show(path: str, build: Callable[[PageContext], str]) -> None:
        @app.get(path, response_class=Page)
        def answer(request: Request) -> Response:
            server.refresh()
            return Page(build(context_of(request, server)))

    show("/", pages.overview_page)
    show("/classes", pages.classes_page)
    show("/rounds", pages.rounds_page)
    show("/files", pages.files_page)
    show("/work", work.work_page)


def _images(app: FastAPI, server: ServerState) -> None:
    """Pages that show images."""

    @app.get("/review", response_class=Page)
    def grid(
        request: Request,
        queue: Queue = "doubtful",
        klass: ClassId = None,
        n: Annotated[int, Query(ge=10, le=500)] = 100,
        skip: Annotated[int, Query(ge=0)] = 0,
    ) -> Response:
        if queue == "audit":  # one by one, without the model's answer
            return RedirectResponse(server.root + "/audit", 303)
        server.refresh()
        return Page(pages.grid_page(context_of(request, server), queue, klass, n, skip))

    @app.get("/one", response_class=Page)
    def one(
        request: Request, queue: Queue = "doubtful", klass: ClassId = None, image: str = ""
    ) -> Response:
        server.refresh()
        return Page(pages.one_page(context_of(request, server), queue, klass, image))

    @app.get("/audit", response_class=Page)
    def audit(request: Request) -> Response:
        server.refresh()
        return Page(pages.one_page(context_of(request, server), "audit", None, ""))


def _values(app: FastAPI, server: ServerState) -> None:
    """What scripts ask for."""

    @app.get("/api/next")
    def following(
        request: Request,
        queue: Queue = "doubtful",
        klass: ClassId = None,
        n: Annotated[int, Query(ge=1, le=500)] = 20,
        skip: Annotated[int, Query(ge=0)] = 0,
    ) -> Json:
        return Json(batch(context_of(request, server), queue, klass, n, skip))

    @app.get("/api/size/{image}")
    def size(image: str) -> Json:
        return Json({"longest": longest_side(server.row(image))})

    @app.get("/api/rounds")
    def rounds(request: Request) -> Json:
        server.refresh()
        return Json(pages.progress_of(context_of(request, server)))

    @app.get("/healthz")
    def healthz() -> Json:
        return Json({"ok": True})


def _exports(app: FastAPI, server: ServerState) -> None:
    """Files for other tools, and what they hold."""

    @app.get("/export/{form}")
    def export(
        request: Request,
        form: str,
        prefix: Annotated[str | None, Query(max_length=1000)] = None,
        ticket: Annotated[str, Query(max_length=64)] = "",
    ) -> Response:
        """Written whole before the first byte: what fails is a refusal, never half a file behind a 200."""
        try:
            options = exchange.Options(prefix, context_of(request, server).say)
            made = exchange.exported(server.session.snapshot, server.session.store, form, options)
        except ClipgripError as error:
            server.note_export(ticket, error.sentence)
            raise
        server.note_export(ticket, made.written)
        headers = {
            "content-disposition": f'attachment; filename="{made.name}"',
            "content-length": str(made.size),
            "x-clipgrip-images": str(made.written.images),
            "x-clipgrip-labels": str(made.written.labels),
            "x-clipgrip-left-out": str(len(made.written.left)),
        }
        return StreamingResponse(iter(made), media_type=made.media, headers=headers)

    @app.get("/api/exported/{ticket}")
    def exported(request: Request, ticket: str) -> Json:
        """What a file that was asked for with this ticket holds, once it is written."""
        made, say = server.exports.get(ticket), context_of(request, server).say
        if made is None:
            return Json({"ready": False})
        if isinstance(made, str):
            return Json({"ready": True, "error": say.translated(made)})
        return Json({"ready": True, **made.summary(say)})


def _pictures(app: FastAPI, server: ServerState) -> None:
    @app.get("/thumb/{image}")
    def thumb(request: Request, image: str) -> Response:
        if drawing := _faceless(request, server, image, small=True):
            return drawing
        return Response(thumbnail(server.row(image)), media_type="image/jpeg", headers=FOREVER)

    @app.get("/image/{image}")
    def large(request: Request, image: str, full: bool = False) -> Response:
        if drawing := _faceless(request, server, image, small=False):
            return drawing
        made = (full_picture if full else picture)(server.row(image))
        return Response(made, media_type="image/jpeg", headers=FOREVER)

    @app.get("/alarm/{size}/{image}")
    def at_work(size: Literal["thumb", "image"], image: str) -> Response:
        """What an alarm shows: it came after the run, so it is none of the images under review."""
        made = (thumbnail if size == "thumb" else picture)(work.picture_row(server, image))
        return Response(made, media_type="image/jpeg", headers=FOREVER)


def _faceless(request: Request, server: ServerState, image: str, *, small: bool) -> Response | None:
    """What stands where an embedding has no picture; its neighbours' labels change, so nobody keeps it."""
    if has_picture(server.row(image).source):
        return None
    snapshot = server.session.snapshot
    svg = drawn(snapshot, snapshot.row(image), context_of(request, server).say, small=small)
    return Response(svg, media_type="image/svg+xml", headers={"cache-control": "no-store"})
