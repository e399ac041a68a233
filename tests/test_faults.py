"""The campaign counts what it claims to count. The whole of it runs with ``python -m benchmarks.faults``."""

from __future__ import annotations

import random

import pytest

from benchmarks.faults import damage
from benchmarks.faults.__main__ import BEGIN, END, PAGE, differing
from benchmarks.faults.place import Ended, Trial


def test_pictures_and_bombs_are_read_or_refused() -> None:
    for trial in (damage.pictures(random.Random(0), 70), damage.bombs()):
        assert (trial.trials > 2, trial.bad) == (True, ())


def test_an_escaped_error_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: bytes) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(damage, "decode", broken)
    monkeypatch.setattr(damage, "quick_check", broken)
    assert len(damage.pictures(random.Random(0), 9).bad) == 9


def test_a_traceback_or_another_exit_code_is_no_sentence() -> None:
    assert Ended(0, "done").is_sentence
    assert Ended(2, "clipgrip: no.").is_sentence
    assert not Ended(2, "Traceback (most recent call last)").is_sentence
    assert not Ended(1, "").is_sentence
    assert not Ended(-9, "").is_sentence


def test_differences_are_found_wherever_they_stand() -> None:
    one, other = {"a": [{"b": 1}, {"b": 2}], "c": 3}, {"a": [{"b": 1}, {"b": 4}], "c": 3}
    assert list(differing(one, other)) == [".a.b"]
    assert list(differing(one, {"a": []})) == [""]
    assert list(differing(one, one)) == []


def test_the_page_has_a_place_for_the_figures() -> None:
    text = PAGE.read_text("utf-8")
    assert 0 < text.index(BEGIN) < text.index(END)
    assert Trial("x", 1, ()).bad == ()
