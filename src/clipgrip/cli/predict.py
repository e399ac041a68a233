"""clipgrip predict."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from clipgrip.cli.arguments import AllProbabilities, Encoding, Run
from clipgrip.cli.ui import Result, Ui


def predict(
    ui: Ui,
    run: Run,
    images: Annotated[
        Path, typer.Argument(help="Folder of images, one image, or a CSV or Parquet file.")
    ],
    out: Annotated[Path, typer.Option(help="Where to write the answers.")] = Path(
        "predictions.csv"
    ),
    all_probabilities: AllProbabilities = None,
    encoding: Encoding = None,
) -> Result:
    """Label new images with a tuned prompt.

    Files that cannot be used are listed beside the answers, in a file that ends with .issues.csv.
    """
    from clipgrip.cli.calibrated import said_of
    from clipgrip.cli.results import remarks
    from clipgrip.cli.reviewed import at_work
    from clipgrip.errors import DataError
    from clipgrip.runs.probabilities import check_probabilities_place, write_probabilities
    from clipgrip.serving.batch import (
        check_answers_place,
        issues_path,
        predict_files,
        write_predictions,
    )
    from clipgrip.serving.predictor import Predictor

    check_answers_place(out, images)
    if all_probabilities is not None:
        check_probabilities_place(all_probabilities)
    predictor = Predictor.open(at_work(run, ui.screen))
    with ui.screen.live():
        answers = predict_files(predictor, images, ui.screen.progress, encoding=encoding)
    write_predictions(out, predictor, answers)
    if not answers.rows:
        first = answers.issues[0]
        raise DataError(
            f"{images}: none of the files can be labeled. The first: {first.path}: {first.detail}. "
            f"All are listed in {issues_path(out)}."
        )
    calibrated = predictor.calibrated
    images_labeled = "image" if len(answers.rows) == 1 else "images"
    lines = [f"{len(answers.rows)} {images_labeled} labeled: {out}", *said_of(calibrated)]
    facts: dict[str, Any] = {"images": len(answers.rows), "predictions": out}
    facts["calibrated_by"] = None if calibrated is None else calibrated.n
    if all_probabilities is not None:
        names = predictor.classes.display
        probs = answers.probs if calibrated is None else calibrated(answers.probs)
        write_probabilities(all_probabilities, [(answers.rows, probs)], names)
        lines.append(f"all probabilities: {all_probabilities}")
        facts["all_probabilities"] = all_probabilities
    if answers.issues:
        lines.append(f"{remarks(len(answers.issues), ui.say)}: {issues_path(out)}")
        facts["issues"] = issues_path(out)
    return Result(lines, facts | {"remarks": len(answers.issues)})
