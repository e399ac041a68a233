"""What people and the model decided, in the formats of other tools."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from clipgrip.data.images import UndecodableImage
from clipgrip.data.manifest import Row
from clipgrip.data.reading import read_row
from clipgrip.data.tables import csv_bytes
from clipgrip.errors import DataError, nearest
from clipgrip.review.answers import Opinion
from clipgrip.review.desk import DECIDED, GIVEN, OPEN, STATES, Desk
from clipgrip.review.measure import promised
from clipgrip.trust.promise import Terms
from clipgrip.words import mark

CHOICE, SUBJECT = "class", "image"
"""Names of the choice and of what it is about in Label Studio's labeling configuration."""
CSV = "text/csv; charset=utf-8"
CHUNK = 1 << 20
_UNSAFE = frozenset('<>:"/\\|?*')
_RESERVED = frozenset(
    (
        "con",
        "prn",
        "aux",
        "nul",
        *(f"{kind}{n}" for kind in ("com", "lpt") for n in "0123456789¹²³"),
    )
)
"""Names that Windows keeps for devices."""
_LONGEST = 120
"""Bytes of a name."""


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
    confidence: float


def lines(desk: Desk) -> list[Line]:
    """Every image in the order of its first path."""
    with desk.lock:
        told = promised(desk, Terms())
        within = set()
        if told is not None and desk.audit is not None:
            pairs = zip(desk.audit.hashes, told.told.decided, strict=True)
            within = {image for image, yes in pairs if yes}
        found = [_line(desk, n, within) for n in range(len(desk.view.rows))]
    return sorted(found, key=lambda line: line.row.path)


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


def exported(desk: Desk, form: str) -> tuple[str, str, Iterator[bytes]]:
    """File name, media type and content of an export.

    Raises:
        DataError: there is no such format.
    """
    if form not in EXPORTS:
        raise DataError(f'no export "{form}". Known: {", ".join(EXPORTS)}.{nearest(form, EXPORTS)}')
    name, media, write = _WRITERS[form]
    return name, media, write(desk)


def _csv(desk: Desk) -> Iterator[bytes]:
    header = (
        "path", "label", "decided_by", "state", "people", "model_label", "model_confidence", "sha256",
    )  # fmt: skip
    rows = (
        (
            path, line.label, line.by, line.state,
            "; ".join(line.opinion.people) if line.opinion else "",
            line.model, f"{line.confidence:.6f}", line.row.sha256,
        )
        for line in lines(desk)
        for path in line.row.paths
    )  # fmt: skip
    yield csv_bytes(header, rows)


def _labels(desk: Desk) -> Iterator[bytes]:
    rows = (
        (path, line.label)
        for line in lines(desk)
        if line.by in ("person", "file")
        for path in line.row.paths
    )
    yield csv_bytes(("path", "label"), rows)


def _history(desk: Desk) -> Iterator[bytes]:
    header = (
        "number", "at", "person", "path", "verdict", "class", "purpose", "seconds", "round", "model_answered",
        "model_confidence", "taken_back_by", "taken_back_at", "sha256",
    )  # fmt: skip
    back = {token: (person, at) for token, person, at in desk.store.undone()}
    rows = []
    for a in desk.store.answers(undone=True):
        place = desk.view.place.get(a.image)
        path = "" if place is None else desk.view.rows[place].path
        klass, proposed = (
            "" if i is None else desk.names.get(i, "") for i in (a.klass, a.proposed)
        )
        seconds = "" if a.seconds is None else f"{a.seconds:.2f}"
        confidence = "" if a.confidence is None else f"{a.confidence:.6f}"
        told = (a.number, a.at, a.person, path, a.verdict, klass, a.purpose, seconds, a.round)
        rows.append((*told, proposed, confidence, *back.get(a.token, ("", "")), a.image))
    yield csv_bytes(header, rows)


def _folders(desk: Desk) -> Iterator[bytes]:
    folders = folder_names([one.name for one in desk.view.classes])
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            left = []
            for line in lines(desk):
                if line.by not in ("person", "file"):
                    continue
                try:
                    data = read_row(line.row)
                except UndecodableImage as error:  # its file is gone or changed
                    left.append((line.row.path, error.reason, error.detail))
                    continue
                archive.writestr(f"{folders[line.label]}/{_file_name(line.row)}", data)
            if left:
                archive.writestr("issues.csv", csv_bytes(("path", "reason", "detail"), left))
        file.seek(0)
        while chunk := file.read(CHUNK):
            yield chunk


