"""Threads wait passively in Python too, as far as that can still be decided when clipgrip is imported."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch
from vectors import on_texts, vectors

import clipgrip
from clipgrip.runs import prepare

SHOW = "import os; print(os.environ.get('OMP_WAIT_POLICY'), clipgrip.THREADS_SPIN)"


def told(code: str, **more: str) -> list[str]:
    environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"} | more
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; {SHOW}"],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return done.stdout.split()


def test_importing_clipgrip_before_torch_lets_threads_wait_passively() -> None:
    assert told("import clipgrip, torch") == ["PASSIVE", "False"]
    assert told("import numpy, sklearn, clipgrip, torch") == ["PASSIVE", "False"]


def test_what_the_user_has_set_stays() -> None:
    assert told("import clipgrip", OMP_WAIT_POLICY="ACTIVE") == ["ACTIVE", "False"]
    assert told("import torch, clipgrip", OMP_WAIT_POLICY="ACTIVE") == ["ACTIVE", "False"]


def test_after_torch_nothing_is_set_that_would_have_no_effect() -> None:
    assert told("import torch, clipgrip") == ["None", "True"]


@pytest.mark.parametrize(("spin", "during"), [(True, 2), (False, 4)])
def test_threads_that_spin_are_halved_while_a_prompt_is_tuned_and_then_given_back(
    monkeypatch: pytest.MonkeyPatch, spin: bool, during: int
) -> None:
    given, seen, learn = vectors(), [], prepare.learn

    def watching(*args: object, **more: object) -> object:
        seen.append(torch.get_num_threads())
        return learn(*args, **more)

    monkeypatch.setattr(clipgrip, "THREADS_SPIN", spin)
    monkeypatch.setattr(prepare, "learn", watching)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(4)
        on_texts(given).fit(given.X)
        assert (seen, torch.get_num_threads()) == ([during], 4)
    finally:
        torch.set_num_threads(before)
