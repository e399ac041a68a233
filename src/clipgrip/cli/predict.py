"""clipgrip predict."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clipgrip.cli.arguments import AllProbabilities, Encoding, On, Run
from clipgrip.cli.ui import Result, Ui


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
    from clipgrip.cli.predicting import PredictRequest, as_csv, as_parquet, check_beside_csv
    from clipgrip.cli.reviewed import at_work
    from clipgrip.cli.sheets import check_no_sheet
    from clipgrip.runs.probabilities import check_probabilities_place
    from clipgrip.serving.batch import check_answers_place, is_parquet

    if all_probabilities is not None:
        check_beside_csv(out)
        check_probabilities_place(all_probabilities)
    check_no_sheet(run, images, encoding)
    check_answers_place(out, images)
    asked = PredictRequest(
        run, at_work(run, ui.screen), images, out, encoding, on, all_probabilities
    )
    return as_parquet(ui, asked) if is_parquet(out) else as_csv(ui, asked)
