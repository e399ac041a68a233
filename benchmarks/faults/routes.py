"""Every route of the review, as its router lists them, asked at random and with ill will: never a 500."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from typing import Any

from starlette.routing import BaseRoute

from benchmarks.faults.browser import Browser
from benchmarks.faults.place import Place
from benchmarks.faults.trials import Attempt, Case, Outcome
from clipgrip.review import job
from clipgrip.review.session import ReviewSession
from clipgrip.review.store import open_review

WORDS = (
    *("", "0", "1", "-1", "999999999999999999999", "1e309", "nan", "null", "true", "\x00", "%00", "../../etc/passwd"),
    *("<script>alert(1)</script>", "' OR 1=1 --", "傷", "\ud800", "\U0001f600" * 50, "x" * 5000, "{}", "[]"),
    *("doubtful", "surest", "settle"),
    *("csv", "folders", "coco", "fiftyone", "label-studio", "predictions", "audit", "class", "add", "edit", "merge"),
)  # fmt: skip
QUERIES = ("queue", "class", "n", "skip", "image", "full", "prefix", "ticket", "upload", "at", "of")
KEYS = (
    *("answers", "token", "image", "verdict", "klass", "purpose", "seconds", "tokens", "action", "id", "into"),
    *("name", "prompt", "names", "person", "language", "max_error", "confidence", "ok", "number"),
)  # fmt: skip
HEADERS = ("accept-language", "cookie", "content-type", "x-forwarded-proto", "origin", "range")


def cases(place: Place, quick: bool) -> Iterator[Case]:
    """All of them in one process, whose rounds do not begin."""
    times = 20 if quick else 400
    for method, path in listed(place):
        yield Case("routes", f"{method} {path}", times, _asked(place, method, path))
    yield Case("routes", "any method and path", 5 * times, _asked(place, "", ""))


_STAYS_OPEN = ExitStack()


@cache
def opened(place: Place) -> Browser:
    """A review that has been opened, with its images, and stays open to the end."""
    folder = shutil.copytree(place.folder / "reviewed", place.folder / "asked")
    store = _STAYS_OPEN.enter_context(open_review(folder))
    job._begun = _no_round  # type: ignore[assignment]
    return Browser(ReviewSession(folder, store))


def _no_round(*_: Any) -> Any:
    raise OSError(28, "No space left on device")


def listed(place: Place) -> list[tuple[str, str]]:
    """Method and path of each route, from the application itself."""
    found = []
    for route in opened(place).app.routes:
        methods = getattr(route, "methods", None) or {"GET"}
        found += [(method, _path(route)) for method in sorted(methods - {"HEAD"})]
    return found


def _path(route: BaseRoute) -> str:
    path = str(getattr(route, "path", "/"))
    return f"{path}/{{file}}" if path == "/static" else path


def _asked(place: Place, method: str, path: str) -> Attempt:
    def attempt(chance: random.Random, _n: int) -> Outcome:
        browser = opened(place)
        browser.again()
        images = [row.sha256 for row in browser.server.session.snapshot.view.rows]

        def word() -> str:
            if chance.random() < 0.3:
                return chance.choice(images)
            return chance.choice([*WORDS, str(chance.randrange(-5, 50))])

        verb = method or chance.choice(["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "X"])
        place_ = path or "/" + "/".join(word() for _ in range(chance.randrange(5)))
        while "{" in place_ and path:
            before, _, rest = place_.partition("{")
            place_ = before + _plain(word()) + rest.partition("}")[2]
        query = {chance.choice(QUERIES): _plain(word()) for _q in range(chance.randrange(3))}
        headers = dict(browser.headers) if chance.random() < 0.9 else {}
        if chance.random() < 0.2:
            headers[chance.choice(HEADERS)] = (
                _plain(word())[:200].encode("ascii", "ignore").decode().replace("\x00", "")
            )
        more: dict[str, Any] = {"content": _body(chance, word, path)} if verb == "POST" else {}
        if verb == "POST":
            headers.setdefault("content-type", "application/json")
        try:
            got = browser.client.request(
                verb,
                _address(place_),
                params=query,
                headers=headers,
                follow_redirects=False,
                **more,
            )
        except ValueError:  # what no browser can send
            return Outcome(seen="could not be sent")
        if got.status_code == 500 or got.status_code > 503:
            return Outcome(f"{verb} {place_[:80]!r} {query} {str(more)[:200]}: {got.status_code}")
        return Outcome(seen=f"answered {got.status_code // 100}xx")

    return attempt


def _plain(word: str) -> str:
    return word.encode("utf-8", "ignore").decode()


def _address(path: str) -> str:
    from urllib.parse import quote

    return quote(_plain(path), safe="/%") or "/"


def _body(chance: random.Random, word: Any, path: str) -> bytes:
    """JSON that may be what a page sends, or anything."""
    kind = chance.random()
    if kind < 0.1:
        return chance.randbytes(chance.randrange(200))
    if kind < 0.15:
        return b"[" * chance.choice([10, 100_000])
    if kind < 0.7:
        return json.dumps(_sensible(chance, word, path)).encode()
    return json.dumps(_value(chance, word, 0)).encode("utf-8", "surrogatepass")


def _sensible(chance: random.Random, word: Any, path: str) -> Any:
    """What a page sends to this address, more or less."""
    token, number = f"token-{chance.randrange(50):06d}", chance.randrange(-1, 8)
    purpose = chance.choice(["review", "audit", "settle"])
    said = {"token": token, "image": word(), "klass": number, "purpose": purpose}
    names = {"name": word()[:200], "prompt": word()[:500]}
    action = chance.choice(["add", "edit", "merge", "split", "remove"])
    errors = {"max_error": chance.uniform(0, 50), "confidence": chance.uniform(50, 100)}
    bodies = {
        "answers": {"answers": [said]},
        "undo": {"tokens": [token]},
        "classes": {"action": action, "id": number, "into": number + 1, **names, "names": [word()]},
        "preview": {"id": number, **names},
        "choice": {"person": word()[:80], "language": chance.choice(["en", "ja"])},
        "promise": {**errors, "ok": [number]},
        "back": {"number": number},
    }
    return bodies.get(path.rpartition("/")[2], {})


def _value(chance: random.Random, word: Any, depth: int) -> Any:
    pick = chance.randrange(8 if depth < 4 else 5)
    if pick < 5:
        return (
            word(),
            chance.randrange(-5, 50),
            chance.random() * 1e300,
            None,
            chance.random() < 0.5,
        )[pick]
    if pick == 5:
        return [_value(chance, word, depth + 1) for _ in range(chance.randrange(4))]
    return {
        chance.choice(KEYS): _value(chance, word, depth + 1) for _ in range(chance.randrange(5))
    }
