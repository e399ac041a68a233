"""Webhook and MQTT: what a server that is away, slow or stubborn does to messages."""

from __future__ import annotations

import hashlib
import hmac
import socket
from pathlib import Path

import pytest
from folder_fakes import Clock, Line, Receiver, identity, picture

from clipgrip_line.errors import LineError
from clipgrip_line.folder.assembly import Wishes
from clipgrip_line.folder.mqtt import Broker
from clipgrip_line.folder.outlet import Refused, Trouble
from clipgrip_line.folder.webhook import SIGNATURE, Webhook, _judged


@pytest.fixture
def line(tmp_path: Path) -> Line:
    line = Line(tmp_path)
    for number in range(4):
        line.put(f"lot/{number}.png", picture(number))
    return line


def test_every_answer_is_posted_once_in_order(line: Line) -> None:
    receiver = Receiver()
    with receiver.serving() as url:
        assert line.once(Wishes(webhook=url)) == 0
    assert [one["number"] for one in receiver.messages] == [1, 2, 3, 4]
    first = receiver.messages[0]
    assert (first["event"], first["lot"], first["version"]) == ("answer", "lot", line.model.version)
    assert receiver.requests[0][0]["Idempotency-Key"] == first["image_id"]


def test_a_message_is_signed_with_the_secret(line: Line) -> None:
    receiver = Receiver()
    with receiver.serving() as url:
        line.once(Wishes(webhook=url, secret="between us"))
    headers, body = receiver.requests[0]
    expected = hmac.new(b"between us", body, hashlib.sha256).hexdigest()
    assert headers[SIGNATURE] == f"sha256={expected}"


def test_a_file_that_is_no_picture_is_a_message_too(line: Line) -> None:
    line.put("x.png", b"nothing")
    receiver = Receiver()
    with receiver.serving() as url:
        line.once(Wishes(webhook=url))
    refused = [one for one in receiver.messages if one["event"] == "refused"]
    assert [one["path"] for one in refused] == ["x.png"]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_a_server_that_is_away_loses_nothing(line: Line) -> None:
    port = free_port()
    wishes = Wishes(webhook=f"http://127.0.0.1:{port}/hook")
    assert line.once(wishes) == 4
    assert len(line.rows()) == 4
    assert line.status()["channels"]["webhook"]["waiting"] == 4
    assert any("webhook: Connection refused" in one for one in line.lines)
    receiver = Receiver()
    with receiver.serving(port):
        assert line.once(wishes) == 0
    assert len(receiver.messages) == 4


def test_a_server_that_fails_is_tried_again_after_a_while_and_not_before(line: Line) -> None:
    receiver, clock = Receiver(), Clock()
    receiver.codes = [503, 500]
    with receiver.serving() as url, line.watch(Wishes(webhook=url), now=clock) as watch:
        for _ in range(2):
            watch.turn()
        courier = watch.outlets.remote[0]
        for _ in range(5):
            assert courier.bring() == 0
        assert receiver.codes == [500]
        clock.at += 2
        assert courier.bring() == 0
        clock.at += 1.4  # the second wait is longer
        assert courier.bring() == 0
        clock.at += 1
        assert courier.bring() == 4
    assert "webhook: it answers 503. What waits is kept and tried again." in line.lines
    assert "webhook: works again." in line.lines


def test_what_a_server_never_takes_becomes_a_dead_letter_that_can_be_sent_again(
    line: Line,
) -> None:
    receiver = Receiver()
    receiver.codes = [200, 422]
    with receiver.serving() as url:
        assert line.once(Wishes(webhook=url)) == 0
        assert len(receiver.messages) == 3
        assert line.status()["channels"]["webhook"]["dead"] == 1
        line.once(Wishes(webhook=url, revive=True))
        assert line.status()["channels"]["webhook"]["dead"] == 0
    assert sorted(one["number"] for one in receiver.messages) == [1, 2, 3, 4]


def test_the_spool_is_bounded_and_what_is_dropped_is_counted(line: Line) -> None:
    wishes = Wishes(webhook=f"http://127.0.0.1:{free_port()}/hook")
    line.once(wishes, spool=3)
    channel = line.status()["channels"]["webhook"]
    assert (channel["waiting"], channel["dead"]) == (3, 1)
    assert any("spool is full; 1 of the oldest" in one for one in line.lines)
    assert len(line.rows()) == 4


@pytest.mark.parametrize("code", [301, 302, 401, 403, 404, 408, 429, 500, 502, 503, 504])
def test_codes_that_may_change_are_tried_again(code: int) -> None:
    assert isinstance(_judged(code, ""), Trouble)


@pytest.mark.parametrize("code", [400, 409, 410, 413, 415, 422])
def test_codes_about_the_message_are_final(code: int) -> None:
    assert isinstance(_judged(code, ""), Refused)


def test_the_wait_that_a_server_asks_for_is_kept() -> None:
    judged = _judged(429, "120")
    assert isinstance(judged, Trouble)
    assert judged.wait == 120


def test_a_redirect_is_not_followed_with_an_empty_request(line: Line) -> None:
    receiver = Receiver()
    receiver.codes = [302] * 50
    with receiver.serving() as url:
        assert line.once(Wishes(webhook=url)) == 4
    assert any("redirect" in one for one in line.lines)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://x/y",
        "file:///etc/passwd",
        "http://",
        "http://u:p@x/",
        "x",
        "http://x:99999/",
        "http://x y/",
    ],
)
def test_what_is_no_address_is_refused_with_what_is_allowed(url: str) -> None:
    with pytest.raises(LineError, match="no address to post to"):
        Webhook(url)


@pytest.mark.parametrize(
    "url",
    ["", "http://x/t", "mqtt://x", "mqtt://x/a/+/b", "mqtt://x/#", "mqtt://u:p@x/t", "mqtt://:1/t", "mqtt://x:0x/t"],
)  # fmt: skip
def test_what_is_no_broker_is_refused_with_what_is_allowed(url: str) -> None:
    with pytest.raises(LineError, match="no broker's address"):
        Broker.of(url)


def test_a_broker_has_the_usual_ports() -> None:
    assert Broker.of("mqtt://b/line/3") == Broker("b", 1883, "line/3")
    assert Broker.of("mqtts://b/x") == Broker("b", 8883, "x", tls=True)
    assert Broker.of("mqtt://b:99/x") == Broker("b", 99, "x")


def test_a_retried_message_has_the_same_key(line: Line) -> None:
    receiver = Receiver()
    with receiver.serving() as url:
        line.once(Wishes(webhook=url))
        keys = [headers["Idempotency-Key"] for headers, _ in receiver.requests]
    assert keys == [identity(picture(number)) for number in range(4)]
