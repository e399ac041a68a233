"""Who may ask: this machine alone unless asked otherwise, then with a token; and what no other page may do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from line_fakes import GOOD

from clipgrip_line.cli import parser_of
from clipgrip_line.commands.serve import _limits, tokens_of
from clipgrip_line.errors import LineError
from clipgrip_line.service.alone import alone
from clipgrip_line.service.server import check_tokens
from clipgrip_line.web.address import Access, PublicName
from clipgrip_line.web.headers import HEADERS

TOKEN = "a-token-nobody-can-guess"


def test_another_host_name_is_refused_and_another_page_may_not_write(start: Any) -> None:
    _, client = start()
    assert client.get("/healthz", headers={"host": "evil.example"}).status_code == 400
    other = client.post("/v1/predict", content=GOOD, headers={"origin": "http://evil.example"})
    assert (other.status_code, other.json()["code"]) == (403, "origin")
    own = client.post("/v1/predict", content=GOOD, headers={"origin": "http://testserver"})
    assert own.status_code == 200


def test_with_tokens_only_health_is_open(start: Any) -> None:
    _, client = start(tokens=(TOKEN, "another-token-for-the-plc"))
    assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200
    for path in ("/", "/v1/line", "/metrics", "/openapi.json", "/static/line.js"):
        refused = client.get(path)
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer"), path
    bearer = {"authorization": f"Bearer {TOKEN}"}
    assert client.post("/v1/predict", content=GOOD, headers=bearer).status_code == 200
    wrong = {"authorization": "Bearer wrong"}
    assert client.post("/v1/predict", content=GOOD, headers=wrong).status_code == 401


def test_the_link_lets_a_browser_in_and_the_token_leaves_the_address(start: Any) -> None:
    _, client = start(tokens=(TOKEN,))
    entered = client.get(f"/?token={TOKEN}", follow_redirects=False)
    assert (entered.status_code, entered.headers["location"]) == (303, "./")
    assert "HttpOnly" in entered.headers["set-cookie"]
    assert "SameSite=lax" in entered.headers["set-cookie"]
    assert TOKEN not in entered.headers["set-cookie"]
    assert client.get("/").status_code == 200


def test_pages_go_on_from_where_they_are_so_that_a_proxy_may_take_a_path_away(start: Any) -> None:
    _, client = start(tokens=(TOKEN,))
    entered = client.get(f"/docs?token={TOKEN}", follow_redirects=False)
    assert entered.headers["location"] == "./docs"
    client.cookies.clear()
    entered = client.get(f"/docs/?token={TOKEN}", follow_redirects=False)
    assert entered.headers["location"] == "./"
    for path in ("/", "/docs"):
        text = client.get(path).text
        for place in re.findall(r'(?:href|src)="([^"]*)"', text):
            assert not place.startswith("/"), (path, place)
            assert client.get(urljoin(path, place)).status_code == 200, (path, place)
    for script in ("line.js", "docs.js"):
        text = client.get(f"/static/{script}").text
        assert not re.search(r"""["'`]/[\w?]""", text), script
    for more in ("/docs/", "/docs//", "/docs///"):
        slash = client.get(more, follow_redirects=False)
        there = urljoin(f"http://testserver{more}", slash.headers["location"])
        assert there == "http://testserver/docs"
    assert client.get("/v1/line/").status_code == 200


@pytest.mark.parametrize(
    ("public", "by", "secure"),
    [(True, "https", True), (True, "http", False), (False, "https", False)],
)
def test_the_cookie_of_a_page_by_https_is_sent_by_https_alone(
    start: Any, public: bool, by: str, secure: bool
) -> None:
    names = (PublicName("line.plant.example"),) if public else ()
    access = Access("testserver", 80, public=names)
    _, client = start(tokens=(TOKEN,), access=access)
    headers = {"x-forwarded-proto": by}
    entered = client.get(f"/?token={TOKEN}", headers=headers, follow_redirects=False)
    assert ("secure" in entered.headers["set-cookie"].casefold()) is secure


