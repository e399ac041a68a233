"""The service keeps pictures for the next round beside its answers, and collect carries them there."""

from __future__ import annotations

import csv
import io
import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest
from line_fakes import DENT, GOOD, SCRATCH, UNSURE, picture
from waiting import LONG

from clipgrip_line.cli import main
from clipgrip_line.folder.collecting import TABLE
from clipgrip_line.folder.samples import FOLDER, SamplePicture
from clipgrip_line.service.sampling import Sampling

EVERYTHING = {"keep": 10**6, "keep_share": 1.0}


def collected(state: Path, out: Path) -> tuple[list[str], list[dict[str, str]]]:
    assert main(["collect", str(state), "--out", str(out)]) == 0
    with zipfile.ZipFile(out) as archive:
        text = archive.read(TABLE).decode("utf-8-sig")
        return archive.namelist(), list(csv.DictReader(io.StringIO(text)))


def test_what_was_drawn_is_carried_home_with_its_answer(start: Any, tmp_path: Path) -> None:
    service, client = start(**EVERYTHING)
    files = [("images", (name, data)) for name, data in (("a.png", GOOD), ("b.png", SCRATCH))]
    client.post("/v1/predict", files=files, data={"lot": "L7"})
    client.post("/v1/predict", content=DENT)
    client.post("/v1/predict", content=DENT)
    service.stop()
    names, rows = collected(service.settings.state, tmp_path / "lot.zip")
    assert [row["taken_as"] for row in rows] == ["a.png", "b.png", ""]
    assert [row["lot"] for row in rows] == ["L7", "L7", ""]
    assert {row["why"] for row in rows} == {"random"}
    assert all(row["time"].startswith("20") for row in rows)
    assert [Path(name).suffix for name in names] == [".png", ".png", ".png", ".csv"]


def test_the_least_sure_are_kept_as_doubtful(start: Any, tmp_path: Path) -> None:
    service, client = start(keep=10**6, keep_share=0.001)
    for number in range(30):
        client.post("/v1/predict", content=picture(250, number, 1))
    client.post("/v1/predict", content=UNSURE)
    service.stop()
    _, rows = collected(service.settings.state, tmp_path / "lot.zip")
    assert [row["why"] for row in rows if row["image_id"]][-1] == "doubtful"


def test_a_disk_that_refuses_them_stops_no_answer(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, client = start(**EVERYTHING)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(service.sampling.store, "keep", full)
    assert client.post("/v1/predict", content=GOOD).status_code == 200
    assert client.post("/v1/predict", content=SCRATCH).status_code == 200
    service.stop()
    assert "No space" in service.sampling.failing


def test_the_operator_and_monitoring_learn_that_pictures_cannot_be_kept(start: Any) -> None:
    service, client = start(**EVERYTHING)
    assert client.get("/v1/line").json()["trouble"] == ""
    assert "clipgrip_line_samples_failing 0" in client.get("/metrics").text
    service.sampling.failing = "No space left on device"
    told = client.get("/v1/line").json()["trouble"]
    assert told.startswith("Pictures for the next round are not kept now: No space left on device.")
    japanese = client.get("/v1/line", headers={"accept-language": "ja"}).json()["trouble"]
    assert "次回の学習に使う画像を保存できていません" in japanese
    assert "clipgrip_line_samples_failing 1" in client.get("/metrics").text


def test_a_folder_that_cannot_be_tidied_keeps_pictures_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampling = Sampling(tmp_path, 10**6, 1.0)

    def refused() -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(sampling.store, "tidy", refused)
    sampling._queue.put(SamplePicture("random", "a.png", GOOD, {"image_id": "0" * 64}))
    sampling.start()
    sampling.stop()
    assert [path.suffix for path in (tmp_path / FOLDER).glob("0*")] == [".png"]
    assert sampling.failing == ""


def test_a_writer_that_ended_holds_up_no_end_of_the_service(tmp_path: Path) -> None:
    sampling = Sampling(tmp_path, 10**6, 1.0)
    sampling.start()
    sampling._queue.put(None)
    sampling.join(LONG)
    while not sampling._queue.full():
        sampling._queue.put(SamplePicture("random", "a.png", GOOD, {"image_id": "0" * 64}))
    ended = threading.Event()

    def end() -> None:
        sampling.stop()
        ended.set()

    threading.Thread(target=end, daemon=True).start()
    assert ended.wait(LONG)


def test_without_room_for_them_nothing_is_kept(start: Any) -> None:
    service, client = start()
    client.post("/v1/predict", content=GOOD)
    service.stop()
    assert not (service.settings.state / FOLDER).exists()
