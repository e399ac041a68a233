"""clipgrip predict."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from clipgrip.cli.arguments import AllProbabilities, Encoding, On, Run
from clipgrip.cli.ui import Result, Ui
from clipgrip.sentences import Sentence
from clipgrip.words import mark

ONE, MANY = mark("{n} image labeled: {out}"), mark("{n} images labeled: {out}")


def predict(
    ui: Ui,
    run: Run,
    images: Annotated[
        Path,
        typer.Argument(
            help="Folder of images, one image, a CSV or Parquet file, tar files, or a URL such as s3://bucket/folder."
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            help="Where to write the answers: CSV, or .parquet, a shard at a time, for any number of images."
        ),
    ] = Path("predictions.csv"),
    all_probabilities: AllProbabilities = None,
    encoding: Encoding = None,
    on: On = "auto",
) -> Result:
    """Label new images with a tuned prompt.

    Files that cannot be used are listed beside the answers, in a file that ends with .issues.csv.
    """
    from clipgrip.cli.calibrated import said_of
    from clipgrip.cli.daily import given_back
    from clipgrip.cli.predict_stream import as_parquet
    from clipgrip.cli.results import remarks
    from clipgrip.cli.reviewed import at_work
    from clipgrip.executors import executor_named, using
    from clipgrip.runs.probabilities import check_probabilities_place, write_probabilities
    from clipgrip.serving.batch import (
        check_answers_place,
        check_any_labeled,
        is_parquet,
        issues_path,
        predict_files,
        write_predictions,
    )
    from clipgrip.serving.predictor import Predictor

    check_answers_place(out, images)
    if all_probabilities is not None:
        check_probabilities_place(all_probabilities)
    newest = at_work(run, ui.screen)
    if is_parquet(out):
        return as_parquet(ui, run, newest, images, out, encoding, on, all_probabilities)
    predictor = Predictor.open(newest)
    with using(executor_named(on)), ui.screen.live():
        answers = predict_files(predictor, images, ui.screen.progress, encoding=encoding)
    people = given_back(run, newest, answers, ui)
    write_predictions(out, predictor, answers, people)
    check_any_labeled(answers, images, out)
    calibrated, n = predictor.calibrated, len(answers.rows)
    lines: list[str] = [Sentence(ONE if n == 1 else MANY, n=n, out=out), *said_of(calibrated)]
    facts: dict[str, Any] = {"images": len(answers.rows), "predictions": out}
    facts["calibrated_by"] = None if calibrated is None else calibrated.n
    if all_probabilities is not None:
        names = predictor.classes.display
        probs = answers.probs if calibrated is None else calibrated(answers.probs)
        write_probabilities(all_probabilities, [(answers.rows, probs)], names)
        lines.append(Sentence("all probabilities: {path}", path=all_probabilities))
        facts["all_probabilities"] = all_probabilities
    if answers.issues:
        counted = remarks(len(answers.issues), ui.say)
        lines.append(Sentence("{counted}: {path}", counted=counted, path=issues_path(out)))
        facts["issues"] = issues_path(out)
    return Result(lines, facts | {"remarks": len(answers.issues)})
