"""A call to the system that fails, whichever it is, costs a second try and nothing else."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from folder_fakes import Line, Receiver, identity, picture

from clipgrip_line.folder import loading
from clipgrip_line.folder.assembly import Wishes

PICTURES = 6


class Failing:
    """Calls through, but the ``at``-th says that the disk is full or broken."""

    def __init__(self, real: Callable[..., Any], at: int, code: int) -> None:
        self.real, self.left, self.code = real, at, code

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        self.left -= 1
        if self.left == 0:
            raise OSError(self.code, os.strerror(self.code))
        return self.real(*arguments, **named)


def filled(place: Path) -> Line:
    line = Line(place)
    for number in range(PICTURES):
        line.put(f"lot{number % 2}/{number}.png", picture(number))
    line.put("again.png", picture(0))
    line.put("broken.png", b"nothing")
    return line


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("name", ["fsync", "replace", "link", "open", "unlink", "mkdir"])
def test_the_nth_call_fails_and_the_next_start_brings_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: int
) -> None:
    for at in (1, 2, 3, 5, 8, 13, 21):
        line, receiver = filled(tmp_path / f"{at}"), Receiver()
        with receiver.serving() as url:
            wishes = Wishes(webhook=url, sort="move", beside=True, keep_bytes=10**6)
            failing = Failing(getattr(os, name), at, code)
            with monkeypatch.context() as patch:
                patch.setattr(os, name, failing)
                with contextlib.suppress(OSError):  # before anything began
                    line.once(wishes)
            assert line.once(wishes) == 0
        ids = [identity(picture(number)) for number in range(PICTURES)]
        assert sorted(row["image_id"] for row in line.rows()) == sorted(ids)
        assert sorted(one.get("image_id", "") for one in receiver.messages) == ["", *sorted(ids)]
        assert [row["path"] for row in line.rows("issues")] == ["broken.png"]
        moved = [path for path in (line.out / "sorted").rglob("*.png") if path.is_file()]
        assert sorted(identity(path.read_bytes()) for path in moved) == sorted([*ids, ids[0]])
        left = {path.name for path in line.folder.rglob("*") if path.suffix != ".json"}
        assert left == {"lot0", "lot1", "broken.png"}
        parts = list(line.out.rglob("*.part"))
        assert parts == [] or name == "unlink"  # the next process takes such a one away


def test_a_file_that_may_not_be_read_is_listed_once_and_answered_when_it_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = filled(tmp_path)
    real = loading.open_file

    def refusing(path: Any) -> Any:
        if str(path).endswith("/3.png"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return real(path)

    with line.watch() as watch, monkeypatch.context() as patch:
        patch.setattr(loading, "open_file", refusing)
        watch.once()
        assert watch.left() == 1
    reasons = {row["path"]: row["reason"] for row in line.rows("issues")}
    assert reasons["lot1/3.png"] == "Permission denied"
    assert len(line.rows()) == PICTURES - 1
    assert line.once() == 0
    assert len(line.rows()) == PICTURES
