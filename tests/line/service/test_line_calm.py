"""The watch looks when the line rests; a line that never rests is looked at, too."""

from __future__ import annotations

import threading
from typing import Any, cast

import pytest
from waiting import LONG

from clipgrip_line.monitoring.watching import Watching
from clipgrip_line.service import admission
from clipgrip_line.service.admission import Admission
from clipgrip_line.service.looking import Looking


class Looks:
    """A watch that counts how often it looked."""

    def __init__(self) -> None:
        self.looked = threading.Event()

    def look(self) -> bool:
        self.looked.set()
        return False

    def save(self) -> None:
        """Nothing to save."""


def looking(is_calm: Any) -> tuple[Looking, Looks]:
    looks = Looks()
    return Looking(cast(Watching, looks), is_calm), looks


def test_an_image_inside_and_an_answer_being_sent_are_no_calm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = Admission(8, 1 << 20)
    assert found.is_calm()
    found.enter(2)
    assert not found.is_calm()
    found.leave(2)
    monkeypatch.setattr(admission, "SENT", LONG)
    assert not found.is_calm()
    monkeypatch.setattr(admission, "SENT", -1.0)
    assert found.is_calm()


def test_it_waits_for_calm(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = threading.Event()
    calm = threading.Event()

    def is_calm() -> bool:
        asked.set()
        return calm.is_set()

    monkeypatch.setattr("clipgrip_line.service.looking.EVERY", LONG)
    thread, looks = looking(is_calm)
    waiting = threading.Thread(target=thread._wait_for_calm)
    waiting.start()
    assert asked.wait(LONG)
    assert waiting.is_alive()
    calm.set()
    waiting.join(LONG)
    assert not waiting.is_alive()
    assert not looks.looked.is_set()


def test_a_line_that_never_rests_is_looked_at() -> None:
    thread, looks = looking(lambda: False)
    thread.start()
    assert looks.looked.wait(LONG)
    thread.stop()
    thread.join(LONG)
    assert not thread.is_alive()


def test_a_stop_waits_for_no_calm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clipgrip_line.service.looking.EVERY", LONG)
    asked: list[bool] = []
    thread, _ = looking(lambda: bool(asked.append(False)))
    thread.stop()
    thread._wait_for_calm()
    assert len(asked) <= 1
