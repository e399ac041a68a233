"""A service and a hot folder each have a folder of their own, and every command says whose a folder is."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest
from line_fakes import GOOD

from clipgrip_line.cli import main
from clipgrip_line.errors import LineError
from clipgrip_line.folder.assembly import Wishes, watching
from clipgrip_line.folder.journal import NAME as JOURNAL
from clipgrip_line.folder.notes import Notes
from clipgrip_line.folder.settings import FolderSettings
from clipgrip_line.service.alone import alone
from clipgrip_line.words import Words

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def served(start: Any) -> Path:
    service, client = start()
    client.post("/v1/predict", content=GOOD)
    return Path(service.settings.state)


def test_a_watch_does_not_write_into_the_folder_of_a_service(start: Any, tmp_path: Path) -> None:
    service, _ = start()
    (tmp_path / "in").mkdir()
    settings = FolderSettings(tmp_path / "in", service.settings.state)
    notes = Notes(Words("en"), print)
    with (
        pytest.raises(LineError, match="folder of clipgrip-line serve"),
        watching(service.model, settings, Wishes(), notes),
    ):
        pass
    assert not (service.settings.state / JOURNAL).exists()


def test_a_service_does_not_begin_in_the_folder_of_a_watch(tmp_path: Path) -> None:
    (tmp_path / JOURNAL).write_bytes(b"")
    with pytest.raises(LineError, match="folder of clipgrip-line watch"), alone(tmp_path):
        pass
    assert (tmp_path / JOURNAL).exists()


@pytest.mark.parametrize("words", [("alarms",), ("answers", "--sheet", "ask")])
def test_what_is_answered_on_the_page_is_said(
    served: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([words[0], str(served), *words[1:]]) == 2
    assert "answered on its page" in capsys.readouterr().err


@pytest.mark.parametrize("language", ["en", "ja"])
def test_of_what_was_a_folder_of_both_it_is_said_how_it_is_parted_and_whose_it_is(
    served: Path, language: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (served / JOURNAL).write_bytes(b"")
    with pytest.raises(LineError, match=r"move journal\.db and journal\.db-journal"), alone(served):
        pass
    assert main(["alarms", str(served), "--lang", language]) == 2
    told = {"en": "now belongs to serve alone", "ja": "今後はserve専用"}
    assert told[language] in capsys.readouterr().err


def test_a_full_disk_is_trouble_though_nobody_can_write_it_down(
    served: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9, 4096))
    assert main(["status", str(served)]) == 1
    assert f"the disk of {served} is full" in capsys.readouterr().out
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 0, 10**9))
    main(["status", str(served)])
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, 0))  # a share that does not say
    main(["status", str(served)])
    assert "is full" not in capsys.readouterr().out
