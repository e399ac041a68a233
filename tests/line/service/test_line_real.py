"""The commands with a real bundle: versions at home and at the line, labels carried home by the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from line_fakes import service_of
from projects import Place, command
from starlette.testclient import TestClient

from clipgrip_line.cli import main
from clipgrip_line.errors import LineError
from clipgrip_line.model import Model
from clipgrip_line.service import versions
from clipgrip_line.service.app import create_app
from clipgrip_line.service.server import bound, opened, standing

pytest.importorskip("onnxruntime", reason="needs pip install 'clipgrip[onnx]'")
pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def at_home(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> tuple[Path, Path]:
    """A run that may be written, and its bundle."""
    run = Path(shutil.copytree(finished, tmp_path / "run"))
    assert command(capsys, "bundle", run, "--out", run / "a.clipgrip").code == 0
    return run, run / "a.clipgrip"


def test_home_lists_rounds_and_bundles(
    at_home: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    run, bundle = at_home
    found = json.loads(command(capsys, "versions", run, "--json").out)
    assert [one["round"] for one in found["rounds"]] == [1]
    (made,) = found["bundles"]
    assert (made["version"], made["round"]) == (Model.open(bundle, check=False).version, 1)
    told = command(capsys, "versions", run)
    assert told.code == 0
    assert "nothing promised" in told.out
    assert "ラウンド1" in command(capsys, "--lang", "ja", "versions", run).out


def test_a_bundle_serves_with_its_reference_and_labels_come_home(
    at_home: tuple[Path, Path], place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, bundle = at_home
    version, given = standing(tmp_path / "line", bundle, "Aki")
    assert given
    service: Any = service_of(tmp_path / "line", Model.open(bundle), audit_every=1)
    client = TestClient(create_app(service))
    service.start()
    images = [path for path in sorted(place.truth) if path not in place.test_paths][:3]
    for n, path in enumerate(images):
        told = client.post("/v1/predict", content=(place.images / path).read_bytes()).json()
        assert told["answers"][0]["version"] == version
        body = {
            "image": told["answers"][0]["image_id"],
            "class": place.truth[path],
            "by": "Aki",
            "token": f"token-000{n}",
        }
        assert client.post("/v1/answers", json=body).status_code == 200
    service.watching.look()
    assert service.watching.status.reference > 0
    service.stop()
    labels = tmp_path / "labels.csv"
    assert main(["answers", str(tmp_path / "line"), "--out", str(labels)]) == 0
    told = command(capsys, "review", run, "--import", labels, "--by", "Aki")
    assert told.code == 0, told.err
    assert "answers      3" in told.out
    again = command(capsys, "review", run, "--import", labels, "--by", "Aki", "--json")
    assert json.loads(again.out)["answers"] == 0, "the same labels are no new answers"


def test_the_folder_stands_before_the_bundle_that_is_given(
    at_home: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, bundle = at_home
    state = tmp_path / "line"
    version, _ = standing(state, bundle, "Aki")
    assert standing(state, None, "Aki") == (version, True)
    assert main(["promote", str(state), str(bundle)]) == 0
    assert "answers already" in capsys.readouterr().out
    assert main(["rollback", str(state)]) == 2
    assert "no earlier version" in capsys.readouterr().err
    assert main(["versions", str(state), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["changes"][0]["action"] == "begin"
    assert found["versions"][0]["live"]


def test_a_restart_answers_with_the_version_before_where_the_newest_cannot_be_opened(
    at_home: tuple[Path, Path], tmp_path: Path
) -> None:
    _, bundle = at_home
    state = tmp_path / "line"
    version, _ = standing(state, bundle, "Aki")
    (state / "bundles" / "0123456789ab.clipgrip").write_bytes(b"cut off")
    with versions.opened(state) as db:
        versions.change_to(db, versions.PROMOTE, "0123456789ab", "Aki", "")
    assert standing(state, None, "Aki")[0] == "0123456789ab"
    model, problem = opened(state, "0123456789ab")
    assert model.version == version
    assert "no bundle" in problem


def test_a_damaged_copy_of_a_known_bundle_is_not_promoted(
    at_home: tuple[Path, Path], tmp_path: Path
) -> None:
    _, bundle = at_home
    state, copy = tmp_path / "line", tmp_path / "copy.clipgrip"
    standing(state, bundle, "Aki")
    data = bytearray(bundle.read_bytes())
    place = data.index(b"onnx", len(data) // 4)
    data[place] ^= 1
    copy.write_bytes(bytes(data))
    assert main(["promote", str(state), str(copy)]) == 2


@pytest.mark.parametrize("port", [-1, 99_999_999])
def test_a_port_that_is_none_is_said(port: int) -> None:
    with pytest.raises(LineError, match="0 to 65535"):
        bound("127.0.0.1", port)


def test_labels_that_are_not_there_are_said(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = command(capsys, "review", finished, "--import", tmp_path / "none.csv")
    assert told.code == 2
    assert "none.csv" in told.err


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["path,label"], "it holds no entry at all"),
        (["path,label", "nowhere.png,dent"], "nothing was taken in"),
    ],
)
def test_a_table_of_which_nothing_is_taken_in_is_code_1_and_named(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: list[str], said: str
) -> None:
    run = shutil.copytree(finished, tmp_path / "run")
    table = tmp_path / "mine.csv"
    table.write_text("\n".join(rows) + "\n", "utf-8")
    told = command(capsys, "review", run, "--import", table)
    assert told.code == 1, told.err
    assert f"{table}: " in told.out
    assert said in told.out
    assert "何も" in command(capsys, "--lang", "ja", "review", run, "--import", table).out


def test_a_table_that_is_none_is_named(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = shutil.copytree(finished, tmp_path / "run")
    table = tmp_path / "mine.csv"
    table.write_text("good,bad\n1,2\n", "utf-8")
    told = command(capsys, "review", run, "--import", table)
    assert told.code == 2
    assert str(table) in told.err
