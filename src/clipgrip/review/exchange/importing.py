"""Labels from other tools, as answers of the person who brings them in."""

from __future__ import annotations

import hashlib
import io
import json
import uuid
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from clipgrip.data.archive import check_archive
from clipgrip.data.classes import UNLABELED_MARKS, canonical
from clipgrip.data.discover import LABEL_COLUMNS, PATH_COLUMNS
from clipgrip.data.tables import parse_csv
from clipgrip.data.text import decoded
from clipgrip.errors import DataError, nearest
from clipgrip.review.desk import Desk, now
from clipgrip.review.exchange.exporting import folder_names
from clipgrip.review.store import Answer, Change
from clipgrip.words import mark

SHOWN = 20
"""Problems that are told in full."""
MAX_FILE = 256 << 20
"""Bytes of one image in a ZIP."""


@dataclass(frozen=True)
class Claimed:
    """A label that a file claims for an image: by path or, where the file knows it, by content hash."""

    path: str
    label: str
    where: str
    sha256: str = ""


def imported(desk: Desk, form: str, data: bytes, person: str) -> dict[str, Any]:
    """Keep what a file says; how many answers were new, and what could not be used.

    An image that the person has answered with the same class already is left as it is; of two different labels of one
    image the first is kept. What the model decided (column ``decided_by`` of our own export) is nobody's answer.

    Raises:
        DataError: there is no such format, or the file is not of it.
    """
    if form not in IMPORTS:
        raise DataError(f'no import "{form}". Known: {", ".join(IMPORTS)}.{nearest(form, IMPORTS)}')
    claims = list(_READERS[form](data))
    finder, problems = _Finder(desk), []
    claimed: dict[str, int] = {}
    with desk.lock:
        ids = {canonical(one.name): one.id for one in desk.view.classes}
        if form == "folders":
            # a class whose name is no name of a folder was written under another one
            made = folder_names([one.name for one in desk.view.classes])
            ids |= {canonical(made[one.name]): one.id for one in desk.view.classes}
        when = now()
        for claim in claims:
            image = finder.image(claim)
            if image is None:
                problems.append(f'{claim.where}: no image "{claim.path}" in this review')
            elif canonical(claim.label) not in ids:
                near = nearest(claim.label, ids)
                problems.append(f'{claim.where}: unknown class "{claim.label}".{near}')
            elif claimed.setdefault(image, klass := ids[canonical(claim.label)]) != klass:
                problems.append(f'{claim.where}: "{claim.path}" has two different labels')
        fresh = {i: k for i, k in claimed.items() if not _said(desk, i, person, k)}
        answers = [_answer(desk, image, klass, person, when) for image, klass in fresh.items()]
        kept = desk.answer(answers) if answers else 0
        if kept:
            desk.store.record(Change("import", person, when, {"form": form, "answers": kept}))
    return {"answers": kept, "problems": problems[:SHOWN], "more": max(0, len(problems) - SHOWN)}


def _said(desk: Desk, image: str, person: str, klass: int) -> bool:
    opinion = desk.opinion(image)
    return opinion is not None and (person, klass) in opinion.said


def _answer(desk: Desk, image: str, klass: int, person: str, when: str) -> Answer:
    row = desk.row(image)
    return Answer(
        token=uuid.uuid4().hex,
        image=image,
        verdict="class",
        klass=klass,
        purpose="import",
        person=person,
        at=when,
        seconds=None,
        round=desk.round.number,
        proposed=int(desk.view.label[row]),
        confidence=float(desk.view.confidence[row]),
    )


class _Finder:
    """Which image a file means: by its content hash, its path, its path without the ending, or its bare name."""

    def __init__(self, desk: Desk) -> None:
        self.hashes = desk.view.place
        self.found: dict[str, set[str]] = defaultdict(set)
        self.exact: dict[str, set[str]] = defaultdict(set)
        for row in desk.view.rows:
            for path in row.paths:
                pure = PurePosixPath(canonical(path))
                self.exact[str(pure)].add(row.sha256)
                for name in {str(pure.with_suffix("")), pure.name, pure.stem}:
                    self.found[name].add(row.sha256)

    def image(self, claim: Claimed) -> str | None:
        if claim.sha256 in self.hashes:
            return claim.sha256
        path = PurePosixPath(canonical(claim.path.replace("\\", "/")))
        for names, name in (
            (self.exact, str(path)),
            (self.found, str(path)),
            (self.found, path.name),
        ):
            images = names.get(name, set())
            if len(images) == 1:
                return next(iter(images))
        return None


