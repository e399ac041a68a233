"""One request: who asks, in which language, and the moment of the review that is answered with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

from clipgrip.markup import templates
from clipgrip.review.snapshot import ReviewSnapshot
from clipgrip.review.web.state import ServerState
from clipgrip.review.web.texts import for_script
from clipgrip.words import LANGUAGES, Language, Words

COOKIES = {"person": "clipgrip_person", "language": "clipgrip_language"}


@dataclass(frozen=True)
class PageContext:
    """One request. Everything on a page is of the same snapshot, whatever others answer meanwhile."""

    server: ServerState = field(repr=False)
    snapshot: ReviewSnapshot = field(repr=False)
    say: Words
    person: str
    csrf: str = field(repr=False)

    @classmethod
    def of(
        cls, server: ServerState, cookies: Mapping[str, str], accepted: str, csrf: str
    ) -> PageContext:
        """From the cookies, or from what the browser accepts."""
        name = unquote(cookies.get(COOKIES["person"], ""))
        person = "".join(c for c in name if c.isprintable())[:80].strip()
        say = words_for(cookies, accepted, server.language)
        return cls(server, server.session.snapshot, say, person, csrf)

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


def words_for(cookies: Mapping[str, str], accepted: str, asked: Language | None) -> Words:
    """In the language that the reader chose, else the one asked for at the start, else that of the browser."""
    chosen = cookies.get(language_cookie(asked), "")
    if chosen not in LANGUAGES:
        return Words(asked or _accepted(accepted))
    return Words("ja" if chosen == "ja" else "en")


def language_cookie(asked: Language | None) -> str:
    """Its name: what was chosen on other pages does not undo the language that this review was started in."""
    return "_".join(filter(None, (COOKIES["language"], asked)))


def encoded(value: str) -> str:
    """A value that a cookie can hold."""
    return quote(value.strip(), safe="")


def _accepted(header: str) -> Language:
    """The language of the browser: Japanese where it stands before English."""
    for part in header.lower().split(","):
        tag = part.split(";")[0].strip()
        if tag.startswith("ja"):
            return "ja"
        if tag.startswith("en"):
            return "en"
    return "en"