@pytest.mark.parametrize(
    ("asked", "browser", "shown"),
    [(None, "ja,en", "ja"), (None, "", "en"), ("ja", "en-GB", "ja"), ("en", "ja", "en")],
)
def test_a_choice_comes_before_the_language_of_the_start_and_that_before_the_browsers(
    start: Any, asked: str | None, browser: str, shown: str
) -> None:
    _, client = start(language=asked)
    other = "en" if shown == "ja" else "ja"
    asking = {"accept-language": browser, "accept": "text/html"}
    assert f'<html lang="{shown}">' in client.get("/", headers=asking).text
    assert f'<html lang="{other}">' in client.get(f"/?lang={other}", headers=asking).text
    assert f'<html lang="{other}">' in client.get("/docs", headers=asking).text  # it was kept
    wrong = client.get("/?lang=fr", headers=asking)
    assert (wrong.status_code, wrong.json()["code"]) == (400, "language")
    assert "en, ja" in wrong.json()["error"]


def test_the_interface_is_described_in_the_readers_language(start: Any) -> None:
    _, client = start()
    told = client.get("/openapi.json?lang=ja").json()
    texts = [
        one["summary"]
        for path in told["paths"].values()
        for one in path.values()
        if "summary" in one
    ]
    assert texts
    assert all(not text.isascii() for text in texts)
    assert client.get("/openapi.json").json()["paths"]["/healthz"]["get"]["summary"].isascii()


def test_a_picture_that_is_not_there_is_refused_with_a_sentence(start: Any) -> None:
    _, client = start()
    for image in ("0" * 64, "x"):
        told = client.get(f"/v1/pictures/{image}")
        assert (told.status_code, told.json()["error"]) == (
            404,
            "The picture is not kept any more.",
        )


def test_every_answer_has_the_headers_of_a_page_that_trusts_nothing(start: Any) -> None:
    _, client = start()
    for path in ("/", "/docs", "/nothing", "/v1/line", "/static/line.css"):
        told = client.get(path)
        assert all(told.headers[name] == value for name, value in HEADERS.items()), path
    assert client.put("/v1/predict", content=GOOD).status_code == 405
    assert (
        client.get("/nothing", headers={"accept-language": "ja"}).json()["error"].startswith("この")
    )


def test_other_machines_need_a_token() -> None:
    check_tokens("127.0.0.1", ())
    with pytest.raises(LineError, match="token-file"):
        check_tokens("0.0.0.0", ())
    with pytest.raises(LineError, match=r"--allow-name lets .* --token-file"):
        check_tokens("127.0.0.1", (), public=True)
    with pytest.raises(LineError, match=r"tokens\.txt: a token of 5 .* at least 12"):
        check_tokens("127.0.0.1", ("short",), where="--token-file tokens.txt")
    with pytest.raises(LineError, match=r"tokens\.txt: .*ASCII"):
        check_tokens("127.0.0.1", (TOKEN, "abcdefghijklmnop日本"), where="--token-file tokens.txt")
    check_tokens("0.0.0.0", (TOKEN,))


def test_tokens_come_from_a_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tokens").write_text(f"# plc\n{TOKEN}\n\nsecond-token-here\n")
    assert tokens_of(tmp_path / "tokens") == (TOKEN, "second-token-here")
    monkeypatch.setenv("CLIPGRIP_LINE_TOKEN", TOKEN)
    assert tokens_of(None) == (TOKEN,)


@pytest.mark.parametrize(
    "content", [b"", b"# none yet\n", b"token-\xff\xfe-of-latin\n", b"a token for all \n" * 70_000]
)
def test_a_file_without_a_token_is_no_service_without_one(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "tokens").write_bytes(content)
    with pytest.raises(LineError, match="holds no token"):
        tokens_of(tmp_path / "tokens")


def test_a_limit_that_is_no_number_is_refused() -> None:
    args = parser_of().parse_args(["serve", "--timeout", "nan"])
    with pytest.raises(LineError, match="--timeout"):
        _limits(args)


def test_one_service_for_a_folder(tmp_path: Path) -> None:
    with alone(tmp_path), pytest.raises(LineError, match="served already"), alone(tmp_path):
        pass


def test_the_description_names_every_route(start: Any) -> None:
    _, client = start()
    paths = set(client.get("/openapi.json").json()["paths"])
    app = client.app
    routes = {route.path for route in app.routes if route.path not in ("/static", "/", "/docs")}
    assert routes - {"/favicon.ico", "/openapi.json"} == paths
