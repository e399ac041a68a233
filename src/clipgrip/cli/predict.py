"""clipgrip predict."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clipgrip.cli.encoding import Encoding


def predict(
    run: Annotated[
        Path, typer.Argument(help="Folder of a finished run; of a reviewed one, its newest round.")
    ],
    images: Annotated[
        Path, typer.Argument(help="Folder of images, one image, or a CSV or Parquet file.")
    ],
    out: Annotated[Path, typer.Option(help="Where to write the answers.")] = Path(
        "predictions.csv"
    ),
    all_probabilities: Annotated[
        Path | None,
        typer.Option(
            help="Also write the probability of every class for every image: a .csv, .parquet or .npz file.",
        ),
    ] = None,
    encoding: Encoding = None,
) -> None:
    """Label new images with a tuned prompt.

    Files that cannot be used are listed beside the answers, in a file that ends with .issues.csv.
    """
    from clipgrip.cli.reviewed import at_work
    from clipgrip.cli.screen import Screen, utf8_output
    from clipgrip.runs.probabilities import check_probabilities_place, write_probabilities
    from clipgrip.serving.batch import (
        check_answers_place,
        issues_path,
        predict_files,
        write_predictions,
    )
    from clipgrip.serving.predictor import Predictor

    utf8_output()
    check_answers_place(out, images)
    if all_probabilities is not None:
        check_probabilities_place(all_probabilities)
    screen = Screen()
    predictor = Predictor.open(at_work(run, screen))
    with screen.live():
        answers = predict_files(predictor, images, screen.progress, encoding=encoding)
    write_predictions(out, predictor, answers)
    typer.echo(f"{len(answers.rows)} images labeled: {out}")
    if all_probabilities is not None:
        names = predictor.classes.display
        write_probabilities(all_probabilities, [(answers.rows, answers.probs)], names)
        typer.echo(f"all probabilities: {all_probabilities}")
    if answers.issues:
        typer.echo(f"{len(answers.issues)} remarks on files: {issues_path(out)}")
