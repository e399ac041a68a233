"""Everything that must hold before a commit: lint, format, types, import order, docs and their site, tests.

``python tools/check.py`` runs all of it and stops at the first that fails; ``python tools/check.py lint types`` only
these.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

PROCESSES = min(os.cpu_count() or 1, 4)
"""Tests run side by side, a file in one process; each takes about a gigabyte of memory."""

CHECKS = {
    "lint": [sys.executable, "-m", "ruff", "check", "."],
    "format": [sys.executable, "-m", "ruff", "format", "--check", "."],
    "types": [sys.executable, "-m", "mypy"],
    "imports": [
        str(Path(sys.executable).with_name("lint-imports"))
    ],  # also without an active environment
    "docs": [sys.executable, "tools/cli_docs.py", "--check"],
    "site": [sys.executable, "-m", "tools.docs_site"],
    "tests": [sys.executable, "-m", "pytest", "-n", str(PROCESSES), "--dist", "loadfile"],
}


def main(names: list[str]) -> int:
    """Run the named checks, or all; the exit code of the first that fails."""
    unknown = set(names) - set(CHECKS)
    if unknown:
        print(f"unknown: {', '.join(sorted(unknown))}. Known: {', '.join(CHECKS)}.")
        return 2
    for name in names or CHECKS:
        began = time.monotonic()
        code = subprocess.run(CHECKS[name], check=False).returncode
        print(
            f"== {name}: {'ok' if code == 0 else 'FAILED'} ({time.monotonic() - began:.0f} s)",
            flush=True,
        )
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