def _csv(data: bytes) -> Iterator[Claimed]:
    table = parse_csv(decoded(data, "the file"), "the file")
    paths, labels = table.need(PATH_COLUMNS), table.need(LABEL_COLUMNS)
    hashes, deciders = table.find(("sha256",)), table.find(("decided_by",))
    for number, cells in enumerate(table.rows):
        by_model = deciders is not None and cells[deciders].strip() == "model"
        if canonical(cells[labels]) not in UNLABELED_MARKS and not by_model:
            sha256 = "" if hashes is None else cells[hashes]
            yield Claimed(cells[paths], cells[labels], table.where(number), sha256)


def _label_studio(data: bytes) -> Iterator[Claimed]:
    tasks = _json(data, list, "a list of tasks")
    for number, task in enumerate(tasks, 1):
        where = f"task {number}"
        given = _get(task, "data", dict, where)
        path = next(
            (v for k in ("image", "img", "path") if isinstance(v := given.get(k), str)), None
        )
        if path is None:
            raise DataError(f'{where}: no "image" in its data. Is this Label Studio JSON?')
        sha256 = str(given.get("sha256", ""))
        for annotation in _some(task, "annotations", where):
            for result in _some(annotation, "result", where):
                value = result.get("value") if isinstance(result, dict) else None
                for label in _some(value, "choices", where) if value else ():
                    yield Claimed(_bare(path), str(label), where, sha256)


def _bare(path: str) -> str:
    """Label Studio puts ``/data/upload/7/1a2b3c4d-`` before the name, or ``?d=`` of its local storage."""
    if "?d=" in path:
        return path.partition("?d=")[2]
    name = PurePosixPath(path).name
    return name.partition("-")[2] or name if path.startswith("/data/upload/") else path


def _coco(data: bytes) -> Iterator[Claimed]:
    found = _json(data, dict, "an object with images, annotations and categories")
    parts = [_get(found, key, list, "the file") for key in ("images", "annotations", "categories")]
    images, annotations, categories = parts
    try:
        paths = {image["id"]: image for image in images}
        names = {one["id"]: str(one["name"]) for one in categories}
        for number, one in enumerate(annotations, 1):
            image = paths[one["image_id"]]
            where, sha256 = f"annotation {number}", str(image.get("sha256", ""))
            yield Claimed(str(image["file_name"]), names[one["category_id"]], where, sha256)
    except (KeyError, TypeError) as missing:
        raise DataError(f"the file: {missing} is missing. Is this COCO JSON?") from None


def _fiftyone(data: bytes) -> Iterator[Claimed]:
    found = _json(data, dict, "an object with classes and labels")
    names, labels = found.get("classes"), _get(found, "labels", dict, "the file")
    for path, label in labels.items():
        where = f'label of "{path}"'
        if isinstance(label, int) and isinstance(names, list) and 0 <= label < len(names):
            yield Claimed(path, str(names[label]), where)
        elif isinstance(label, str):
            yield Claimed(path, label, where)
        elif label is not None:
            raise DataError(f"{where}: {label!r} is no class. Is this FiftyOne's labels.json?")


def _folders(data: bytes) -> Iterator[Claimed]:
    """Images in folders named by class, whatever stands above these; an image is known by its content."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            check_archive(archive, len(data))
            for entry in archive.infolist():
                path = PurePosixPath(entry.filename)
                if entry.is_dir() or len(path.parts) < 2 or path.name.startswith("."):
                    continue
                if entry.file_size > MAX_FILE:
                    raise DataError(
                        f"{path}: an image of more than {MAX_FILE >> 20} MB is not read."
                    )
                sha256 = hashlib.sha256(archive.read(entry)).hexdigest()
                yield Claimed(str(path), path.parent.name, str(path), sha256)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error) as error:
        raise DataError(
            f"the file is no ZIP that can be read ({error}). Give class folders in a ZIP."
        ) from None


def _json(data: bytes, kind: type, what: str) -> Any:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DataError(f"the file is not JSON ({error}). Give {what}.") from None
    if not isinstance(value, kind):
        raise DataError(f"the file holds no {kind.__name__} at its top. Give {what}.")
    return value


def _get(value: Any, key: str, kind: type, where: str) -> Any:
    found = value.get(key) if isinstance(value, dict) else None
    if not isinstance(found, kind):
        raise DataError(f'{where}: "{key}" is missing or of another kind.')
    return found


def _some(value: Any, key: str, where: str) -> list[Any]:
    """A list that may be missing."""
    if isinstance(value, dict) and value.get(key) is None:
        return []
    return _get(value, key, list, where)


_READERS: dict[str, Callable[[bytes], Iterator[Claimed]]] = {
    "csv": _csv,
    "folders": _folders,
    "label-studio": _label_studio,
    "coco": _coco,
    "fiftyone": _fiftyone,
}
IMPORTS = {
    "csv": mark("CSV with the columns path and label"),
    "folders": mark("Class folders in a ZIP"),
    "label-studio": mark("Label Studio JSON"),
    "coco": mark("COCO JSON"),
    "fiftyone": mark("FiftyOne labels.json"),
}
