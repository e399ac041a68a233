"""What a person made is never replaced: only what clipgrip wrote itself and nobody changed since."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from projects import Place, command

from clipgrip.errors import RunError
from clipgrip.files import part_name, sweep
from clipgrip.mapped import mapped
from clipgrip.written import (
    RECORD,
    check_folder,
    check_output,
    remove_output,
    write_dated,
    write_output,
)


def test_what_the_same_command_wrote_is_replaced(tmp_path: Path) -> None:
    for text in (b"one", b"two", b"two", b"three"):
        write_output(tmp_path / "a.csv", text, "predict")
        assert (tmp_path / "a.csv").read_bytes() == text


def labels(path: Path) -> None:
    path.write_text("path,label\n")


def changed(path: Path) -> None:
    write_output(path, b"answers", "predict")
    path.write_bytes(b"answers, corrected")


def of_another_command(path: Path) -> None:
    write_output(path, b"sheet", "audit")


def link(path: Path) -> None:
    write_output(path.with_name("real.csv"), b"x", "predict")
    path.symlink_to("real.csv")


def dangling(path: Path) -> None:
    path.symlink_to("nowhere")


def pipe(path: Path) -> None:
    os.mkfifo(path)


def copied(path: Path) -> None:
    (path.parent / "there").mkdir()
    write_output(path.parent / "there" / path.name, b"x", "predict")
    shutil.copy(path.parent / "there" / path.name, path)


KINDS = (labels, changed, of_another_command, link, dangling, pipe, copied)


@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
def test_everything_else_stays_and_the_sentence_says_what_to_do(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    path = tmp_path / "a.csv"
    make(path)
    before = os.lstat(path)
    for refuse in (
        lambda: check_output(path, "predict"),
        lambda: write_output(path, b"new", "predict"),
    ):
        with pytest.raises(RunError, match=r"a\.csv is .*Give --out another name"):
            refuse()
    remove_output(path, "predict")
    after = os.lstat(path)
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_a_device_stays_a_device() -> None:
    with pytest.raises(RunError, match="no ordinary file"):
        check_output("/dev/null", "predict")


def test_what_a_command_reads_is_never_what_it_writes(tmp_path: Path) -> None:
    write_output(tmp_path / "list.csv", b"path\n", "predict")
    (tmp_path / "also.csv").symlink_to("list.csv")
    with pytest.raises(RunError, match="what this command reads"):
        check_output(tmp_path / "list.csv", "predict", reads=[tmp_path / "also.csv"])


def test_a_changed_file_keeps_its_name_and_the_new_one_has_a_date(tmp_path: Path) -> None:
    notes: list[str] = []
    board = tmp_path / "board.xlsx"
    assert write_dated(board, b"1", "report", notes.append) == board
    board.write_bytes(b"filled in")
    second = write_dated(board, b"2", "report", notes.append)
    assert write_dated(board, b"3", "report", notes.append) == second
    second.write_bytes(b"also filled in")
    third = write_dated(board, b"4", "report", notes.append)
    assert [path.read_bytes() for path in (board, second, third)] == [
        b"filled in",
        b"also filled in",
        b"4",
    ]
    assert third.stem == f"{second.stem}-2"
    assert all("it stays" in note for note in notes)
    assert len(notes) == 3


def test_a_file_with_the_very_same_bytes_is_as_good_as_written(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"same")
    write_output(tmp_path / "a.csv", b"same", "predict")
    write_output(tmp_path / "a.csv", b"next", "predict")
    assert (tmp_path / "a.csv").read_bytes() == b"next"


@pytest.mark.parametrize("how", ["damaged", "link", "gone"])
def test_without_its_record_a_file_is_taken_for_a_persons(tmp_path: Path, how: str) -> None:
    write_output(tmp_path / "a.csv", b"x", "predict")
    record = tmp_path / RECORD
    if how == "damaged":
        record.write_bytes(b"\xff{]\n[]\n3\n")
    else:
        record.unlink()
        if how == "link":
            record.symlink_to("elsewhere")
    with pytest.raises(RunError, match="stays"):
        write_output(tmp_path / "a.csv", b"y", "predict")
    write_output(tmp_path / "b.csv", b"y", "predict")
    assert not (tmp_path / "elsewhere").exists()


def test_parts_of_killed_processes_are_swept_and_those_of_living_ones_and_others_stay(
    tmp_path: Path,
) -> None:
    mine = Path(part_name(tmp_path))
    gone = mine.with_name(mine.name.replace(f"-{os.getpid()}-", "-4194305-"))
    folder = gone.with_name(gone.name.replace("0", "1"))
    folder = gone.with_name(f"{gone.name[:-10]}abcde.part")
    other = mine.with_name(f".clipgrip-{'0' * 8}-4194305-{'0' * 16}.part")
    for path in (mine, gone, other, tmp_path / f"{'0' * 16}.part"):
        path.write_bytes(b"half")
    (folder / "images").mkdir(parents=True)
    sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        mine.name,
        other.name,
        f"{'0' * 16}.part",
    }


class Windows:
    """kernel32, where one process lives, one has ended, one may not be asked, and no other is there."""

    def __init__(self) -> None:
        self.open: list[int] = []
        self.code = 0
        self.OpenProcess = partial(self._opened)  # has attributes, as functions of C do

    def _opened(self, _right: int, _inherits: bool, process: Any) -> int | None:
        self.code = {7: 0, 8: 0, 9: 5}.get(process.value, 87)
        self.open += [] if self.code else [process.value]
        return None if self.code else process.value

    def WaitForSingleObject(self, handle: Any, _milliseconds: int) -> int:  # noqa: N802
        return 258 if handle.value == 7 else 0

    def CloseHandle(self, handle: Any) -> None:  # noqa: N802
        self.open.remove(handle.value)


def test_what_killed_processes_left_is_swept_on_windows_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = Windows()
    monkeypatch.setattr(ctypes, "WinDLL", lambda *_, **__: system, raising=False)
    monkeypatch.setattr(ctypes, "get_last_error", lambda: system.code, raising=False)
    mine = Path(part_name(tmp_path)).name
    names = [mine.replace(f"-{os.getpid()}-", f"-{process}-") for process in (7, 8, 9, 10)]
    for name in names:
        (tmp_path / name).write_bytes(b"pixels")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "platform", "win32")
        mapped(tmp_path, (1000,), torch.uint8)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([names[0], names[2]])
    assert not system.open


def test_one_part_that_stays_is_no_reason_to_keep_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = Path(part_name(tmp_path))
    gone = [mine.name.replace(f"-{os.getpid()}-", f"-{n}-") for n in (4194305, 4194306, 4194307)]
    for name in gone:
        (tmp_path / name).write_bytes(b"half")
    unlink, first = os.unlink, sorted(os.listdir(tmp_path))[1]

    def refusing(path: str) -> None:
        if Path(path).name == first:
            raise PermissionError(13, "in use")
        unlink(path)

    monkeypatch.setattr(os, "unlink", refusing)
    sweep(tmp_path)
    assert os.listdir(tmp_path) == [first]


def test_a_folder_is_free_or_holds_the_mark(tmp_path: Path) -> None:
    check_folder(tmp_path / "new", "mark", "run")
    (tmp_path / ".lock").touch()
    write_output(tmp_path / "a.csv", b"x", "predict")
    (tmp_path / "a.csv").unlink()
    check_folder(tmp_path, "mark", "run", beside=[".lock"])
    (tmp_path / "photo.png").touch()
    with pytest.raises(RunError, match="new or empty"):
        check_folder(tmp_path, "mark", "run", beside=[".lock"])
    (tmp_path / "mark").touch()
    check_folder(tmp_path, "mark", "run", beside=[".lock"])
    (tmp_path / "dangling").symlink_to("nowhere")
    with pytest.raises(RunError, match="is a file"):
        check_folder(tmp_path / "dangling", "mark", "run")


# -- the commands -----------------------------------------------------------------------------------------------------


@pytest.fixture
def here(place: Place, finished: Path, tmp_path: Path, quick: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "here"
    shutil.copytree(place.folder, folder)
    shutil.copytree(finished, folder / "run")
    (folder / "other").mkdir()
    quick.chdir(folder)
    return folder


@pytest.mark.parametrize(
    "arguments",
    [
        ("predict", "run", "images"),
        ("compare", "run", "other"),
        ("audit", "run"),
        ("suggest", "run"),
        ("suggest", "images"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("target", ["test.csv", "images/part 00.png", "link.csv", "/dev/null"])
def test_no_command_replaces_what_it_did_not_write(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], target: str
) -> None:
    (here / "link.csv").symlink_to("test.csv")
    before = {path: path.read_bytes() for path in here.rglob("*") if path.is_file()}
    told = command(capsys, *arguments, "--out", target)
    assert told.code == 2, told
    assert "Traceback" not in told.err
    assert "--out" in told.err
    assert {path: path.read_bytes() for path in before} == before
    assert (here / "link.csv").is_symlink()
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("predict", "run", "images"), "p.csv"),
        (("predict", "run", "images"), "p.parquet"),
        (("predict", "run", "images", "--all-probabilities", "new/all/all.csv"), "p.csv"),
        (("embed", "images", "--backbone", "nano"), "e.npz"),
        (("audit", "draw", "run"), "a.csv"),
        (("labels", "suggest", "run", "-n", "2"), "s.csv"),
        (("names", "run", "--try", "dent=a dent"), "n.csv"),
        (("report", "run"), "r.html"),
        (("audit", "plan", "--classes", "classes.txt", "--count", "2000"), "pilot.json"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value[:2]),
)
def test_a_folder_that_is_missing_is_made(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], name: str
) -> None:
    """Found by a fresh user: some commands made it and others refused."""
    told = command(capsys, *arguments, "--out", f"new/folder/{name}")
    assert told.code == 0, told.err
    assert (here / "new" / "folder" / name).is_file()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="file is a file"):
        check_output(tmp_path / "file" / "new" / "a.csv", "predict")
    check_output(tmp_path / "new" / "a.csv", "predict")
    assert not (tmp_path / "new").exists(), "nothing is made before there is something to write"


def test_predict_keeps_foreign_remarks_and_replaces_its_own(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "p.issues.csv").write_text("my notes")
    told = command(capsys, "predict", "run", "images", "--out", "p.csv")
    assert (told.code, (here / "p.issues.csv").read_text()) == (2, "my notes")
    assert not (here / "p.csv").exists()
    (here / "images" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    for number in range(3):
        if number == 2:
            (here / "images" / "broken.png").unlink()
        assert command(capsys, "predict", "run", "images", "--out", "q.csv").code == 0
        assert (here / "q.issues.csv").exists() == (number < 2)
    told = command(capsys, "predict", "run", "q.csv", "--out", "q.csv")
    assert (told.code, "what this command reads" in told.err) == (2, True)


def test_a_table_of_a_run_and_a_report_that_people_changed_stay(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("report.html", "board.xlsx", "board.html"):
        assert command(capsys, "report", "run").code == 0
        assert command(capsys, "report", "run", "--for", "board").code == 0
        (here / "run" / name).write_bytes(b"a person's")
        command(capsys, "report", "run")
        told = command(capsys, "report", "run", "--for", "board")
        assert told.code == 0, told.err
        assert (here / "run" / name).read_bytes() == b"a person's"
        (dated,) = (here / "run").glob(f"{Path(name).stem}-20*{Path(name).suffix}")
        assert dated.stat().st_size > 1000


def test_init_writes_through_no_link(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "begun").mkdir()
    (here / "begun" / "classes.csv").symlink_to("../elsewhere.csv")
    told = command(capsys, "init", "begun")
    assert told.code == 0
    assert "kept     begun/classes.csv" in told.out
    assert not (here / "elsewhere.csv").exists()


def test_init_and_audit_plan_take_away_what_a_killed_one_left(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Found by the campaign of faults: a second init wrote nothing, so nothing was swept."""
    (here / "begun").mkdir()
    (here / "classes.txt").write_text("dent\nscratch\n")
    assert command(capsys, "init", "begun").code == 0
    plan = (
        "audit",
        "plan",
        "--count",
        2000,
        "--classes",
        "classes.txt",
        "--out",
        "begun/pilot.json",
    )
    for words in (("init", "begun"), plan):
        gone = Path(part_name(here / "begun"))
        gone = gone.with_name(gone.name.replace(f"-{os.getpid()}-", "-4194305-"))
        gone.write_bytes(b"half")
        told = command(capsys, *words)
        assert told.code == 0, told.err
        assert not gone.exists()
