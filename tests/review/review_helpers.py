"""What the tests of the review have in common: answers in short form, and a browser."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from projects import Place
from starlette.testclient import TestClient

from clipgrip.data.manifest import Row
from clipgrip.data.sources import FileSource
from clipgrip.review.session import ReviewSession
from clipgrip.review.states import ImageState
from clipgrip.review.store import Answer
from clipgrip.review.web.address import Access
from clipgrip.review.web.app import create_app
from clipgrip.review.web.state import ServerState
from clipgrip.words import Language

PORT = 8765
BASE = f"http://127.0.0.1:{PORT}"
_numbers = itertools.count(1)


def said(image: str, klass: int | None, person: str = "Sato", **more: Any) -> Answer:
    """An answer; None: cannot tell."""
    values: dict[str, Any] = {
        "token": f"token-{next(_numbers):06d}",
        "image": image,
        "verdict": "unsure" if klass is None else "class",
        "klass": klass,
        "purpose": "review",
        "person": person,
        "at": "2026-11-24T10:00:00.000+00:00",
        "seconds": 1.5,
        "round": 1,
    }
    return Answer(**(values | more))


def answer(
    session: ReviewSession, row: int, klass: int | None, person: str = "Sato", **more: Any
) -> Answer:
    """Answer the image of a row."""
    given = said(
        session.snapshot.view.rows[row].sha256,
        klass,
        person,
        round=session.snapshot.round.number,
        **more,
    )
    assert session.answer([given]) == 1
    return given


def show(session: ReviewSession, rows: Sequence[Row]) -> None:
    """Let the images under review be these from now on."""
    view = replace(session.snapshot.view, rows=tuple(rows))
    session._snapshot = replace(session.snapshot, view=view)


def placed(session: ReviewSession, folder: Path, *paths: str) -> None:
    """Let the first rows of a review lie under other paths, as real files, all of them answered."""
    rows = list(session.snapshot.view.rows)
    for n, path in enumerate(paths):
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(rows[n].source.read())
        rows[n] = replace(rows[n], paths=(path,), source=FileSource(str(place)))
    show(session, rows)
    for n in range(len(paths)):
        answer(session, n, 1 + n % 4)


def truth(session: ReviewSession, place: Place) -> np.ndarray:
    """(N,) id of the true class of each image under review."""
    ids = {one.name: one.id for one in session.snapshot.classes.stored}
    return np.array([ids[place.truth[row.path]] for row in session.snapshot.view.rows])


def id_of(session: ReviewSession, name: str) -> int:
    """Id of an active class."""
    return next(one.id for one in session.snapshot.classes.active if one.name == name)


class Browser:
    """A browser that has opened the first page."""

    def __init__(
        self,
        session: ReviewSession,
        language: str = "en",
        access: Access | None = None,
        asked: Language | None = None,
    ) -> None:
        self.server = ServerState(session, access or Access("127.0.0.1", PORT), language=asked)
        self.app = create_app(self.server)
        self.client = TestClient(self.app, base_url=BASE, headers={"accept-language": language})

    def get(self, path: str, **more: Any) -> Any:
        """What an address answers."""
        return self.client.get(path, **more)

    def csrf(self) -> str:
        """The token that this browser's pages hold."""
        found = re.search(r'<meta name="csrf" content="(\w+)">', self.get("/files").text)
        assert found
        return found[1]

    def post(self, path: str, body: Any = None, **more: Any) -> Any:
        """Send JSON, or bytes, as a page does."""
        values = {"content": body} if isinstance(body, bytes) else {"json": body or {}}
        headers = {"x-csrf-token": self.csrf(), "origin": BASE} | more.pop("headers", {})
        return self.client.post(path, headers=headers, **values, **more)


def decided(session: ReviewSession) -> dict[str, str]:
    """Path -> class, of what people decided."""
    snapshot = session.snapshot
    at = (snapshot.states.state == ImageState.DECIDED).nonzero()[0].tolist()
    names, klass = snapshot.classes.names, snapshot.states.klass
    return {snapshot.view.rows[n].path: names[int(klass[n])] for n in at}
