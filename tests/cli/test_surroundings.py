"""Where a command is started from, and what the system lacks there: a sentence, or the same result."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from projects import command

from clipgrip.backbone.cache import default_root
from clipgrip.backbone.model_store import models_root
from clipgrip.cli import main as command_line
from clipgrip.errors import ConfigError, PromptError
from clipgrip.files import from_home
from clipgrip.project_file import read_toml
from clipgrip.runs import checkpoint
from clipgrip.runs.probabilities import _columns

LINUX = pytest.mark.skipif(sys.platform == "win32", reason="no such thing there")


@LINUX
def test_a_current_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    words = f"cd '{gone}' && rmdir '{gone}' && exec '{sys.executable}' -m clipgrip doctor"
    told = subprocess.run(["sh", "-c", words], capture_output=True, text=True, check=False)
    assert told.returncode == 2
    assert told.stderr.startswith("clipgrip: the current folder was deleted or moved.")


def test_python_without_its_documentation_is_said() -> None:
    words = [sys.executable, "-OO", "-m", "clipgrip", "doctor"]
    told = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr.count("PYTHONOPTIMIZE")) == (2, 1)


def test_a_lack_of_memory_is_a_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> None:
        raise MemoryError

    monkeypatch.setattr(command_line, "root", full)
    told = command(capsys, "models", "list")
    assert told.code == 2
    assert "not enough memory" in told.err


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of the user, who works in a folder below it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


def test_the_home_is_meant_where_no_shell_says_so(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert from_home("--out=~/run") == f"--out={home}/run"
    assert from_home("~/run") == f"{home}/run"
    for word in ("~", "a~/b", "--out=a~/b", "--by=~", "~ito/x", "", "--", "--out"):
        assert from_home(word) == word
    (home / "work" / "project.toml").write_text('images = "~/parts"\nout = "runs/~"\n', "utf-8")
    values = read_toml(Path("project.toml"))
    assert (values["images"], values["out"]) == (home / "parts", Path("runs/~"))
    for variable, root in (("CLIPGRIP_CACHE", default_root), ("CLIPGRIP_MODELS", models_root)):
        monkeypatch.setenv(variable, "~/kept")
        assert root() == home / "kept"
    (home / "work" / "~").mkdir()
    assert from_home("--out=~/run") == "--out=~/run"


def test_no_folder_called_like_the_sign_of_the_home_is_made(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(capsys, "--log-file=~/log.txt", "models", "list").code == 0
    assert (home / "log.txt").exists()
    assert not (home / "work" / "~").exists()


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for variable in ("CLIPGRIP_CACHE", "CLIPGRIP_MODELS", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    for root in (default_root, models_root):
        with pytest.raises(ConfigError, match="CLIPGRIP_CACHE"):
            root()


@LINUX
def test_a_pipe_that_nobody_reads_is_no_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "pipe")
    told = command(capsys, "--log-file", str(tmp_path / "pipe"), "models", "list")
    assert told.code == 2
    assert "--log-file cannot be written" in told.err


@LINUX
def test_a_file_without_an_end_holds_no_token(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = command(capsys, "review", str(tmp_path), "--token-file", "/dev/zero")
    assert told.code == 2
    assert "holds no token" in told.err


@LINUX
def test_a_pipe_in_the_place_of_a_prompt_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(PromptError, match="pipe or a device"):
        checkpoint.read(tmp_path / "pipe")
    assert checkpoint.read_class_embeds(tmp_path / "pipe", b"") is None


def test_every_class_has_a_column_of_its_own() -> None:
    for names in (["path"], ["path", "path (class)"], ["path (class)", "path"]):
        columns = _columns(names)
        assert len({"path", *columns}) == 1 + len(names)
    assert _columns(["dent", "path"]) == ["dent", "path (class)"]
