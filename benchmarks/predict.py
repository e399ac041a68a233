"""How long labeling 1,000 images takes that the cache knows: from the folder to predictions.csv, after imports.

python -m benchmarks.predict
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.record import machine, record
from clipgrip.backbone.cache import ROOT_VARIABLE
from clipgrip.cli.demo import TEMPLATES
from clipgrip.config import project
from clipgrip.data.samples import digits
from clipgrip.runs.pipeline import run

COUNT = 1000
TIMED = """
import sys, time
from pathlib import Path
from clipgrip.serving.batch import predict_files, write_predictions
from clipgrip.serving.predictor import Predictor
run, images, out = map(Path, sys.argv[1:])
began = time.perf_counter()
predictor = Predictor.open(run)
answers = predict_files(predictor, images)
write_predictions(out, predictor, answers)
print(time.perf_counter() - began, len(answers.rows), "transformers" in sys.modules)
"""


def main() -> None:
    """Measure, print, and write ``results/predict.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory() as folder:
        result = measure(Path(folder), repeats)
    print(machine())
    print(result)
    record("predict", result)


def measure(folder: Path, repeats: int) -> dict[str, Any]:
    """The median over processes, each new."""
    os.environ[ROOT_VARIABLE] = str(folder / "cache")
    sample = digits(folder / "digits")
    for path in sorted(sample.images.iterdir())[COUNT:]:
        path.unlink()
    options = {
        "images": sample.images,
        "classes": sample.classes,
        "template": TEMPLATES["digits"],
        "strategy": "fpl",
        "out": folder / "run",
    }
    run(project(options))
    words = [
        sys.executable,
        "-c",
        TIMED,
        str(folder / "run"),
        str(sample.images),
        str(folder / "p.csv"),
    ]
    answers = [
        subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
        for _ in range(repeats)
    ]
    seconds = [float(answer[0]) for answer in answers]
    return {
        "images": int(answers[0][1]),
        "seconds": round(statistics.median(seconds), 3),
        "all_seconds": [round(value, 3) for value in seconds],
        "imports_transformers": answers[0][2] == "True",
    }


if __name__ == "__main__":
    main()
