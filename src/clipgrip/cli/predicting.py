"""What clipgrip predict does: answers as CSV, or as Parquet for any number of images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipgrip.cli.ui import Result, Ui
from clipgrip.errors import ConfigError
from clipgrip.sentences import Sentence, mark

if TYPE_CHECKING:
    from clipgrip.runs.calibrated import AuditedCalibration
    from clipgrip.serving.predictor import Predictor

LEFT_OUT = mark(
    '{images} has no "{name}". It counted nothing in this run, so the answers are the same.'
)


@dataclass(frozen=True)
class PredictRequest:
    """What was given on the command line; ``newest`` is the folder of the round at work."""

    run: Path
    newest: Path
    images: Path
    out: Path
    encoding: str | None
    on: str
    all_probabilities: Path | None


def as_csv(ui: Ui, asked: PredictRequest) -> Result:
    """All images at once."""
    from clipgrip.cli.daily import given_back
    from clipgrip.executors import executor_named, using
    from clipgrip.runs.probabilities import write_probabilities
    from clipgrip.serving.batch import check_any_labeled, predict_files, write_predictions
    from clipgrip.serving.predictor import Predictor

    predictor, out = Predictor.open(asked.newest), asked.out
    say_left_out(predictor, asked.images, ui)
    say_guesses(asked.newest, ui)
    with using(executor_named(asked.on)), ui.screen.live():
        answers = predict_files(
            predictor, asked.images, ui.screen.progress, encoding=asked.encoding
        )
    people = given_back(asked.run, answers, ui)
    write_predictions(out, predictor, answers, people, ui.say)
    check_any_labeled(answers, asked.images, out)
    calibrated = predictor.calibrated
    lines, facts = _labeled(len(answers.rows), out, calibrated)
    if asked.all_probabilities is not None:
        names, place = predictor.classes.display, asked.all_probabilities
        probs = answers.probs if calibrated is None else calibrated(answers.probs)
        write_probabilities(place, [(answers.rows, probs)], names)
        lines.append(Sentence("all probabilities: {path}", path=place))
        facts["all_probabilities"] = place
    return _with_issues(ui, lines, facts, len(answers.issues), out)


def as_parquet(ui: Ui, asked: PredictRequest) -> Result:
    """A shard at a time."""
    from clipgrip.cli.daily import deciding, say_given_back
    from clipgrip.executors import executor_named, using
    from clipgrip.runs.calibrated import read_calibration
    from clipgrip.serving.predictor import Predictor
    from clipgrip.serving.stream import predict_stream

    out, decide = asked.out, deciding(asked.run)
    say_left_out(Predictor.open(asked.newest), asked.images, ui)
    say_guesses(asked.newest, ui)
    progress: Callable[[str, int, int], None] = ui.screen.progress
    with using(executor_named(asked.on)), ui.screen.live():
        found = predict_stream(
            asked.newest,
            asked.images,
            out,
            encoding=asked.encoding,
            decide=decide,
            on_progress=progress,
            say=ui.say,
        )
    if decide is not None:
        say_given_back(asked.run, found.people, ui)
    lines, facts = _labeled(found.images, out, read_calibration(asked.newest))
    return _with_issues(ui, lines, facts | {"fresh": found.fresh}, found.issues, out)


def check_beside_csv(out: Path) -> None:
    """ConfigError where all probabilities are asked for beside Parquet, whose shards pass by."""
    from clipgrip.serving.batch import is_parquet

    if is_parquet(out):
        raise ConfigError(
            "--all-probabilities goes with a CSV file of answers. Give --out a name like {stem}.csv.",
            stem=out.stem,
        )


def say_left_out(predictor: Predictor, images: Path, ui: Ui) -> None:
    """Which banks new embeddings lack though the run had them, where no answer depends on them."""
    from clipgrip.data.embeddings import read_embeddings
    from clipgrip.data.embedfiles import embedding_files

    unread = predictor.unread_banks
    files = embedding_files(images) if unread else []
    for name in sorted(unread - read_embeddings(files[0]).banks.keys()) if files else ():
        ui.screen.note(Sentence(LEFT_OUT, images=images, name=name))


def say_guesses(newest: Path, ui: Ui) -> None:
    """That the model seems to know nothing, as its run says, unless audited answers have said more since."""
    from clipgrip.advice.model import headline_of
    from clipgrip.runs.audit_store import was_promised
    from clipgrip.runs.calibrated import read_calibration
    from clipgrip.runs.knowledge import doubts, is_guessing
    from clipgrip.runs.store import NAME, open_store

    if not (newest / NAME).is_file() or read_calibration(newest) or was_promised(newest):
        return
    with open_store(newest) as store:
        run = store.run()
    if run is not None and is_guessing(run):
        ui.screen.note(Sentence(headline_of(doubts(run.facts))))


def _labeled(
    n: int, out: Path, calibrated: AuditedCalibration | None
) -> tuple[list[str], dict[str, Any]]:
    from clipgrip.cli.calibrated import said_of

    lines: list[str] = [Sentence("{n} images labeled: {out}", n=n, out=out), *said_of(calibrated)]
    facts: dict[str, Any] = {"images": n, "predictions": out}
    return lines, facts | {"calibrated_by": None if calibrated is None else calibrated.n}


def _with_issues(ui: Ui, lines: list[str], facts: dict[str, Any], count: int, out: Path) -> Result:
    from clipgrip.cli.results import remarks
    from clipgrip.serving.batch import issues_path

    if count:
        listed = issues_path(out)
        lines.append(Sentence("{counted}: {path}", counted=remarks(count, ui.say), path=listed))
        facts["issues"] = listed
    return Result(lines, facts | {"remarks": count})
