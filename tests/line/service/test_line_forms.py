"""Bodies as programs really send them: names in their own letters, cut forms, lines of Base64, packed bodies."""

from __future__ import annotations

import base64
import gzip
from typing import Any

import pytest
from line_fakes import GOOD, SCRATCH, picture

from clipgrip_line.service import forms

KIND = {"content-type": "multipart/form-data; boundary=XX"}


def part(disposition: str, data: bytes) -> bytes:
    head = f"Content-Disposition: form-data; {disposition}\r\n\r\n".encode()
    return b"--XX\r\n" + head + data + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--XX--\r\n"


@pytest.mark.parametrize(
    "disposition",
    [
        "name=images; filename*=UTF-8''%E9%83%A8%E5%93%81.png",
        'name="images"; filename="=?utf-8?B?6YOo5ZOB?="; filename*=utf-8\'ja\'%E9%83%A8%E5%93%81.png',
        "name=images; filename*=utf-8''%E9%83%A8%E5%93%81.png; filename=b.png",
        "name=images; filename*=Shift_JIS''%95%94%95i.png",
        'name=images; filename="部品.png"',
    ],
)
def test_a_file_is_named_in_its_own_letters(start: Any, disposition: str) -> None:
    _, client = start()
    told = client.post("/v1/predict", content=form(part(disposition, GOOD)), headers=KIND)
    assert [one["name"] for one in told.json()["answers"]] == ["部品.png"]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (b"form-data; name=a", b"form-data; name=a"),
        (b"form-data; filename*=nope''a%FF", b'form-data; filename="a\xff"'),
        (b"filename*=UTF-8''a", b"filename*=UTF-8''a"),
        (b"x; filename*=UTF-8''a%22%5Cb", b'x; filename="a\\"\\\\b"'),
        (b"x; filename=\"a;b\"; filename*=UTF-8''c; name=d", b'x; name=d; filename="c"'),
    ],
)
def test_strange_names_stay_names(given: bytes, wanted: bytes) -> None:
    assert forms.plainly_named(given) == wanted


@pytest.mark.parametrize("missing", [4, 8, 30, 200])
def test_a_form_that_is_cut_is_refused_and_none_of_its_images_is_counted(
    start: Any, missing: int
) -> None:
    _, client = start()
    whole = form(
        part('name="images"; filename="a.png"', GOOD),
        part('name="images"; filename="b.png"', picture(9, 9, 9, 200)),
    )
    told = client.post("/v1/predict", content=whole[:-missing], headers=KIND)
    assert (told.status_code, told.json()["code"]) == (400, "input")
    assert "last boundary" in told.json()["error"]
    assert client.get("/v1/line").json()["last"] is None


def test_what_is_wrong_with_a_form_is_said_without_a_number_before_it(start: Any) -> None:
    _, client = start()
    told = client.post(
        "/v1/predict", content=b"x", headers={"content-type": "multipart/form-data"}
    ).json()["error"]
    assert told == "the form of the request cannot be read: Missing boundary in multipart."


def test_a_form_of_texts_alone_is_told_how_files_are_sent(start: Any) -> None:
    _, client = start()
    told = client.post("/v1/predict", content=form(part('name="images"', GOOD)), headers=KIND)
    assert told.status_code == 400
    assert "file name" in told.json()["error"]


def test_large_files_of_a_form_need_no_disk(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_disk(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", no_disk)
    _, client = start()
    large = GOOD + bytes(3 << 20)
    told = client.post("/v1/predict", files={"images": ("a.png", large)})
    assert (told.status_code, told.json()["answers"][0]["class"]) == (200, "good")


def test_base64_may_stand_in_lines(start: Any) -> None:
    _, client = start()
    lines = base64.encodebytes(SCRATCH).decode()
    assert "\n" in lines[:-1]
    for text in (lines, lines.replace("\n", "\r\n"), f"data:image/png;base64,{lines}"):
        told = client.post("/v1/predict", json={"images": [text]})
        assert told.json()["answers"][0]["class"] == "scratch"


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate, gzip"])
def test_a_packed_body_is_refused_with_what_to_do(start: Any, encoding: str) -> None:
    _, client = start()
    packed = {"content-encoding": encoding}
    told = client.post("/v1/predict", content=gzip.compress(GOOD), headers=packed)
    assert (told.status_code, told.json()["code"]) == (415, "packed")
    assert "Content-Encoding" in told.json()["error"]
    plain = {"content-encoding": "Identity"}
    assert client.post("/v1/predict", content=GOOD, headers=plain).status_code == 200


def test_a_wrong_method_is_told_the_right_one(start: Any) -> None:
    _, client = start()
    assert client.options("/v1/predict").headers["allow"] == "POST"
    assert set(client.put("/v1/model").headers["allow"].split(", ")) == {"GET", "HEAD"}


def test_a_whole_address_in_the_place_of_a_path_is_that_path(start: Any) -> None:
    service, _ = start()
    for target in ("http://testserver/healthz", "http://testserver:80/healthz/"):
        assert _status(service, target) == 200
    assert _status(service, "http://testserver") == 200
    assert _status(service, "http://testserver/nothing") == 404


def _status(service: Any, target: str) -> int:
    import asyncio

    from line_fakes import app_of

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "path": target,
        "raw_path": target.encode(),
        "query_string": b"",
        "headers": [(b"host", b"testserver")],
    }
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app_of(service)(scope, receive, send))
    return int(sent[0]["status"])
