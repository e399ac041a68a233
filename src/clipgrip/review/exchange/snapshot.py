"""A review as it stands at one moment: what an export is written from, whatever people do meanwhile."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from clipgrip.data.manifest import Row
from clipgrip.data.sources import is_there
from clipgrip.review.answers import Opinion, opinions
from clipgrip.review.desk import DECIDED, GIVEN, OPEN, STATES, Desk
from clipgrip.review.measure import promised
from clipgrip.trust.terms import Terms


@dataclass(frozen=True)
class Line:
    """An image as it stands."""

    row: Row
    state: str
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
class Snapshot:
    """All that an export may say. ``lines`` are in the order of their first paths, those that are gone among them."""

    lines: tuple[Line, ...]
    classes: tuple[str, ...]
    round: int
    others: tuple[str, ...]
    """Paths of images of the run that are not under review."""
    history: tuple[tuple[Any, ...], ...] = field(default=(), repr=False)
    """Every answer, those taken back too."""

    @property
    def gone(self) -> tuple[Line, ...]:
        """Images whose files are not there any more."""
        return tuple(line for line in self.lines if line.gone)


def snapshot(desk: Desk, *, history: bool = False) -> Snapshot:
    """The review now; the files are looked for afterwards, without keeping people from their work."""
    with desk.lock:
        within = _decided_by_model(desk)
        lines = [_line(desk, n, within) for n in range(len(desk.view.rows))]
        missing = _missing(desk)
        classes = tuple(one.name for one in desk.view.classes)
        known = {line.row.sha256 for line in (*lines, *missing)}
        others = [row for row in desk.view.outcome.manifest.rows if row.sha256 not in known]
        number = desk.round.number
        presses = tuple(_history(desk)) if history else ()
    every = [*(_looked_for(line) for line in lines), *missing]
    return Snapshot(
        tuple(sorted(every, key=lambda line: line.row.path)),
        classes,
        number,
        tuple(path for row in others for path in row.paths),
        presses,
    )


def _looked_for(line: Line) -> Line:
    if is_there(line.row.source):
        return line
    kept = (line.row, line.state, line.label, line.by, line.opinion, line.model, line.confidence)
    return Line(*kept, gone=True)


def _decided_by_model(desk: Desk) -> set[str]:
    told = promised(desk, Terms())
    if told is None or desk.audit is None:
        return set()
    pairs = zip(desk.audit.hashes, told.told.decided, strict=True)
    return {image for image, yes in pairs if yes}


def _line(desk: Desk, n: int, within: set[str]) -> Line:
    row, state = desk.view.rows[n], int(desk.standing.state[n])
    model, label, by = desk.names[int(desk.view.label[n])], "", ""
    if state in (DECIDED, GIVEN):
        label = desk.names[int(desk.standing.klass[n])]
        by = "person" if state == DECIDED else "file"
    elif state == OPEN and row.sha256 in within:
        label, by = model, "model"
    opinion = desk.opinion(row.sha256)
    return Line(row, STATES[state], label, by, opinion, model, float(desk.view.confidence[n]))


def _missing(desk: Desk) -> list[Line]:
    """What is known of images that no round can read any more: people's answers count all the same."""
    gone = {row.sha256 for row in desk.missing}
    said = opinions((one for one in desk.answers() if one.image in gone), desk.counts_as)
    return [_gone(desk, row, said.get(row.sha256)) for row in desk.missing]


def _gone(desk: Desk, row: Row, opinion: Opinion | None) -> Line:
    given = desk.counts_as.get(row.label + 1) if row.label >= 0 else None
    if opinion is not None:
        label = "" if opinion.klass is None else desk.names[opinion.klass]
        return Line(
            row, opinion.state, label, "person" if label else "", opinion, "", None, gone=True
        )
    if given is not None:
        return Line(row, STATES[GIVEN], desk.names[given], "file", None, "", None, gone=True)
    return Line(row, STATES[OPEN], "", "", None, "", None, gone=True)


def _history(desk: Desk) -> Iterable[tuple[Any, ...]]:
    back = {token: (person, at) for token, person, at in desk.store.undone()}
    paths = {row.sha256: row.path for row in (*desk.missing, *desk.view.rows)}
    for a in desk.store.answers(undone=True):
        klass, proposed = (
            "" if i is None else desk.names.get(i, "") for i in (a.klass, a.proposed)
        )
        seconds = "" if a.seconds is None else f"{a.seconds:.2f}"
        confidence = "" if a.confidence is None else f"{a.confidence:.6f}"
        path = paths.get(a.image, "")
        told = (a.number, a.at, a.person, path, a.verdict, klass, a.purpose, seconds, a.round)
        yield (*told, proposed, confidence, *back.get(a.token, ("", "")), a.image)
