"""What the line takes on a fresh machine: installed size, time to import, time to the first answer.

    python -m benchmarks.line.installed [--bundle FILE] [--repeats 7]

Builds the wheel from ``line/``, installs it with its dependencies into a new environment that knows nothing of this
one, and measures there. ``megabytes`` are those of all that the wheel brings (files as they are, without pip itself).
An import and a first answer are whole processes, Python's own start included: medians of the seconds that passed and of
those that a processor worked, which other work on the machine changes less.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import Any

from benchmarks.record import record

ROOT = Path(__file__).parents[2]
OURS = ("pip", "setuptools", "_distutils_hack", "pkg_resources")
"""What a new environment has by itself."""


def main() -> None:
    """Measure and write down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, help="measure the first answer of this one too")
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        python = installed(Path(folder))
        site = next((Path(folder) / "line").glob("lib/python*/site-packages"))
        by_package = {name: round(size / 1e6, 1) for name, size in sizes(site).items()}
        found: dict[str, Any] = {
            "megabytes": round(sum(by_package.values()), 1),
            "largest": dict(sorted(by_package.items(), key=lambda one: -one[1])[:6]),
            "packages": packages(python),
            "import_clipgrip_line_s": seconds(python, "import clipgrip_line", args.repeats),
            "import_model_s": seconds(python, "import clipgrip_line.model", args.repeats),
            "python_alone_s": seconds(python, "pass", args.repeats),
        }  # fmt: skip
        if args.bundle is not None:
            code = (
                "from pathlib import Path; from clipgrip_line import parts; from clipgrip_line.model import Model; "
                "from clipgrip_line.bundle import Bundle; "
                f"path = Path({str(args.bundle.absolute())!r}); model = Model.open(path); "
                "model.answer([model.pixels(parts.golden(Bundle(path))[0].data)])"
            )
            found["first_answer_s"] = seconds(python, code, args.repeats)
    print(found)
    print(record("line_installed", found))


def installed(folder: Path) -> Path:
    """A new environment with the wheel; its Python."""
    wheel_of: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "-w",
        folder,
    ]
    subprocess.run([*wheel_of, ROOT / "line"], check=True)
    venv.create(folder / "line", with_pip=True)
    python = folder / "line" / "bin" / "python"
    (wheel,) = folder.glob("clipgrip_line-*.whl")
    subprocess.run([python, "-m", "pip", "install", "-q", "--no-compile", wheel], check=True)
    return python


def sizes(site: Path) -> dict[str, int]:
    """Bytes by package folder, without what Python compiled while it ran."""
    found: dict[str, int] = {}
    for path in site.rglob("*"):
        top = path.relative_to(site).parts[0]
        if path.is_file() and path.suffix != ".pyc" and not top.startswith(OURS):
            found[top] = found.get(top, 0) + path.stat().st_size
    return found


def packages(python: Path) -> list[str]:
    """Names and versions."""
    told = subprocess.run([python, "-m", "pip", "freeze"], check=True, capture_output=True, text=True)  # fmt: skip
    return [line.split(" @ ")[0] for line in told.stdout.split("\n") if line]


def seconds(python: Path, code: str, repeats: int) -> dict[str, float]:
    """Medians of whole processes; one before them warms the disk."""
    passed, worked = [], []
    for _ in range(repeats + 1):
        began, before = time.perf_counter(), processor_seconds()
        subprocess.run([python, "-I", "-c", code], check=True)
        passed.append(time.perf_counter() - began)
        worked.append(processor_seconds() - before)
    medians = {"passed": statistics.median(passed[1:]), "worked": statistics.median(worked[1:])}
    return {name: round(value, 3) for name, value in medians.items()}


def processor_seconds() -> float:
    """Of all processes that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
