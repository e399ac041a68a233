"""Behind a reverse proxy: which names are answered, and a path before every page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from projects import command
from review_helpers import BASE, PORT, Browser
from starlette.testclient import TestClient

from clipgrip.errors import ConfigError
from clipgrip.review.session import ReviewSession
from clipgrip.review.web.address import Access, PublicName, path_prefix
from clipgrip.review.web.app import create_app
from clipgrip.review.web.server import check_access, link
from clipgrip.review.web.state import ServerState

TOKEN = "a token nobody can guess"
NAME = "review.plant.example"


def behind(session: ReviewSession, *names: str, prefix: str = "", token: str = "") -> TestClient:
    public = tuple(PublicName.of(name) for name in names)
    access = Access("127.0.0.1", PORT, token, (), public, path_prefix(prefix))
    return TestClient(
        create_app(ServerState(session, access)), base_url=BASE, follow_redirects=False
    )


def test_a_name_is_answered_at_the_usual_ports_and_a_name_with_a_port_at_that_one(
    session: ReviewSession,
) -> None:
    client = behind(session, NAME, "other.example:8443")
    for host, status in (
        (NAME, 200), (f"{NAME}:443", 200), (f"{NAME}:80", 200), (f"{NAME}:{PORT}", 200), (NAME.upper(), 200),
        (f"{NAME}.", 200), ("other.example:8443", 200), ("other.example", 200), (f"127.0.0.1:{PORT}", 200),
        (f"{NAME}:8443", 400), ("other.example:443", 400), ("evil.example", 400), (f"{NAME}.evil.example", 400),
        (f"evil.example@{NAME}", 400), (f"x{NAME}", 400), ("10.0.0.1", 400), ("", 400), ("[", 400),
    ):  # fmt: skip
        assert client.get("/healthz", headers={"host": host}).status_code == status, host


def test_what_a_forwarding_header_says_opens_no_door(session: ReviewSession) -> None:
    client = behind(session, NAME)
    for header in ("x-forwarded-host", "x-forwarded-server", "forwarded", "x-original-host"):
        told = client.get("/", headers={"host": "evil.example", header: f"host={NAME}"})
        assert told.status_code == 400
        assert "--allow-name" in told.text
    for header in ("x-forwarded-prefix", "x-script-name", "x-forwarded-host", "x-forwarded-uri"):
        assert "evil" not in client.get("/", headers={header: "/evil"}).text


def test_a_page_under_the_name_may_write_and_no_other(session: ReviewSession) -> None:
    client = behind(session, NAME, "other.example:8443")
    for host in (NAME, f"127.0.0.1:{PORT}"):  # a proxy may say its own address instead
        page = client.get("/", headers={"host": host})
        token = re.search(r'name="csrf" content="(\w+)"', page.text)
        assert token
        for origin, status in (
            (f"https://{NAME}", 200), (f"http://{NAME}", 200), ("https://other.example:8443", 200),
            (f"https://{NAME}:9000", 403), ("https://other.example", 403), ("https://evil.example", 403),
            (f"ftp://{NAME}", 403), ("null", 403), (f"https://{NAME}.evil.example", 403), ("", 403),
        ):  # fmt: skip
            headers = {"host": host, "origin": origin, "x-csrf-token": token[1]}
            told = client.post("/api/choice", json={}, headers=headers)
            assert told.status_code == status, (host, origin)


def test_every_link_script_and_cookie_respects_the_prefix(session: ReviewSession) -> None:
    client = behind(session, NAME, prefix="clipgrip")
    for path in ("/", "/review", "/one", "/audit", "/classes", "/rounds", "/files"):
        told = client.get("/clipgrip" + path)
        assert told.status_code == 200, path
        csrf = r'name="csrf" content="\w+"'
        taken = client.get(path)  # the proxy took the prefix away
        assert re.sub(csrf, "", told.text) == re.sub(csrf, "", taken.text)
        found = re.findall(r'(?:href|src|action)="([^"]*)"', told.text)
        assert len(found) >= 9
        assert all(re.match(r"/clipgrip/(?!/)", one) for one in found), path
        assert '<meta name="root" content="/clipgrip">' in told.text
    assert client.get("/clipgrip").status_code == 200
    assert client.get("/clipgrip/review/").status_code == 200
    assert client.get("/clipgrip/static/core.js").status_code == 200
    assert client.get("/clipgripper/review").status_code == 404
    assert client.get("/clipgrip/review?queue=audit").headers["location"] == "/clipgrip/audit"
    fresh = behind(session, NAME, prefix="clipgrip").get("/clipgrip/")
    assert "path=/clipgrip;" in fresh.headers["set-cookie"].lower() + ";"


def test_no_script_asks_for_an_address_of_its_own() -> None:
    import clipgrip.review.web

    for file in (Path(clipgrip.review.web.__file__).parent / "static").glob("*.js"):
        for line in file.read_text("utf-8").splitlines():
            for asked in re.findall(r"(?:fetch\(|href = |src = |location = )(.*)", line):
                assert asked.startswith(("root +", "`${root}/")), f"{file.name}: {line.strip()}"


def test_the_token_leads_below_the_prefix_and_its_cookie_is_secure_by_https(
    session: ReviewSession,
) -> None:
    client = behind(session, NAME, prefix="/clipgrip/", token=TOKEN)
    asked = {"host": NAME, "x-forwarded-proto": "https"}
    told = client.get("/clipgrip/classes", params={"token": TOKEN}, headers=asked)
    assert (told.status_code, told.headers["location"]) == (303, "/clipgrip/classes")
    cookie = told.headers["set-cookie"].lower()
    assert "path=/clipgrip" in cookie
    assert "secure" in cookie
    by_http = client.get("/clipgrip/", params={"token": TOKEN}, headers={"host": NAME})
    assert "secure" not in by_http.headers["set-cookie"].lower()
    for path in ("//evil.example", "/clipgrip//evil.example", "/clipgrip"):
        client.cookies.clear()
        told = client.get(BASE + path, params={"token": TOKEN})
        assert re.match(r"/clipgrip/(?![/\\])", told.headers["location"]), path


def test_two_reviews_on_one_host_do_not_know_each_others_cookies(
    session: ReviewSession, tmp_path: Path
) -> None:
    first = Browser(session, access=Access("127.0.0.1", PORT, TOKEN))
    first.client.get("/", params={"token": TOKEN})
    names = set(first.client.cookies)
    assert len(names) == 2
    with session.store._db as db:
        db.execute("DELETE FROM secret")  # as another run's review
    second = Browser(session, access=Access("127.0.0.1", PORT + 1, TOKEN))
    second.client.base_url = f"http://127.0.0.1:{PORT + 1}"  # type: ignore[assignment]
    second.client.cookies.update(
        first.client.cookies
    )  # browsers keep one jar for all ports of a host
    assert second.client.get("/").status_code == 401
    assert second.client.get("/", params={"token": TOKEN}).status_code == 200
    first.client.cookies.update(second.client.cookies)
    assert first.client.get("/").status_code == 200  # and the first is still let in
    assert len(set(first.client.cookies)) == 4


@pytest.mark.parametrize(
    "text",
    ["", "https://a.example", "a.example/x", "*.example", "a b", "a.example:x", "a.example:0", "a.example:70000",
     "user@a.example", ":8443", "-a.example", "a..example", "a.example?x"],
)  # fmt: skip
def test_what_is_no_name_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigError, match=r"review\.plant\.example"):
        PublicName.of(text)


def test_names_are_taken_as_browsers_send_them() -> None:
    assert PublicName.of("Review.Plant.Example:8443") == PublicName("review.plant.example", 8443)
    assert PublicName.of("工場.example").name == "xn--rls55k.example"
    assert PublicName.of("[::1]:8443") == PublicName("::1", 8443)
    assert PublicName.of("plant-pc") == PublicName("plant-pc")


def test_prefixes() -> None:
    assert [path_prefix(p) for p in ("", "/", "clipgrip", "/clipgrip/", "/a/b-c")] == [
        "", "", "/clipgrip", "/clipgrip", "/a/b-c",
    ]  # fmt: skip
    for bad in ("/a b", "/a//b", "/..", "/a/../b", "/ä", "/a?x", '/"'):
        with pytest.raises(ConfigError, match="is no path"):
            path_prefix(bad)
    with pytest.raises(ConfigError, match=r"Choose another, as /clipgrip/review\."):
        path_prefix("/review")
    assert link("127.0.0.1", 1, "a b&c", "/x") == "http://127.0.0.1:1/x/?token=a%20b%26c"


def test_where_the_token_comes_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    ask = ("review", tmp_path / "no run", "--host", "0.0.0.0", "--port", 0, "--no-browser")
    told = command(capsys, *ask, "--token-file", file)
    assert told.code == 2
    assert "cannot be read" in told.err
    for content, reason in (
        (b"", "holds no token"), (b"\xff\xfe\x00", "holds no token"), (b"a\nb is long enough", "holds no token"),
        (b"x" * 5000, "holds no token"), (b"short", "at least 12"), (TOKEN.encode() + b"\r\n", "holds no run"),
    ):  # fmt: skip
        file.write_bytes(content)
        told = command(capsys, *ask, "--token-file", file)
        assert (told.code, reason in told.err) == (2, True), content
    told = command(capsys, *ask, "--token-file", file, "--token", TOKEN)
    assert "Give one of them" in told.err
    monkeypatch.setenv("CLIPGRIP_TOKEN", TOKEN)
    assert "holds no run" in command(capsys, *ask).err
    monkeypatch.setenv("CLIPGRIP_TOKEN", "short")
    assert "at least 12" in command(capsys, *ask).err


def test_a_short_token_is_refused_everywhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Found by a reader: --help asks for 12 characters, and on loopback 5 were taken."""
    with pytest.raises(ConfigError, match=r"5 characters.*at least 12"):
        check_access("127.0.0.1", "short")
    check_access("127.0.0.1", "")
    told = command(capsys, "review", tmp_path, "--token", "short", "--no-browser")
    assert (told.code, "at least 12" in told.err) == (2, True)
