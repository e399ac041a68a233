"""What an export is written from: the images of a snapshot, and whether their files are still there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from clipgrip.data.rows import Row
from clipgrip.data.sources import is_gone
from clipgrip.review.answers import Opinion, opinions
from clipgrip.review.deciding import deciders
from clipgrip.review.draws import asked_for, chosen_draw
from clipgrip.review.snapshot import ReviewSnapshot
from clipgrip.review.states import ImageState
from clipgrip.review.store import ReviewStore


@dataclass(frozen=True)
class ExportLine:
    """An image as it stands."""

    row: Row
    state: ImageState
    label: str
    """Empty where it is not decided."""
    by: str
    """``person``, ``file`` (the run's own labels), ``model`` (within the promise), or empty."""
    opinion: Opinion | None
    model: str
    """Empty for an image that is gone: no round can look at it."""
    confidence: float | None
    gone: bool = False
    """Whether its file is not there any more."""

    @property
    def by_people(self) -> bool:
        """Whether the label is people's, not the model's."""
        return self.by in ("person", "file")


@dataclass(frozen=True)
class ExportContent:
    """All that an export may say. ``lines`` are in the order of their first paths, those that are gone among them."""

    lines: tuple[ExportLine, ...]
    classes: tuple[str, ...]
    round: int
    others: tuple[str, ...]
    """Paths of images of the run that are not under review."""
    history: tuple[tuple[Any, ...], ...] = field(default=(), repr=False)
    """Every answer, those taken back too."""

    @property
    def gone(self) -> tuple[ExportLine, ...]:
        """Images whose files are not there any more."""
        return tuple(line for line in self.lines if line.gone)


def export_content(
    snapshot: ReviewSnapshot, store: ReviewStore, history: Sequence[tuple[Any, ...]] = ()
) -> ExportContent:
    """All that an export of this moment may say; the files are looked for now."""
    chosen = replace(chosen_draw(snapshot, store), terms=asked_for(store))
    by_model = deciders(snapshot, chosen).by_model.tolist()
    lines = [_line(snapshot, n, yes) for n, yes in enumerate(by_model)]
    missing = _missing(snapshot)
    known = {line.row.sha256 for line in (*lines, *missing)}
    rows = snapshot.view.outcome.manifest.rows
    others = rows.take(~rows.among(known))
    found = (replace(one, gone=True) if is_gone(one.row.source) else one for one in lines)
    every = [*found, *missing]
    return ExportContent(
        tuple(sorted(every, key=lambda line: line.row.path)),
        tuple(one.name for one in snapshot.classes.active),
        snapshot.round.number,
        tuple(path for row in others for path in row.paths),
        tuple(history),
    )


def _line(snapshot: ReviewSnapshot, n: int, by_model: bool) -> ExportLine:
    row, names, view = snapshot.view.rows[n], snapshot.classes.names, snapshot.view
    state = ImageState(int(snapshot.states.state[n]))
    model, label, by = names[int(view.label[n])], "", ""
    if state in (ImageState.DECIDED, ImageState.GIVEN):
        label = names[int(snapshot.states.klass[n])]
        by = "person" if state == ImageState.DECIDED else "file"
    elif by_model:
        label, by = model, "model"
    opinion = snapshot.opinions.get(row.sha256)
    return ExportLine(row, state, label, by, opinion, model, float(view.confidence[n]))


def _missing(snapshot: ReviewSnapshot) -> list[ExportLine]:
    """What is known of images that no round can read any more: people's answers count all the same."""
    rows = snapshot.round.missing
    answers = (one for row in rows for one in snapshot.by_image.get(row.sha256, ()))
    by_hash = opinions(answers, snapshot.classes.counts_as)
    return [_gone(snapshot, row, by_hash.get(row.sha256)) for row in rows]


def _gone(snapshot: ReviewSnapshot, row: Row, opinion: Opinion | None) -> ExportLine:
    classes, state, label, by = snapshot.classes, ImageState.OPEN, "", ""
    if opinion is not None:
        state = opinion.state
        label = "" if opinion.klass is None else classes.names[opinion.klass]
        by = "person" if label else ""
    elif row.label >= 0 and (klass := classes.of_first_run(row.label)) is not None:
        state, label, by = ImageState.GIVEN, classes.names[klass], "file"
    return ExportLine(row, state, label, by, opinion, "", None, gone=True)


def answer_history(snapshot: ReviewSnapshot, store: ReviewStore) -> Iterator[tuple[Any, ...]]:
    """Every answer, those taken back too, as lines of a table."""
    back = {token: (person, at) for token, person, at in store.undone()}
    paths = {row.sha256: row.path for row in (*snapshot.round.missing, *snapshot.view.rows)}
    names = {one.id: one.name for one in store.classes()}
    for a in store.answers(undone=True):
        klass, proposed = ("" if i is None else names.get(i, "") for i in (a.klass, a.proposed))
        seconds = "" if a.seconds is None else f"{a.seconds:.2f}"
        confidence = "" if a.confidence is None else f"{a.confidence:.6f}"
        path = paths.get(a.image, "")
        line = (a.number, a.at, a.person, path, a.verdict, klass, a.purpose, seconds, a.round)
        yield (*line, proposed, confidence, *back.get(a.token, ("", "")), a.image)
