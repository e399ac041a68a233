"""A model at work, watched: new images are labeled, and bet on not to differ from those before."""

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
    """What one look at a folder found: the answers for all of it, and how many images were new."""

    answers: FileAnswers
    new: int
    alarms: tuple[Alarm, ...]
    """Those that began to ring now."""
    began: bool
    """Whether the line began with this look."""


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
    """Label what lies under a place, and bet on the images that are new. Run again after a kill, it finds the same.

    Images of one look count in the order of their content hashes, so names and folders cannot ring. ``deliver`` gets
    the answers before anything is written down: a look that was cut off begins anew.

    Raises:
        DataError: the place does not exist or holds no image.
        RunError: the folder is in use, or a line that has begun is asked to begin otherwise.
    """
    with locked(run, LOCK):
        began = not is_watched(run)
        if not began and (reference is not None or alpha is not None):
            _check_begins_so(run, reference, alpha)
        glances = Glances()
        answers = predict_files(
            predictor, images, on_progress, encoding=encoding, item_of=glances.item_of
        )
        if began:  # not before: a place without images begins no line
            begin(run, predictor, reference, alpha or ALPHA, on_progress)
        deliver(answers)
        with open_watch(run) as store:
            withdraw_broken(store, run_scopes(run), now())
            new, alarms = _bet(store, glances, answers)
        return Watched(answers, new, alarms, began)


def _check_begins_so(run: Path, reference: Path | None, alpha: float | None) -> None:
    """RunError where a line counted images already, or began otherwise; only a first look is repeated."""
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
    places = [i for i, row in enumerate(answers.rows) if row.sha256 in unseen]
    looks, appearances, readable = glances.of([answers.rows[i] for i in places])
    places = [places[i] for i in readable]
    if not places:
        return 0, ()
    far = line.anchors.distances(answers.embeds[places].numpy(), appearances)
    images = _images(state, answers, looks, far, places)
    codes = np.stack([one.codes for one in images])
    labels = np.array([one.label for one in images], dtype=np.int64)
    chances = chances_of([one.sha256 for one in images])
    course = follow(state.monitors, codes, labels, chances)
    return len(images), _added(store, line, state, course, images)


def _images(
    state: State, answers: FileAnswers, looks: Sequence[Looks], far: Values, places: list[int]
) -> list[SeenImage]:
    """The new images in the order of their hashes, which is that of the rows."""
    confidence, labels = (values.numpy() for values in answers.probs[places].max(1))
    codes = scores_of(looks, confidence, far)
    seen_at, rows = now(), [answers.rows[i] for i in places]
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


def _added(
    store: WatchStore, line: WatchedLine, state: State, course: Course, images: Sequence[SeenImage]
) -> tuple[Alarm, ...]:
    """Keep the images and the monitors after them, and what rings; one alarm at a time, that others join."""
    alarms = store.alarms()
    still = alarms[-1] if alarms and alarms[-1].response is None else None
    after = State(state.period, state.before, course.monitors)
    if still is None:
        found = rung(line, state, course, [*store.images(), *images])
        store.add(after, images, found, now())
        return tuple(store.alarms()[len(alarms) :])
    store.add(after, images, None, now())
    if (louder := heard_more(still, line, state, course)) is not None:
        store.change_alarm(louder)
    return ()
