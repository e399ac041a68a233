"""Arguments that several commands take."""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from clipgrip.data.text import check_encoding
from clipgrip.errors import ConfigError

RUNS = Path("clipgrip-runs")
"""Where runs lie unless --out says otherwise."""
STORE = "runs.db"


def option(help: str, *names: str, **more: Any) -> Any:
    """What typer is told of an option whose default is nothing, or is said in its help."""
    return typer.Option(*names, help=help, show_default=False, **more)


def argument(help: str, **more: Any) -> Any:
    """The same of an argument."""
    return typer.Argument(help=help, show_default=False, **more)


def run_folders(incomplete: str) -> list[str]:
    """Folders of runs to complete a word with: below what is typed so far, here and in clipgrip-runs."""
    typed = Path(incomplete)
    places = {Path(), RUNS, typed, typed.parent}
    found = {str(folder) for place in places for folder in _runs_in(place)}
    return _words(sorted(folder for folder in found if folder.startswith(incomplete)))


def _runs_in(place: Path) -> list[Path]:
    try:
        return [entry for entry in place.iterdir() if (entry / STORE).is_file()]
    except OSError:
        return []


def class_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Classes to complete a word with: those of the run that stands before it."""
    named = [
        *ctx.args,
        ctx.params.get("run"),
        ctx.params.get("source"),
    ]  # args: while a value is missing
    store = next((Path(str(one)) / STORE for one in named if one), Path(STORE)).absolute()
    try:
        with closing(sqlite3.connect(f"{store.as_uri()}?mode=ro", uri=True)) as db:
            names = [name for (name,) in db.execute("SELECT name FROM class ORDER BY position")]
    except sqlite3.Error:
        return []
    return _words([name for name in names if name.startswith(incomplete)])


def _words(names: list[str]) -> list[str]:
    """As they stand on a command line: bash puts in what it is given, other shells quote it themselves."""
    in_bash = os.environ.get("_CLIPGRIP_COMPLETE") == "complete_bash"
    return [re.sub(r"[^\w@%+=:,./-]", r"\\\g<0>", name) if in_bash else name for name in names]


def check_named(classes: Path | None, **given: object) -> None:
    """ConfigError where labels or templates, which are about classes, are given without their names."""
    for name, value in given.items():
        if value and not classes:
            raise ConfigError("--{name} needs the class names. Give --classes FILE too.", name=name)


def ok_option(help: str) -> Any:
    """``--ok-class``, once for each class."""
    return option(help, "--ok-class", autocompletion=class_names)


Run = Annotated[
    Path,
    argument(
        "Folder of a finished run; of a reviewed one, its newest round.", autocompletion=run_folders
    ),
]
OkClass = Annotated[list[str] | None, ok_option("A class that means OK; once for each.")]
Sheet = Annotated[Path, option("The filled sheet of clipgrip audit draw.", "--answers")]
MaxError = Annotated[float, typer.Option("--max-error", help="Largest share of errors allowed.")]
Confidence = Annotated[float, typer.Option("--confidence", help="How sure that has to be.")]
About = Annotated[
    Literal["delivered", "decided", "source", "pool"],
    typer.Option(
        "--about",
        help="delivered: all labels within the scope, those put right in the audit among them; decided: the "
        "model's own alone; source: new images like the audited ones; pool: the older word for decided.",
    ),
]
By = Annotated[str, option("Who does it.", "--by")]
Encoding = Annotated[
    str | None,
    option(
        "Encoding of the text files, such as cp932, gbk or cp1252.  [default: UTF-8, else cp932]",
        "--encoding",
        callback=lambda name: None if name is None else check_encoding(name),
    ),
]
AllProbabilities = Annotated[
    Path | None,
    option(
        "Also write the probability of every class for every image: a .csv, .parquet or .npz file."
    ),
]
On = Annotated[
    str,
    typer.Option(
        "--on",
        help="Where images are read and encoded: here, processes, processes:N, ray or ray:ADDRESS (pip install "
        "'clipgrip[ray]'); auto: processes where the work is long. The results are the same.",
    ),
]
