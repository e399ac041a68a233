"""What waits for a person is answered once, may be taken back, and is carried home as labels."""

from __future__ import annotations

import csv
import io
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from line_fakes import GOOD, UNSURE, FakeModel, picture, promised

from clipgrip.data.tables import read_table
from clipgrip_line.cli import main
from clipgrip_line.service import keeping, people
from clipgrip_line.service.keeping import drawn


def _say(client: Any, image: str, name: str, token: str = "token-0001") -> Any:
    body = {"image": image, "class": name, "by": "Aki", "token": token}
    return client.post("/v1/answers", json=body)


def test_an_answer_is_kept_once_however_often_it_is_sent(start: Any) -> None:
    _, client = start(FakeModel(promise=promised()))
    image = client.post("/v1/predict", content=UNSURE).json()["answers"][0]["image_id"]
    assert _say(client, image, "dent").json() == {"number": 1, "repeated": False}
    assert _say(client, image, "dent").json() == {"number": 1, "repeated": True}
    assert client.get("/v1/waiting").json()["n"] == 0
    client.post("/v1/predict", content=UNSURE)
    assert client.get("/v1/waiting").json()["n"] == 0, "the same picture is not asked again"


def test_an_answer_taken_back_waits_again_and_is_no_label(start: Any, tmp_path: Path) -> None:
    service, client = start(FakeModel(promise=promised()))
    image = client.post("/v1/predict", content=UNSURE).json()["answers"][0]["image_id"]
    _say(client, image, "dent")
    assert client.post("/v1/answers/undo", json={"token": "token-0001"}).json() == {"image": image}
    assert client.get("/v1/waiting").json()["n"] == 1
    assert client.post("/v1/answers/undo", json={"token": "token-0001"}).status_code == 400
    service.stop()
    assert main(["answers", str(tmp_path / "line"), "--out", str(tmp_path / "labels.csv")]) == 0
    assert len((tmp_path / "labels.csv").read_text().splitlines()) == 1


def test_wrong_answers_are_refused_with_a_reason(start: Any) -> None:
    _, client = start(FakeModel(promise=promised()))
    image = client.post("/v1/predict", content=UNSURE).json()["answers"][0]["image_id"]
    assert "no class dnt" in _say(client, image, "dnt").json()["error"]
    assert 'Did you mean "dent"' in _say(client, image, "dnt").json()["error"]
    assert _say(client, "0" * 64, "dent").status_code == 400
    assert _say(client, image, "dent", "short").status_code == 400
    form = client.post("/v1/answers", data={"image": image})
    assert form.status_code == 400
    assert client.get("/v1/waiting").json()["n"] == 1


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"token": "1234567"}, "8 to 64"),
        ({"token": "with a space"}, "8 to 64"),
        ({"token": "ひらがなのtoken"}, "8 to 64"),
        ({"token": "t" * 65}, "token has more than 64"),
        ({"token": None}, "token must be a text"),
        ({"image": "A" * 64}, "image must be an image_id"),
        ({"class": "c" * 201}, "class has more than 200"),
        ({"class": 3}, "class must be a text"),
        ({"by": "b" * 81}, "by has more than 80"),
    ],
)
def test_every_fault_of_an_answer_has_a_sentence_of_its_own(
    start: Any, change: dict[str, Any], part: str
) -> None:
    _, client = start()
    body = {"image": "0" * 64, "class": "dent", "by": "Aki", "token": "token-0001", **change}
    told = client.post("/v1/answers", json=body)
    assert told.status_code == 400
    assert part in told.json()["error"]
    del body[next(iter(change))]
    if "by" not in change:
        assert "is missing" in client.post("/v1/answers", json=body).json()["error"]


def test_a_token_is_for_one_answer(start: Any) -> None:
    _, client = start(FakeModel(promise=promised()))
    one, other = (
        client.post("/v1/predict", content=picture(n, n, n)).json()["answers"][0]["image_id"]
        for n in (100, 110)
    )
    assert _say(client, one, "dent").status_code == 200
    for image, name in ((other, "dent"), (one, "good")):
        told = _say(client, image, name)
        assert (told.status_code, "another answer" in told.json()["error"]) == (409, True)
    client.post("/v1/answers/undo", json={"token": "token-0001"})
    assert _say(client, one, "dent").status_code == 409, "taken back is not said again"
    assert client.get("/v1/waiting").json()["n"] == 2