def _label_studio(desk: Desk) -> Iterator[bytes]:
    tasks = []
    for number, line in enumerate(lines(desk), 1):
        said = [_choice(line.label)] if line.by in ("person", "file") else []
        score = {"model_version": f"round {desk.round.number}", "score": round(line.confidence, 6)}
        tasks.append(
            {
                "id": number,
                "data": {SUBJECT: line.row.path, "sha256": line.row.sha256},
                "annotations": [{"result": said}] if said else [],
                "predictions": [{**score, "result": [_choice(line.model)]}],
            }
        )
    yield _json(tasks)


def _choice(name: str) -> dict[str, Any]:
    value = {"choices": [name]}
    return {"from_name": CHOICE, "to_name": SUBJECT, "type": "choices", "value": value}


def _coco(desk: Desk) -> Iterator[bytes]:
    names = [one.name for one in desk.view.classes]
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, int]] = []
    for number, line in enumerate(lines(desk), 1):
        images.append({"id": number, "file_name": line.row.path, "sha256": line.row.sha256})
        if line.by in ("person", "file"):
            place = names.index(line.label) + 1
            annotations.append(
                {"id": len(annotations) + 1, "image_id": number, "category_id": place}
            )
    categories = [{"id": n, "name": name} for n, name in enumerate(names, 1)]
    yield _json({"images": images, "annotations": annotations, "categories": categories})


def _fiftyone(desk: Desk) -> Iterator[bytes]:
    names = [one.name for one in desk.view.classes]
    found = lines(desk)
    stems = Counter(_stem(path) for line in found for path in line.row.paths)
    labels = {
        _stem(path) if stems[_stem(path)] == 1 else path: names.index(line.label)
        for line in found
        if line.by in ("person", "file")
        for path in line.row.paths
    }
    yield _json({"classes": names, "labels": labels})


def _stem(path: str) -> str:
    """FiftyOne's key of an image: its path without the ending."""
    return str(PurePosixPath(path).with_suffix(""))


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1).encode("utf-8", "backslashreplace")


def folder_names(names: Sequence[str]) -> dict[str, str]:
    """Class name -> a folder that any system can make, no two the same where capitals do not count."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        folder = made = _safe(name)
        number = 2
        while made.casefold() in taken:
            made, number = f"{folder} {number}", number + 1
        taken.add(made.casefold())
        found[name] = made
    return found


def _safe(name: str) -> str:
    """A name as the name of a file or folder that any system can make."""
    kept = "".join(c if c.isprintable() and c not in _UNSAFE else "_" for c in name)
    kept = kept.encode()[:_LONGEST].decode(errors="ignore").strip(" .") or "_"
    return f"_{kept}" if kept.split(".")[0].strip().casefold() in _RESERVED else kept


def _file_name(row: Row) -> str:
    """The image's own name behind its hash, so that no two are the same."""
    name = PurePosixPath(row.path)
    ending = f".{_safe(name.suffix[1:])}" if name.suffix else ""
    return f"{row.sha256[:12]}-{_safe(name.stem)}{ending}"


_Writer = Callable[[Desk], Iterator[bytes]]
_WRITERS: dict[str, tuple[str, str, _Writer]] = {
    "csv": ("review.csv", CSV, _csv),
    "labels": ("labels.csv", CSV, _labels),
    "folders": ("class-folders.zip", "application/zip", _folders),
    "label-studio": ("label-studio.json", "application/json", _label_studio),
    "coco": ("coco.json", "application/json", _coco),
    "fiftyone": ("labels.json", "application/json", _fiftyone),
    "history": ("history.csv", CSV, _history),
}
EXPORTS = {
    "csv": mark("CSV: every image with its label, who decided, and the model's answer"),
    "labels": mark("CSV path,label: people's answers only, for clipgrip run --labels"),
    "folders": mark("Class folders (ZIP): the images that people decided, a folder per class"),
    "label-studio": mark("Label Studio JSON: people's answers and the model's predictions"),
    "coco": mark("COCO JSON: people's answers as annotations of whole images"),
    "fiftyone": mark("FiftyOne image classification: labels.json beside a folder data"),
    "history": mark("CSV: every key press with who, when and seconds, those taken back too"),
}
