"""FiftyOne's image classification: labels.json beside a folder of images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from clipgrip.review.exchange.claims import THE_FILE, Claimed, Known, Left, Read, parsed, part
from clipgrip.sentences import Sentence


def read_fiftyone(data: bytes, _known: Known) -> Iterator[Read]:
    """A label for each key, plain or with confidence and attributes, or the only one of a list.

    DataError: no labels.json.
    """
    found = parsed(data, dict, Sentence("an object with classes and labels"))
    names = found.get("classes")
    known = names if isinstance(names, list) else []
    for path, value in part(found, "labels", dict, THE_FILE).items():
        yield _read(path, value, known)


def _read(path: str, value: Any, names: list[Any]) -> Read:
    where = Sentence('label of "{path}"', path=path)
    if isinstance(value, dict) and isinstance(value.get("classifications"), list):
        value = value["classifications"]
    several = value if isinstance(value, list) else [value]
    found = [_label(one, names) for one in several if one is not None]
    labels = list(dict.fromkeys(label for label, _ in found if label is not None))
    wrong = [one for one, (label, _) in zip(several, found, strict=False) if label is None]
    if any(box for _, box in found):
        return Left("kind", where, path, Sentence("detections (boxes)"))
    if wrong:
        what = Sentence(
            "{what} is no class. Is this FiftyOne's labels.json?", what=f"{wrong[0]!r:.60}"
        )
        return Left("malformed", where, path, what)
    if not labels:
        return Left("no-label", where, path)
    if len(labels) > 1:
        return Left("ticks", where, path, ", ".join(labels))
    return Claimed(path, labels[0], where)


def _label(value: Any, names: list[Any]) -> tuple[str | None, bool]:
    """The label, None where it is none; and whether it is that of a box."""
    if isinstance(value, dict):
        box = "bounding_box" in value or "points" in value
        inner = value.get("label")
        return None if isinstance(inner, dict) else _label(inner, names)[0], box
    if isinstance(value, str):
        return value, False
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(names):
        return str(names[value]), False
    return None, False
