"""COCO JSON: the category of an annotation is the label of its image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from clipgrip.errors import DataError
from clipgrip.review.exchange.claims import (
    THE_FILE,
    Claimed,
    Known,
    Left,
    Read,
    malformed,
    parsed,
    part,
)
from clipgrip.sentences import Sentence


def read_coco(data: bytes, _known: Known) -> Iterator[Read]:
    """One claim for each annotation; a row that cannot be used is left out, the others count.

    DataError: no COCO JSON.
    """
    found = parsed(data, dict, Sentence("an object with images, annotations and categories"))
    images = _by_id(part(found, "images", list, THE_FILE), "image", "file_name")
    names = _by_id(part(found, "categories", list, THE_FILE), "category", "name")
    yield from (left for left in (*images.values(), *names.values()) if isinstance(left, Left))
    used: set[str] = set()
    for number, one in enumerate(part(found, "annotations", list, THE_FILE), 1):
        where = Sentence("annotation {n}", n=number)
        try:
            image = _of(images, one, "image_id", where)
            used.add(_id(one["image_id"], where))
            category = _of(names, one, "category_id", where)
        except DataError as error:
            yield malformed(error, where)
            continue
        part_only = _is_part(one.get("bbox"), image)
        yield Claimed(_file_name(image), str(category["name"]), where, _sha256(image), part_only)
    for id_, row in images.items():
        if isinstance(row, dict) and id_ not in used:
            yield Left(
                "no-label", Sentence("image {n}", n=id_), _file_name(row), sha256=_sha256(row)
            )


def _by_id(rows: list[Any], kind: str, key: str) -> dict[str, dict[str, Any] | Left]:
    """Rows by their id; an id that stands twice for different things means nothing."""
    found: dict[str, dict[str, Any] | Left] = {}
    for number, row in enumerate(rows, 1):
        where = Sentence("{kind} {n}", kind=kind, n=number)
        try:
            if not isinstance(row, dict) or key not in row:
                raise DataError("{where}: no {key}. Is this COCO JSON?", where=where, key=key)
            id_ = _id(row.get("id"), where)
        except DataError as error:
            found[f"\0{number}"] = malformed(error, where)
            continue
        other: dict[str, Any] | Left | None = found.get(id_)
        if other is None:
            found[id_] = row
        elif isinstance(other, Left) or other[key] != row[key]:
            what = Sentence("its id {id} stands for several of them. Is this COCO JSON?", id=id_)
            found[id_] = Left("malformed", where, "", what)
    return found


def _of(rows: dict[str, dict[str, Any] | Left], one: Any, key: str, where: str) -> dict[str, Any]:
    row = rows.get(_id(one.get(key) if isinstance(one, dict) else None, where))
    if not isinstance(row, dict):
        raise DataError(
            "{where}: its {key} is missing, or no row has it. Is this COCO JSON?",
            where=where,
            key=key,
        )
    return row


def _id(value: Any, where: str) -> str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise DataError("{where}: no id. Is this COCO JSON?", where=where)
    return str(value)


def _is_part(box: Any, image: dict[str, Any]) -> bool:
    """Whether a box (x, y, width, height) leaves more than a tenth of the image out."""
    if not isinstance(box, list) or len(box) != 4:
        return False
    try:
        given = (*box[2:], image["width"], image["height"])
        width, height, whole_width, whole_height = (float(one) for one in given)
    except (KeyError, TypeError, ValueError, OverflowError):
        return True
    return width * height < 0.9 * whole_width * whole_height


def _file_name(image: dict[str, Any]) -> str:
    """The name, or the one that Roboflow keeps from before it renamed the file."""
    name, extra = str(image["file_name"]), image.get("extra")
    before = extra.get("name") if isinstance(extra, dict) else None
    return before if isinstance(before, str) and ".rf." in name else name


def _sha256(image: dict[str, Any]) -> str:
    return str(image.get("sha256", ""))
