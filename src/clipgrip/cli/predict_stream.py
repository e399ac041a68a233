"""clipgrip predict --out answers.parquet: any number of images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clipgrip.cli.ui import Result, Ui
from clipgrip.errors import ConfigError
from clipgrip.sentences import Sentence, mark


def as_parquet(
    ui: Ui,
    run: Path,
    newest: Path,
    images: Path,
    out: Path,
    encoding: str | None,
    on: str,
    all_probabilities: Path | None,
) -> Result:
    """Answer a shard at a time; `predict` with a Parquet file."""
    from clipgrip.cli.calibrated import said_of
    from clipgrip.cli.daily import deciding, say_given_back
    from clipgrip.cli.predict import MANY, ONE
    from clipgrip.cli.results import remarks
    from clipgrip.executors import executor_named, using
    from clipgrip.runs.calibrated import read_calibration
    from clipgrip.serving.batch import issues_path
    from clipgrip.serving.stream import predict_stream

    if all_probabilities is not None:
        raise ConfigError(
            mark("--all-probabilities goes with a CSV file of answers. Give --out a name like {stem}.csv."),
            stem=out.stem,
        )  # fmt: skip
    decide = deciding(run, newest)
    with using(executor_named(on)), ui.screen.live():
        found = predict_stream(
            newest, images, out, encoding=encoding, decide=decide, on_progress=ui.screen.progress
        )
    if decide is not None:
        say_given_back(newest, found.people, ui)
    calibrated, n = read_calibration(newest), found.images
    lines = [Sentence(ONE if n == 1 else MANY, n=n, out=out), *said_of(calibrated)]
    facts: dict[str, Any] = {"images": n, "predictions": out}
    facts |= {"calibrated_by": None if calibrated is None else calibrated.n, "fresh": found.fresh}
    if found.issues:
        counted = remarks(found.issues, ui.say)
        lines.append(Sentence("{counted}: {path}", counted=counted, path=issues_path(out)))
        facts["issues"] = issues_path(out)
    return Result(lines, facts | {"remarks": found.issues})
