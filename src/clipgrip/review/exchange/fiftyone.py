"""FiftyOne's image classification: labels.json beside a folder of images, and samples.json with every field."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from clipgrip.review.exchange.claims import THE_FILE, Claimed, Known, Left, Read, parsed, part
from clipgrip.sentences import Sentence

TRUTH, GUESS = "ground_truth", "predict"
"""The field of a sample that holds what people say; how the name of one begins that holds what a model says."""
_KINDS = ("Classification", "Classifications")


def read_fiftyone(data: bytes, known: Known) -> Iterator[Read]:
    """A label for each key, plain or with confidence and attributes, or the only one of a list.

    DataError: neither labels.json nor samples.json.
    """
    found = parsed(data, dict, Sentence("an object with classes and labels"))
    if isinstance(found.get("samples"), list):
        yield from _samples(found["samples"], known)
        return
    names = found.get("classes")
    classes = names if isinstance(names, list) else []
    for path, value in part(found, "labels", dict, THE_FILE).items():
        yield _read(path, value, classes)


def _read(path: str, value: Any, names: list[Any]) -> Read:
    where = Sentence('label of "{path}"', path=path)
    if isinstance(value, dict) and isinstance(value.get("classifications"), list):
        value = value["classifications"]
    several = value if isinstance(value, list) else [value]
    found = [_label(one, names) for one in several if one is not None]
    labels = list(dict.fromkeys(label for label, _ in found if label is not None))
    given = [one for one in several if one is not None]
    pairs = zip(given, found, strict=True)
    wrong = [one for one, (label, _) in pairs if label is None and not _is_unlabeled(one)]
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


def _is_unlabeled(value: Any) -> bool:
    """A label of which FiftyOne knows no name: an object whose label is null, as of an image that was not answered."""
    return isinstance(value, dict) and value.get("label", "") is None


def _samples(samples: Sequence[Any], known: Known) -> Iterator[Read]:
    """The labels of one field: `TRUTH`, or the only one that is named like classes and is no model's."""
    naming: set[str] = set()
    others: set[str] = set()
    for sample in samples:
        for field, value in _fields(sample):
            if value["_cls"] in _KINDS and not field.startswith(GUESS):
                labels = [label for label, _ in _labels(value)]
                fits = any(label is not None and known(label) for label in labels)
                (naming if fits else others).add(field)
    fields = naming or others
    meant = {TRUTH} if TRUTH in fields else fields
    for number, sample in enumerate(samples, 1):
        yield from _sample(sample, Sentence("sample {n}", n=number), meant)


def _sample(sample: Any, where: str, meant: set[str]) -> Iterator[Read]:
    path = sample.get("filepath") if isinstance(sample, dict) else None
    if not isinstance(path, str):
        yield Left("malformed", where, "", Sentence("{where}: it has no filepath.", where=where))
        return
    here = dict(_fields(sample))
    for field, value in here.items():
        if value["_cls"] not in _KINDS:
            yield Left("kind", where, path, str(value["_cls"]))
        elif field.startswith(GUESS):
            yield Left("model", where, path)
        elif field not in meant:
            yield Left("other", where, path, field)
    asked = sorted(meant & here.keys())
    if len(meant) > 1 and asked:
        yield Left("questions", where, path, ", ".join(sorted(meant)))
    elif asked:
        yield _read(path, here[asked[0]], [])
    elif not here:
        yield Left("no-label", where, path)


def _fields(sample: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """The fields of a sample that hold labels."""
    for field, value in sample.items() if isinstance(sample, dict) else ():
        if isinstance(value, dict) and isinstance(value.get("_cls"), str) and _is_label(value):
            yield field, value


def _is_label(value: dict[str, Any]) -> bool:
    """Whether it is a label, and not what FiftyOne keeps of the file (``ImageMetadata``)."""
    return "label" in value or any(isinstance(one, list) for one in value.values())


def _labels(value: dict[str, Any]) -> list[tuple[str | None, bool]]:
    several = value.get("classifications", [value])
    return [_label(one, []) for one in several] if isinstance(several, list) else []
