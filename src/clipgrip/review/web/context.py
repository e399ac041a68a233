"""One request: who asks, in which language, and the moment of the review that is answered with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

from starlette.requests import Request

from clipgrip.markup import templates
from clipgrip.review.snapshot import ReviewSnapshot
from clipgrip.review.web.state import ServerState
from clipgrip.review.web.texts import for_script
from clipgrip.words import Words

PERSON = "clipgrip_person"
"""The cookie with the reader's name."""


@dataclass(frozen=True)
class PageContext:
    """One request. Everything on a page is of the same snapshot, whatever others answer meanwhile."""

    server: ServerState = field(repr=False)
    snapshot: ReviewSnapshot = field(repr=False)
    say: Words
    person: str
    csrf: str = field(repr=False)

    @classmethod
    def of(cls, server: ServerState, request: Request) -> PageContext:
        """From the cookies, and from what the guard has found."""
        name = unquote(request.cookies.get(PERSON, ""))
        person = "".join(c for c in name if c.isprintable())[:80].strip()
        state = request.state
        return cls(server, server.session.snapshot, Words(state.language), person, state.csrf)

    def page(self, name: str, **values: Any) -> str:
        """A page from its template."""
        missing = len(self.snapshot.round.missing)
        shared = {
            "root": self.server.root,
            "say": self.say,
            "language": self.say.language,
            "person": self.person,
            "csrf": self.csrf,
            "words": for_script(self.say),
            "project": self.server.folder.resolve().name,
            "review": self.server.name,
            "round": self.snapshot.round.number,
            "loading": self.server.loading,
            "missing": missing,
            "under_review": len(self.snapshot.view.rows) + missing,
        }
        return templates("clipgrip.review.web").get_template(name).render(**shared, **values)


def encoded(value: str) -> str:
    """A value that a cookie can hold."""
    return quote(value.strip(), safe="")
