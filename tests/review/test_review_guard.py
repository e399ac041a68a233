"""Who may ask for what, and what every answer carries."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest
from fastapi.routing import APIRoute
from review_helpers import BASE, PORT, Browser
from starlette.routing import Mount
from starlette.testclient import TestClient

from clipgrip.review.session import ReviewSession
from clipgrip.review.web import address, guard, writing
from clipgrip.review.web.address import Access
from clipgrip.review.web.app import create_app
from clipgrip.review.web.guard import Guard
from clipgrip.review.web.server import check_access, link
from clipgrip.review.web.state import ServerState

TOKEN = "a token nobody can guess"
PAGES = (
    "/", "/review", "/one", "/audit", "/classes", "/rounds", "/files", "/review?queue=surest",
    "/review?queue=disagree", "/review?queue=asked", "/review?queue=second", "/review?queue=answered",
)  # fmt: skip


@pytest.fixture
def browser(session: ReviewSession) -> Browser:
    return Browser(session)


def writing_paths(browser: Browser) -> list[str]:
    """Every path that is answered to anything but a GET, from the router itself."""
    found = []
    for route in browser.app.routes:
        assert isinstance(route, APIRoute | Mount), route
        if isinstance(route, APIRoute) and route.methods - set(guard.READING):
            assert route.methods == {"POST"}
            found.append(route.path.replace("{form}", "csv"))
    return found


def test_no_first_part_of_a_path_of_the_page_may_be_a_prefix(browser: Browser) -> None:
    first = {route.path.split("/")[1] for route in browser.app.routes} - {""}
    assert first == {*address.OWN}


def test_every_writing_route_demands_the_csrf_token_of_the_page(browser: Browser) -> None:
    paths = writing_paths(browser)
    assert len(paths) >= 9
    token = browser.csrf()
    other = Browser(browser.server.session).csrf()
    assert other != token
    for path in paths:
        for headers in (
            {},
            {"x-csrf-token": ""},
            {"x-csrf-token": token[:-1] + ("0" if token[-1] != "0" else "1")},
            {"x-csrf-token": other},
            {"x-csrf-token": "é" * 64},
        ):
            told = browser.client.post(
                path, headers={k: v.encode("latin-1") for k, v in headers.items()}, json={}
            )
            assert told.status_code == 403, (path, headers)
    assert browser.server.session.store.changes()[1:] == []
    assert browser.server.session.store.answers() == []


def test_every_writing_route_refuses_another_origin(browser: Browser) -> None:
    for path in writing_paths(browser):
        for origin in (
            "http://evil.example", "null", f"http://127.0.0.1:{PORT + 1}", "http://[", "",
            f"http://127.0.0.1:{PORT}.evil.example", f"http://evil@127.0.0.1:{PORT}",
        ):  # fmt: skip
            told = browser.post(path, headers={"origin": origin})
            assert told.status_code == 403, (path, origin)


def test_a_page_without_a_session_cannot_write(browser: Browser) -> None:
    token = browser.csrf()
    browser.client.cookies.clear()
    told = browser.client.post("/api/choice", json={}, headers={"x-csrf-token": token})
    assert told.status_code == 403


def test_other_methods_are_not_answered(browser: Browser) -> None:
    for path in ("/", "/api/answers", "/static/core.js", "/nowhere"):
        for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FOO"):
            told = browser.client.request(method, path, headers={"x-csrf-token": browser.csrf()})
            assert told.status_code == 405, (method, path)
            complete(told)
    assert browser.get("/api/answers").status_code == 405
    assert browser.post("/files").status_code == 405


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:8765", "127.0.0.1", "127.0.0.1:80", "localhost.evil.example:8765", "",
        "127.0.0.1:8765@evil.example", "10.0.0.1:8765", "[::2]:8765", "[", "a b:8765", "127.0.0.1:x",
    ],
)  # fmt: skip
def test_a_host_that_is_not_ours_is_refused(browser: Browser, host: str) -> None:
    for path in ("/", "/static/core.js", "/healthz", "/nowhere"):
        told = browser.get(path, headers={"host": host})
        assert told.status_code == 400
        complete(told)


@pytest.mark.parametrize(
    "host", [f"127.0.0.1:{PORT}", f"localhost:{PORT}", f"LOCALHOST:{PORT}", f"[::1]:{PORT}"]
)
def test_our_own_names_are_answered(browser: Browser, host: str) -> None:
    assert browser.get("/healthz", headers={"host": host}).json() == {"ok": True}


def test_which_names_a_server_answers_to() -> None:
    everywhere = Access("0.0.0.0", PORT, TOKEN, ("plant-pc",))
    assert everywhere.admits(f"10.0.0.7:{PORT}")
    assert everywhere.admits(f"plant-pc:{PORT}")
    assert not everywhere.admits(f"evil.example:{PORT}")
    assert Access("127.0.0.1", 80).admits("localhost")
    assert not Access("127.0.0.1", PORT).admits(f"10.0.0.7:{PORT}")


def test_another_address_demands_a_token_that_cannot_be_guessed() -> None:
    for host in ("0.0.0.0", "10.0.0.7", "plant-pc", "::"):
        for token in ("", "short"):
            with pytest.raises(Exception, match="--token with at least 12"):
                check_access(host, token)
        check_access(host, TOKEN)
    check_access("127.0.0.1", "")
    assert TOKEN not in repr(Access("0.0.0.0", PORT, TOKEN))
    assert link("127.0.0.1", 1, "x") == "http://127.0.0.1:1/?token=x"


def test_without_the_token_of_the_link_nothing_is_shown(session: ReviewSession) -> None:
    client = TestClient(
        create_app(ServerState(session, Access("127.0.0.1", PORT, TOKEN))),
        base_url=BASE,
        follow_redirects=False,
    )
    name = client.get("/", params={"token": TOKEN}).headers["set-cookie"].partition("=")[0]
    client.cookies.clear()
    assert name.startswith("clipgrip_access_")
    paths = (
        "/",
        "/static/core.js",
        "/healthz",
        "/export/csv",
        f"/thumb/{session.snapshot.view.rows[0].sha256}",
    )
    for path in paths:
        for query in ("", "?token=", "?token=wrong", "?token=%ff%fe", "?Token=x"):
            told = client.get(path + query)
            assert told.status_code == 401, path
            complete(told)
    for cookie in ("", "wrong", TOKEN):
        assert client.get("/", headers={"cookie": f"{name}={cookie}"}).status_code == 401
    assert client.post("/api/choice?token=" + TOKEN, json={}).status_code == 401
    told = client.get("/classes", params={"token": TOKEN})
    assert (told.status_code, told.headers["location"]) == (303, "/classes")
    cookie = told.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie  # a strict one is not sent on from a link on another site
    assert TOKEN not in cookie
    for path in paths:
        assert client.get(path).status_code == 200


def test_the_token_leads_to_no_other_site(session: ReviewSession) -> None:
    client = TestClient(
        create_app(ServerState(session, Access("127.0.0.1", PORT, TOKEN))),
        base_url=BASE,
        follow_redirects=False,
    )
    for path in ("//evil.example", "///evil.example", "/%5Cevil.example", "/%09/evil.example"):
        client.cookies.clear()
        told = client.get(f"{BASE}{path}", params={"token": TOKEN})
        assert re.match(r"/(?![/\\])", told.headers["location"])


def test_nothing_outside_is_reached_through_a_path(browser: Browser) -> None:
    image = browser.server.session.snapshot.view.rows[0].sha256
    assert browser.get(f"/thumb/{image}").status_code == 200
    for path in (
        "/thumb/../../etc/passwd", "/thumb/%2e%2e/%2e%2e/etc/passwd", "/thumb/..%2f..%2fetc%2fpasswd",
        "/image/%2e%2e%2f%2e%2e%2fetc%2fpasswd", "/thumb/" + "a" * 64, "/thumb/" + image.upper(), "/thumb/",
        "/thumb/x%00", f"/thumb/{image}.jpg", "/image/C:%5Cx", "/static/../app.py", "/static/%2e%2e/app.py",
        "/static/..%2fapp.py", "/static/%2e%2e%2f%2e%2e%2fstore.py", "/static/", "/static//etc/passwd",
        "/static/..%5capp.py", "/openapi.json", "/docs", "/redoc", "/review.db",
    ):  # fmt: skip
        told = browser.get(path)
        assert told.status_code == 404, path
        complete(told)
        assert "root:" not in told.text


def test_long_bodies_are_refused_by_their_header_and_while_they_are_read(browser: Browser) -> None:
    limit = guard.MAX_BODY
    for path in ("/api/answers", "/api/choice", "/api/classes"):
        told = browser.post(path, b"x" * (limit + 1))
        assert (told.status_code, told.text) == (413, "More than 1 MB at once is not taken."), path
        complete(told)

        def parts() -> Iterator[bytes]:
            for _ in range(40):
                yield b'"' * (limit // 16)

        token = browser.csrf()
        told = browser.client.post(path, content=parts(), headers={"x-csrf-token": token})
        assert told.status_code == 413, path
        assert "More than 1 MB" in told.json()["error"]
    for length in ("-1", "x", "9" * 5000, "1e3"):
        told = browser.post("/api/choice", b"{}", headers={"content-length": length})
        assert told.status_code == 413


def test_files_may_be_longer(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = b"path,label\r\n" + b"nothing.png,dent\r\n" * 80000
    assert len(lines) > guard.MAX_BODY
    told = browser.post("/api/import/csv", lines)
    assert (told.status_code, told.json()["answers"]) == (200, 0)
    monkeypatch.setattr(guard, "MAX_UPLOAD", 1000)
    assert browser.post("/api/import/csv", lines).status_code == 413
    token = {"x-csrf-token": browser.csrf()}
    told = browser.client.post("/api/import/csv", content=iter([lines]), headers=token)
    assert told.status_code == 413


def complete(told: Any) -> None:
    """The headers that every answer has."""
    for name, value in guard.HEADERS.items():
        assert told.headers[name] == value, (told.url, name)
    assert told.headers["cache-control"] in ("no-store", "private, max-age=31536000, immutable")
    assert "server" not in told.headers


def test_every_answer_has_the_headers_errors_too(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = browser.server.session.snapshot.view.rows[0].sha256
    for path, status in (
        *((page, 200) for page in PAGES), (f"/thumb/{image}", 200), (f"/image/{image}", 200), ("/static/core.js", 200),
        ("/api/next", 200), ("/api/rounds", 200), ("/export/csv", 200), ("/export/nothing", 400), ("/nowhere", 404),
        ("/review?n=9999", 400), ("/review?queue=nothing", 400), ("/thumb/nothing", 404),
        ("/review?class=99999999999999999999", 200),
    ):  # fmt: skip
        told = browser.get(path)
        assert told.status_code == status, path
        complete(told)
    for body in ({}, {"answers": []}, {"answers": [{}]}, {"more": 1}, [1], "x"):
        told = browser.post("/api/answers", body)
        assert told.status_code == 400
        complete(told)
        assert told.json()["error"].endswith("try again.")
    told = browser.post("/api/answers", b"{")
    assert told.status_code == 400

    def broken(*_: object) -> None:
        raise ZeroDivisionError("a secret of the house")

    monkeypatch.setattr(writing.job, "stop", broken)
    told = browser.post("/api/rounds/stop")
    assert told.status_code == 500
    complete(told)
    assert "secret" not in told.text


def test_the_policy_allows_no_inline_script_and_no_other_site() -> None:
    policy = dict(part.split(" ", 1) for part in guard.POLICY.split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert "unsafe" not in guard.POLICY
    assert "http" not in guard.POLICY


ALLOWED = "http://www.w3.org/2000/svg"


def test_no_static_file_and_no_template_names_another_site() -> None:
    root = files("clipgrip.review.web")
    for folder in ("static", "templates"):
        for file in root.joinpath(folder).iterdir():
            text = file.read_text("utf-8").replace(ALLOWED, "")
            assert not re.search(r"https?:|(?<![:\w])//[\w.-]+\.\w|@import|url\(", text), file.name


def test_cookies_of_the_session_cannot_be_read_by_scripts(browser: Browser) -> None:
    told = browser.get("/")
    cookie = told.headers["set-cookie"]
    assert re.match(r"clipgrip_session_\w+=", cookie)
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    assert "set-cookie" not in browser.get("/").headers
    for odd in ("a=b; ;;;=", "clipgrip_session", 'x="', "\x01"):
        assert browser.client.get("/healthz", headers={"cookie": odd}).status_code == 200


@pytest.mark.parametrize("odd", ['seen={"a": 1}', "a[0]=b c", "x=é", "=", "a,b=c"])
def test_a_cookie_of_another_program_on_this_host_hides_none_of_ours(
    browser: Browser, odd: str
) -> None:
    token = browser.csrf()
    own = "; ".join(f"{name}={value}" for name, value in browser.client.cookies.items())
    browser.client.cookies.clear()
    for sent in (f"{odd}; {own}", f"{own}; {odd}"):
        headers = {"x-csrf-token": token, "origin": BASE, "cookie": sent.encode()}
        told = browser.client.post("/api/choice", json={"person": "Ito"}, headers=headers)
        assert told.status_code == 200, sent


def test_what_is_read_may_be_asked_for_its_head_alone(browser: Browser) -> None:
    image = browser.server.session.snapshot.view.rows[0].sha256
    for path in (*PAGES, f"/thumb/{image}", "/export/csv", "/healthz", "/static/core.js"):
        asked, told = browser.get(path), browser.client.head(path)
        assert told.status_code == asked.status_code == 200, path
        assert told.headers["content-type"] == asked.headers["content-type"]
    assert browser.client.options("/").headers["allow"] == "GET, HEAD, POST"


def test_a_restart_of_the_server_leaves_open_pages_able_to_write(session: ReviewSession) -> None:
    first = Browser(session)
    token = first.csrf()
    second = Browser(session)
    second.client.cookies = first.client.cookies
    told = second.client.post(
        "/api/choice", json={"person": "Sato"}, headers={"x-csrf-token": token}
    )
    assert told.status_code == 200


def test_only_http_is_guarded_and_nothing_else_is_served(browser: Browser) -> None:
    assert any(layer.cls is Guard for layer in browser.app.user_middleware)
    with pytest.raises(Exception), browser.client.websocket_connect("/"):  # noqa: B017
        pass
