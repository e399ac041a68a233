"""Watches a model in use: labels new images, and tests by betting whether they differ from the reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clipgrip.clock import now
from clipgrip.data.places import place_of
from clipgrip.errors import RunError
from clipgrip.runs.lock import locked
from clipgrip.runs.watch.store import (
    LOCK,
    Alarm,
    SeenImage,
    State,
    WatchedLine,
    WatchStore,
    is_watched,
    open_watch,
)
from clipgrip.runs.watch.upholding import run_scopes, withdraw_broken
from clipgrip.serving.batch import FileAnswers, predict_files
from clipgrip.serving.predictor import Predictor
from clipgrip.serving.reference import Glances, Progress, begin
from clipgrip_line.pictures.looks import Looks
from clipgrip_line.trust.drift import Course, follow
from clipgrip_line.trust.ranks import Values
from clipgrip_line.trust.ringing import ALPHA, heard_more, rung
from clipgrip_line.trust.scores import chances_of, scores_of


@dataclass(frozen=True)
class Watched:
    """One look at a folder: the answers for all images, and how many of them were new."""

    answers: FileAnswers
    new: int
    alarms: tuple[Alarm, ...]
    """The alarms that this look raised."""
    began: bool
    """Whether the watch began with this look."""


def watch_files(
    run: Path,
    predictor: Predictor,
    images: Path,
    deliver: Callable[[FileAnswers], None],
    *,
    reference: Path | None = None,
    alpha: float | None = None,
    encoding: str | None = None,
    on_progress: Progress = lambda *_: None,
) -> Watched:
    """Label the images under a place, and bet on the new ones. Repeated after a kill, it gives the same result.

    The images of one look count in the order of their content hashes, so that names and folders cannot raise an alarm.
    ``deliver`` gets the answers before anything is stored: an interrupted look is repeated as a whole.

    Raises:
        DataError: the place does not exist or holds no image.
        RunError: the folder is in use, or the watch has begun with another reference or alpha.
    """
    with locked(run, LOCK):
        began = not is_watched(run)
        if not began and (reference is not None or alpha is not None):
            _check_same_beginning(run, reference, alpha)
        glances = Glances()
        answers = predict_files(
            predictor, images, on_progress, encoding=encoding, item_of=glances.item_of
        )
        if began:  # only now: a place without images must not begin a watch
            begin(run, predictor, reference, alpha or ALPHA, on_progress)
        deliver(answers)
        with open_watch(run) as store:
            withdraw_broken(store, run_scopes(run), now())
            new, alarms = _bet(store, glances, answers)
        return Watched(answers, new, alarms, began)


def _check_same_beginning(run: Path, reference: Path | None, alpha: float | None) -> None:
    """RunError where the watch has counted images, or began with other settings; only a first look may repeat them."""
    with open_watch(run) as store:
        line = store.begun()
        same = (line.facts["from"], line.alpha) == (str(reference or ""), alpha or ALPHA)
        if same and store.state().images == 0:
            return
    raise RunError(
        "{run} is watched already, with the reference and the budget that it began with. Leave "
        "out --reference and --alpha; another normal begins by the answer to an alarm (clipgrip "
        "watch answer).",
        run=run,
    )


def _bet(
    store: WatchStore, glances: Glances, answers: FileAnswers
) -> tuple[int, tuple[Alarm, ...]]:
    line, state = store.begun(), store.state()
    unseen = store.fresh([row.sha256 for row in answers.rows])
    positions = [i for i, row in enumerate(answers.rows) if row.sha256 in unseen]
    looks, appearances, readable = glances.of([answers.rows[i] for i in positions])
    positions = [positions[i] for i in readable]
    if not positions:
        return 0, ()
    far = line.anchors.distances(answers.embeds[positions].numpy(), appearances)
    images = _images(state, answers, looks, far, positions)
    codes = np.stack([one.codes for one in images])
    labels = np.array([one.label for one in images], dtype=np.int64)
    chances = chances_of([one.sha256 for one in images])
    course = follow(state.monitors, codes, labels, chances)
    return len(images), _store_look(store, line, state, course, images)


def _images(
    state: State, answers: FileAnswers, looks: Sequence[Looks], far: Values, positions: list[int]
) -> list[SeenImage]:
    """The new images, in the order of the rows, which is that of their hashes."""
    confidence, labels = (values.numpy() for values in answers.probs[positions].max(1))
    codes = scores_of(looks, confidence, far)
    seen_at, rows = now(), [answers.rows[i] for i in positions]
    return [
        SeenImage(
            state.images + n,
            row.sha256,
            place_of(row),
            int(labels[n - 1]),
            round(float(confidence[n - 1]), 6),
            codes[n - 1],
            seen_at,
        )
        for n, row in enumerate(rows, 1)
    ]


def _store_look(
    store: WatchStore, line: WatchedLine, state: State, course: Course, images: Sequence[SeenImage]
) -> tuple[Alarm, ...]:
    """Store the images, the monitors after them, and alarms. An open alarm is extended instead of a new one."""
    alarms = store.alarms()
    open_alarm = alarms[-1] if alarms and alarms[-1].response is None else None
    after = State(state.period, state.before, course.monitors)
    if open_alarm is None:
        found = rung(line, state, course, [*store.images(), *images])
        store.add(after, images, found, now())
        return tuple(store.alarms()[len(alarms) :])
    store.add(after, images, None, now())
    if (extended := heard_more(open_alarm, line, state, course)) is not None:
        store.change_alarm(extended)
    return ()