def test_the_description_says_what_an_answer_needs(start: Any) -> None:
    _, client = start()
    post = client.get("/openapi.json").json()["paths"]["/v1/answers"]["post"]
    schema = post["requestBody"]["content"]["application/json"]["schema"]
    assert schema["required"] == ["image", "class", "token"]
    token = schema["properties"]["token"]
    assert (token["minLength"], token["maxLength"]) == (8, 64)
    assert {"200", "400", "409", "503"} <= set(post["responses"])


def test_an_audit_does_not_say_what_the_model_thinks(start: Any) -> None:
    _, client = start(audit_every=1)
    client.post("/v1/predict", content=GOOD)
    (one,) = client.get("/v1/waiting").json()["waiting"]
    assert one["why"] == "audit"
    assert not {"class", "top", "confidence"} & set(one)


def test_the_audit_draws_one_of_so_many_by_content() -> None:
    images = [sha256(str(n).encode()).hexdigest() for n in range(4000)]
    found = [image for image in images if drawn(image, 20)]
    assert 140 < len(found) < 260
    assert found == [image for image in images if drawn(image, 20)]
    assert not any(drawn(image, 0) for image in images)


def test_people_answers_become_a_table_with_the_pictures_beside(start: Any, tmp_path: Path) -> None:
    service, client = start(FakeModel(promise=promised()))
    for n, level in enumerate((100, 110, 120)):
        data = picture(level, level, level)
        told = client.post(f"/v1/predict?name=part{n}.png", content=data).json()["answers"][0]
        _say(client, told["image_id"], ("dent", "", "good")[n], f"token-000{n}")
    service.stop()
    labels, images = tmp_path / "labels.csv", tmp_path / "new"
    command = ["answers", str(tmp_path / "line"), "--out", str(labels), "--images", str(images)]
    assert main(command) == 0
    rows = list(csv.DictReader(io.StringIO(labels.read_text("utf-8"))))
    assert [row["label"] for row in rows] == ["dent", "good"], "what nobody could tell is no label"
    for row in rows:
        assert sha256((images / row["path"]).read_bytes()).hexdigest() == row["sha256"]
        assert (row["decided_by"], row["said_by"]) == ("person", "Aki")


def test_pictures_over_the_budget_leave_oldest_first_and_are_not_asked_any_more(start: Any) -> None:
    service, client = start(FakeModel(promise=promised()), limits={"pictures": 200})
    for level in (90, 100, 110, 120):
        client.post("/v1/predict", content=picture(level, level, level))
    service.ledger.do(lambda db: service.keeping._forget(db, 4))
    waiting = client.get("/v1/waiting").json()["waiting"]
    assert 1 <= len(waiting) < 4
    assert waiting[-1]["number"] == 4


def test_pictures_keep_within_their_room_though_few_answers_were_given(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [picture(130, 120, n) for n in range(8)]
    most = sum(map(len, images[:3])) + 1
    monkeypatch.setattr(keeping, "MANY", 1)
    service, client = start(FakeModel(promise=promised(1.1)), limits={"pictures": most})
    told = [client.post("/v1/predict", content=one).json()["answers"][0] for one in images]
    db = service.ledger.reader
    assert db.execute("SELECT sum(length(data)) FROM picture").fetchone()[0] <= most
    waiting = {row[0] for row in db.execute("SELECT image FROM waiting")}
    kept = {row[0] for row in db.execute("SELECT image FROM picture")}
    assert kept == waiting == {one["image_id"] for one in told[-len(kept) :]}


def test_what_a_shadow_said_is_forgotten_with_the_answers(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "EVERY", 1)
    service, client = start(limits={"answers": 2})
    service.ledger.do(
        lambda db: db.executemany(
            "INSERT INTO shadow VALUES (?, 'b', 'good', 1, 'ok')", [(n,) for n in range(1, 6)]
        )
    )
    for n in range(5):
        client.post("/v1/predict", content=picture(250, 20, n))
    for name, column in (("answer", "number"), ("shadow", "answer")):
        rows = service.ledger.reader.execute(f"SELECT {column} FROM {name} ORDER BY 1").fetchall()
        assert rows == [(4,), (5,)]


def test_a_name_that_a_spreadsheet_would_run_is_guarded_on_the_way_home(
    start: Any, tmp_path: Path
) -> None:
    service, client = start(FakeModel(promise=promised()))
    name = "=HYPERLINK(1).png"
    told = client.post("/v1/predict", content=UNSURE, params={"name": name}).json()["answers"][0]
    _say(client, told["image_id"], "dent")
    text = people.labels_csv(service.ledger.reader)
    assert next(csv.DictReader(io.StringIO(text)))["path"] == "'" + name
    (tmp_path / "labels.csv").write_text(text, "utf-8")
    assert read_table(tmp_path / "labels.csv").rows[0][0] == name
