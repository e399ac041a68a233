"""The line's numpy computes on one thread unless its user says otherwise: threads that spin take the model's time."""

from __future__ import annotations

import os
import subprocess
import sys

SHOW = """
import os, sys
{before}
from clipgrip_line.cli import main
main(["show", "there-is-no-such-bundle"])
print(os.environ.get("OPENBLAS_NUM_THREADS"))
"""


def shown(before: str = "", **more: str) -> str:
    kept = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    code = [sys.executable, "-c", SHOW.format(before=before)]
    done = subprocess.run(code, capture_output=True, text=True, env=kept | more, check=True)
    return done.stdout.strip()


def test_products_of_numpy_have_one_thread_before_it_is_loaded() -> None:
    assert shown() == "1"


def test_what_the_user_says_stays() -> None:
    assert shown(OPENBLAS_NUM_THREADS="3") == "3"


def test_a_program_that_has_loaded_numpy_keeps_what_it_has() -> None:
    assert shown("import numpy") == "None"
