"""Tables, COCO and FiftyOne: what people and the model decided, from the content of an export."""

from __future__ import annotations

import mimetypes
from collections import Counter, defaultdict
from datetime import UTC, datetime
from posixpath import basename, splitext
from typing import IO, Any

from clipgrip.data.images import UndecodableImage, upright_size
from clipgrip.data.rows import Row
from clipgrip.data.sources import is_member
from clipgrip.data.tables import csv_bytes
from clipgrip.review.exchange.content import ExportContent, ExportLine
from clipgrip.review.exchange.written import (
    HIDDEN,
    ODD,
    PACKED,
    TWINS,
    UNREADABLE,
    UNTYPED,
    Options,
    Written,
    as_json,
    bytes_of,
    left_out,
    not_there,
)


def write_csv(content: ExportContent, file: IO[bytes], _: Options) -> Written:
    """Every image with its label, who decided, and the model's answer."""
    header = (
        "path", "label", "decided_by", "state", "people", "model_label", "model_confidence", "file", "sha256",
    )  # fmt: skip
    rows = (
        (
            path, line.label, line.by, line.state.word,
            "; ".join(line.opinion.people) if line.opinion else "",
            line.model, "" if line.confidence is None else f"{line.confidence:.6f}",
            "missing" if line.gone else "", line.row.sha256,
        )
        for line in content.lines
        for path in line.row.paths
    )  # fmt: skip
    file.write(csv_bytes(header, rows))
    return Written(len(content.lines), sum(bool(line.label) for line in content.lines))


def write_labels(content: ExportContent, file: IO[bytes], _: Options) -> Written:
    """People's answers only."""
    lines = [line for line in content.lines if line.by_people]
    rows = ((path, line.label) for line in lines for path in line.row.paths)
    file.write(csv_bytes(("path", "label"), rows))
    return Written(len(content.lines), len(lines))


def write_history(content: ExportContent, file: IO[bytes], _: Options) -> Written:
    """Every key press."""
    header = (
        "number", "at", "person", "path", "verdict", "class", "purpose", "seconds", "round", "model_answered",
        "model_confidence", "taken_back_by", "taken_back_at", "sha256",
    )  # fmt: skip
    file.write(csv_bytes(header, content.history))
    return Written(len(content.lines), len(content.history))


def write_coco(content: ExportContent, file: IO[bytes], _: Options) -> Written:
    """People's answers as annotations of whole images."""
    written, place = (
        Written(len(content.lines)),
        {name: n for n, name in enumerate(content.classes, 1)},
    )
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for line in content.lines:
        size, why = _size_of(line)
        if why:
            written.left.append((line.row.path, why))
            continue
        written.labels += line.by_people
        for path in line.row.paths:
            if is_member(line.row.source):
                written.packed.append(path)
            elif not is_typed(path):
                written.untyped.append(path)
            images.append(_image(len(images) + 1, path, size, line.row))
            if line.by_people:
                number, image = len(annotations) + 1, len(images)
                annotations.append(_whole(number, image, place[line.label], size))
    file.write(
        as_json(
            {
                "info": _info(written),
                "licenses": [],
                "images": images,
                "annotations": annotations,
                "categories": [
                    {"id": n, "name": name, "supercategory": ""} for name, n in place.items()
                ],
            }
        )
    )
    return written


def _image(number: int, path: str, size: tuple[int, int], row: Row) -> dict[str, Any]:
    width, height = size
    return {"id": number, "file_name": path, "width": width, "height": height, "sha256": row.sha256}


def _whole(number: int, image: int, category: int, size: tuple[int, int]) -> dict[str, Any]:
    """An annotation of a whole image. The outline is a rectangle: pycocotools cannot make a mask from none."""
    width, height = size
    return {
        "id": number,
        "image_id": image,
        "category_id": category,
        "bbox": [0, 0, width, height],
        "area": width * height,
        "iscrowd": 0,
        "segmentation": [[0, 0, width, 0, width, height, 0, height]],
    }


def _info(written: Written) -> dict[str, Any]:
    made = datetime.now(UTC)
    return {
        "description": "clipgrip review: people's answers as annotations of whole images",
        "version": "1.0",
        "year": made.year,
        "contributor": "clipgrip",
        "date_created": made.isoformat(timespec="seconds"),
        "url": "",
        "images_under_review": written.images,
        "left_out": left_out(written),
    }


def _size_of(line: ExportLine) -> tuple[tuple[int, int], str]:
    """Width and height as people see the image, or why they are not known."""
    data, why = bytes_of(line)
    try:
        return ((0, 0), why) if why else (upright_size(data), "")
    except UndecodableImage:
        return (0, 0), UNREADABLE


def write_fiftyone(content: ExportContent, file: IO[bytes], _: Options) -> Written:
    """FiftyOne's keys are paths without their ending; a key without a file makes it read nothing at all."""
    written, place = (
        Written(len(content.lines)),
        {name: n for n, name in enumerate(content.classes)},
    )
    paths = [path for line in content.lines if not not_there(line) for path in line.row.paths]
    stems = Counter(splitext(path)[0] for path in (*paths, *content.others))
    labels: dict[str, int] = {}
    for line in content.lines:
        if not line.by_people:
            continue
        found = defaultdict(list)
        for path in line.row.paths:
            found[_no_key(path, line, stems)].append(path)
        labels |= {splitext(path)[0]: place[line.label] for path in found.pop("", [])}
        written.left += [(path, why) for why, some in found.items() for path in some]
    written.labels = len(labels)
    file.write(
        as_json({"classes": list(content.classes), "labels": labels, "left_out": left_out(written)})
    )
    return written


def is_typed(path: str) -> bool:
    """Whether FiftyOne takes a file for an image: by the ending of its name alone, and else it refuses all of them.

    Not strictly: where the system has no table of its own, Python before 3.13 leaves WebP out.
    """
    kind, _ = mimetypes.guess_type(f"/{basename(path)}", strict=False)
    return (kind or "").startswith("image/")


def _no_key(path: str, line: ExportLine, stems: Counter[str]) -> str:
    """Why FiftyOne has no key for an image; empty where it has."""
    if why := not_there(line):
        return why
    if is_member(line.row.source):
        return PACKED
    if basename(path).startswith("."):
        return HIDDEN
    if not is_typed(path):
        return UNTYPED
    if path.encode("utf-8", "replace").decode() != path:
        return ODD
    return TWINS if stems[splitext(path)[0]] > 1 else bytes_of(line)[1]
