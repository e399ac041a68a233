"""Versions change without a lost or torn request, and every change is kept with who and why."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from line_fakes import DENT, GOOD, SCRATCH, FakeModel, promised
from waiting import LONG, until

from clipgrip_line.cli import main
from clipgrip_line.errors import LineError
from clipgrip_line.service import shadowing, switching, versions
from clipgrip_line.service.ledger import NAME
from clipgrip_line.service.schema import MIGRATIONS
from clipgrip_line.service.versions import opened
from clipgrip_line.trust.drift import Monitors
from clipgrip_line.trust.ranks import no_counts
from clipgrip_line.trust.reference import Reference
from clipgrip_line.trust.scores import Anchors

A, B = "a" * 12, "b" * 12


def _change(state: Path, action: str, version: str) -> None:
    with opened(state) as db:
        versions.change_to(db, action, version, "Aki", "better on rust")


def test_the_service_changes_while_requests_run_and_none_is_lost_or_torn(
    start: Any, tmp_path: Path
) -> None:
    other = FakeModel(version=B, order=(1, 0, 2))
    service, client = start(FakeModel(version=A), others={B: other}, limits={"queue": 500})
    stop, found = threading.Event(), []

    def asking() -> None:
        while not stop.is_set():
            files = [("images", ("a.png", GOOD)), ("images", ("b.png", SCRATCH))]
            found.append(client.post("/v1/predict", files=files))

    with ThreadPoolExecutor(4) as pool:
        work = [pool.submit(asking) for _ in range(4)]
        for version in (B, A, B):
            _change(tmp_path / "line", versions.PROMOTE, version)
            service.switching.look()
            assert service.model.version == version
        stop.set()
        [one.result() for one in work]
    assert {told.status_code for told in found} == {200}
    for told in found:
        first, second = told.json()["answers"]
        assert first["version"] == second["version"], "one request, one version"
        right = ("good", "scratch") if first["version"] == A else ("scratch", "good")
        assert (first["class"], second["class"]) == right


def test_going_back_needs_no_loading_and_is_written_down(start: Any, tmp_path: Path) -> None:
    others = {B: FakeModel(version=B)}
    service, _ = start(FakeModel(version=A), others=others)
    _change(tmp_path / "line", versions.BEGIN, A)
    _change(tmp_path / "line", versions.PROMOTE, B)
    service.switching.look()
    others.clear()
    with opened(tmp_path / "line") as db:
        assert versions.earlier(db) == A
        assert versions.earlier(db, "bb") == B
        with pytest.raises(LineError, match="no version cc"):
            versions.earlier(db, "cc")
        versions.change_to(db, versions.ROLLBACK, A, "Sato", "wrong on rust")
        history = versions.changes(db)
    service.switching.look()
    assert service.model.version == A
    assert [(one.action, one.version, one.by) for one in history] == [
        ("begin", A, "Aki"), ("promote", B, "Aki"), ("rollback", A, "Sato"),
    ]  # fmt: skip
    assert history[-1].why == "wrong on rust"


def test_a_version_that_cannot_be_opened_is_not_changed_to(start: Any, tmp_path: Path) -> None:
    service, client = start(FakeModel(version=A))

    def broken(path: Path) -> Any:
        raise LineError("{path} is damaged.", path=path)

    service.switching.load = broken
    _change(tmp_path / "line", versions.PROMOTE, B)
    service.switching.look()
    assert service.model.version == A
    assert B in client.get("/v1/line").json()["trouble"]
    assert client.post("/v1/predict", content=GOOD).status_code == 200


def test_a_file_that_holds_another_version_is_not_changed_to(start: Any, tmp_path: Path) -> None:
    service, _ = start(FakeModel(version=A), others={B: FakeModel(version="c" * 12)})
    _change(tmp_path / "line", versions.PROMOTE, B)
    service.switching.look()
    assert service.model.version == A
    assert "holds version cccccccccccc" in service.switching.failed


@pytest.mark.parametrize(
    ("history", "back"),
    [
        ("bA pB pC rB", "A"),
        ("bA pB rA", ""),
        ("bA pB pC rB rA", ""),
        ("bA pB rA pC", "A"),
        ("bA pB rA pB", "A"),
        ("bA pB pA", "B"),
        ("bA pB pC rA", ""),
        ("bA cB cA cB", "A"),
        ("bA pB rA rB", "A"),
    ],
)
def test_going_back_again_goes_one_more_back_and_never_forward(
    tmp_path: Path, history: str, back: str
) -> None:
    actions = {"b": "begin", "p": "promote", "r": "rollback", "c": "configuration"}
    with opened(tmp_path, create=True) as db:
        for step in history.split():
            versions.change_to(db, actions[step[0]], step[1], "Aki", "")
        if back:
            assert versions.earlier(db) == back
        else:
            with pytest.raises(LineError, match="no earlier version"):
                versions.earlier(db)


def test_there_is_nothing_to_go_back_to_at_the_beginning(tmp_path: Path) -> None:
    with opened(tmp_path, create=True) as db:
        versions.change_to(db, versions.BEGIN, A, "Aki", "")
        with pytest.raises(LineError, match="no earlier version"):
            versions.earlier(db)


def test_going_back_to_a_bundle_that_is_gone_is_refused_and_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with opened(tmp_path, create=True) as db:
        versions.change_to(db, versions.BEGIN, A, "Aki", "")
        versions.change_to(db, versions.PROMOTE, B, "Aki", "")
    assert main(["rollback", str(tmp_path)]) == 2
    assert "not there any more" in capsys.readouterr().err
    with opened(tmp_path) as db:
        assert [one.version for one in versions.changes(db)] == [A, B]


def test_a_folder_without_a_line_is_said(tmp_path: Path) -> None:
    with pytest.raises(LineError, match="holds no line"), opened(tmp_path):
        pass


def test_a_shadow_says_where_it_differs_and_which_was_right(start: Any) -> None:
    shadow = FakeModel(version=B, order=(1, 0, 2))
    _, client = start(FakeModel(version=A), shadow=shadow, audit_every=1)
    images = [client.post("/v1/predict", content=one).json()["answers"][0] for one in (GOOD, DENT)]
    until(lambda: client.get("/v1/line").json()["shadow"]["images"] == 2)
    for n, one in enumerate(images):
        name = ("good", "dent")[n]
        body = {"image": one["image_id"], "class": name, "by": "Aki", "token": f"token-000{n}"}
        client.post("/v1/answers", json=body)
    found = client.get("/v1/line").json()["shadow"]
    assert (found["images"], found["differ"]) == (2, 1)
    assert (found["answered"], found["right"], found["shadow_right"]) == (2, 2, 1)
    assert found["latest"][0]["shadow_class"] == "scratch"


def test_what_people_say_later_is_counted_for_the_shadow_too(start: Any) -> None:
    shadow = FakeModel(version=B, order=(1, 0, 2))
    service, client = start(FakeModel(version=A), shadow=shadow, audit_every=1)
    one = client.post("/v1/predict", content=GOOD).json()["answers"][0]
    until(lambda: client.get("/v1/line").json()["shadow"]["images"] == 1)
    assert client.get("/v1/line").json()["shadow"]["answered"] == 0
    body = {"image": one["image_id"], "class": "good", "by": "Aki", "token": "token-0001"}
    client.post("/v1/answers", json=body)
    assert client.get("/v1/line").json()["shadow"]["right"] == 1
    client.post("/v1/answers/undo", json={"token": "token-0001"})
    assert client.get("/v1/line").json()["shadow"]["right"] == 0
    plans = service.ledger.reader.execute(
        "EXPLAIN QUERY PLAN SELECT images FROM compared WHERE live = ? AND shadow = ?", (A, B)
    ).fetchall()
    assert "SCAN" not in str(plans)


def test_a_folder_of_before_keeps_what_its_shadow_said(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / NAME)
    for statement in MIGRATIONS[0].split(";\n"):
        db.execute(statement)
    values = ", ".join(["?"] * 20)
    for number, name in ((1, "good"), (2, "dent")):
        row = (number, "", "i", A, name, 1, "[]", "model", "ok", *[""] * 5, 0, "", 0, 1, None, 1)
        db.execute(f"INSERT INTO answer VALUES ({values})", row)
        db.execute("INSERT INTO shadow VALUES (?, ?, 'good', 1, 'ok')", (number, B))
    db.execute("PRAGMA user_version=1")
    db.commit()
    db.close()
    with opened(tmp_path) as db:
        found = shadowing.compared(db, A, B)
        assert (found["images"], found["differ"], found["latest"][0]["class"]) == (2, 1, "dent")


def test_what_was_withdrawn_of_a_version_holds_from_its_first_image_on(
    start: Any, tmp_path: Path
) -> None:
    other = FakeModel(version=B, promise=promised())
    service, client = start(FakeModel(version=A, promise=promised()), others={B: other})
    with opened(tmp_path / "line") as db:
        for version in (A, B):
            db.execute("INSERT INTO withdrawal VALUES (?, 'all', '', '{}')", (version,))
    service.watching.follow(service.model)
    began, answering = service.switching.began, []

    def begins(model: Any) -> None:
        began(model)
        answering.append(service.model.version)  # its images still come while the next one begins
        answering.append(
            client.post("/v1/predict", content=GOOD).json()["answers"][0]["decided_by"]
        )

    service.switching.began = begins
    _change(tmp_path / "line", versions.PROMOTE, B)
    service.switching.look()
    assert answering == [A, "person"]
    told = client.post("/v1/predict", content=SCRATCH).json()["answers"][0]
    assert (told["version"], told["decided_by"]) == (B, "person")


def test_images_of_another_version_than_is_watched_are_answered_and_not_bet_on(
    start: Any,
) -> None:
    service, client = start(FakeModel(version=A))
    anchors = Anchors(np.ones((4, 7), "f4"))
    reference = Reference(Monitors.of(no_counts(9), np.zeros(3, int)), anchors, 4)
    service.watching.follow(FakeModel(version=B), reference)
    assert client.post("/v1/predict", content=GOOD).status_code == 200
    assert service.ledger.reader.execute("SELECT codes FROM answer").fetchall() == [(None,)]


def test_a_watch_that_fails_holds_no_answer_up(start: Any) -> None:
    service, client = start(FakeModel(version=A))

    def fails(*_: Any) -> Any:
        raise ValueError("no watch")

    def fails_too(*_: Any) -> None:
        raise ValueError("no shadow")

    service.watching.codes = fails
    service.observers.listeners.append(fails_too)
    assert client.post("/v1/predict", content=GOOD).status_code == 200


def test_a_folder_that_is_gone_is_said_once_and_again_when_it_has_been_back(
    start: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(switching, "EVERY", 0.001)
    start()
    looks, gone = 0, {*range(5, 15), *range(20, 25)}
    done = threading.Event()

    def look(_: object) -> None:
        nonlocal looks
        looks += 1
        if looks > 30:
            done.set()
        if looks in gone:
            raise sqlite3.OperationalError("it is gone")

    monkeypatch.setattr(switching.Switching, "look", look)
    assert done.wait(LONG)
    said = [one for one in caplog.records if "versions could not" in one.getMessage()]
    assert len(said) == 2
