"""Commands let numpy compute on one thread unless their user says otherwise: its products are small, and spin."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

SHOW = """
import os, sys
from clipgrip.cli.main import main
sys.argv = ["clipgrip", "--version"]
try:
    main()
except SystemExit:
    print(os.environ.get("OPENBLAS_NUM_THREADS"))
"""


def shown(**more: str) -> str:
    kept = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    code = [sys.executable, "-c", SHOW]
    done = subprocess.run(code, capture_output=True, text=True, env=kept | more, check=True)
    return done.stdout.split()[-1]


@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="torch may multiply by OpenBLAS there"
)
def test_products_of_numpy_have_one_thread() -> None:
    assert shown() == "1"


def test_what_the_user_says_of_products_stays() -> None:
    assert shown(OPENBLAS_NUM_THREADS="3") == "3"
