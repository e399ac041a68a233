"""Label Studio's exports: JSON, JSON-MIN, CSV and TSV."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Any

from clipgrip.data.table import Table
from clipgrip.data.tables import parse_csv
from clipgrip.data.text import decoded
from clipgrip.errors import DataError
from clipgrip.review.exchange.claims import (
    THE_FILE,
    Claimed,
    Known,
    Left,
    Read,
    malformed,
    maybe,
    parsed,
    part,
)
from clipgrip.sentences import Sentence, mark
from clipgrip_line.pictures.formats import is_called_image

IMAGE_KEYS = ("image", "img", "path", "photo", "picture", "url", "image_url", "file", "filename")
"""Keys under which tasks keep their image; another key is taken where it is the only text that looks like one."""
_FACTS = frozenset(
    {
        "id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement", "inner_id",
        "project", "meta", "predictions", "drafts", "file_upload", "comments", "sha256",
    }
)  # fmt: skip
"""Keys of JSON-MIN and CSV that are no answers."""
_REGION = frozenset({"x", "y", "width", "height", "points", "start", "end", "rle"})
"""Keys of a value that is about a part of the image."""


@dataclass(frozen=True)
class _QuestionAnswer:
    """The answer of one annotation to one question."""

    task: str
    path: str
    sha256: str
    question: str
    labels: tuple[str, ...]


def read_label_studio(data: bytes, known: Known) -> Iterator[Read]:
    """Answers of people; what is no answer is said. DataError: neither JSON nor a table."""
    start = data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    first = data.partition(b"\n")[0]
    if start not in (b"[", b"{") and (b"," in first or b"\t" in first or b";" in first):
        yield from read_table(parse_csv(decoded(data, THE_FILE), THE_FILE), known)
        return
    value = parsed(data, object, Sentence("a list of tasks"))
    if isinstance(value, dict) and value:
        value = [value]
    if not isinstance(value, list):
        raise DataError(
            mark("the file holds no list of tasks at its top. Is this Label Studio JSON?")
        )
    columns = _data_columns(task for task in value if isinstance(task, dict) and "data" not in task)
    yield from _chosen(
        [one for n, task in enumerate(value, 1) for one in _task(task, n, columns)], known
    )


def is_label_studio(table: Table) -> bool:
    """Whether a table is Label Studio's CSV or TSV."""
    return table.find(("annotation_id",)) is not None and table.find(("annotator",)) is not None


def read_table(table: Table, known: Known) -> Iterator[Read]:
    """The lines of Label Studio's CSV or TSV, which are JSON-MIN in cells."""
    found: list[_QuestionAnswer | Left] = []
    rows = [dict(zip(table.columns, map(_cell, cells), strict=True)) for cells in table.rows]
    data = _data_columns(rows)
    for number, row in enumerate(rows):
        found += _line(row, table.where(number), data)
    yield from _chosen(found, known)


def _cell(text: str) -> Any:
    if text.lstrip()[:1] in ("[", "{"):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return text


def _data_columns(rows: Iterable[dict[str, Any]]) -> frozenset[str]:
    """What is no answer but the task's own data: what stands in lines without an annotation.

    In JSON-MIN the data stand first, then the task's id, the answers, and who gave them.
    """
    found: set[str] = set()
    for row in rows:
        keys = list(row)
        if _unanswered(row):
            found |= {key for key in keys if row[key]}
        elif "annotator" in keys and "id" in keys[: keys.index("annotator")]:
            found |= set(keys[: keys.index("id")])
    return frozenset(found)


def _unanswered(row: dict[str, Any]) -> bool:
    """Whether Label Studio says that nobody answered; older versions say nothing."""
    ids = [value for key, value in row.items() if key.strip().casefold() == "annotation_id"]
    return bool(ids) and ids[0] in (None, "")


def _task(task: Any, number: int, data: Set[str]) -> Iterator[_QuestionAnswer | Left]:
    where = Sentence("task {n}", n=number)
    try:
        if isinstance(task, dict) and "data" not in task:
            yield from _minimal(task, where, data)
        else:
            yield from _whole(task, where)
    except DataError as error:
        yield malformed(error, where, _name_of(task))


def _whole(task: Any, where: str) -> Iterator[_QuestionAnswer | Left]:
    path, sha256 = _image(part(task, "data", dict, where), where)
    annotations = maybe(task, "annotations", where)
    if "completions" in task and not annotations:
        yield Left("kind", where, path, Sentence("completions (Label Studio before 1.0)"), sha256)
    elif not annotations:
        reason = "draft" if task.get("drafts") else "no-label"
        yield Left(reason, where, path, sha256=sha256)
    for annotation in annotations:
        try:
            yield from _annotation(annotation, where, path, sha256)
        except DataError as error:
            yield malformed(error, where, path)


def _annotation(
    annotation: Any, where: str, path: str, sha256: str
) -> list[_QuestionAnswer | Left]:
    if not isinstance(annotation, dict):
        raise DataError(
            "{where}: an annotation is no object, but {annotation}.",
            where=where,
            annotation=f"{annotation!r:.40}",
        )
    results = maybe(annotation, "result", where)
    if annotation.get("was_cancelled") or annotation.get("skipped"):
        return [Left("skipped", where, path, sha256=sha256)]
    found: list[_QuestionAnswer | Left] = []
    ticked: dict[str, list[str]] = defaultdict(list)
    for result in results:
        question, labels, kind = _result(result, where)
        if kind:
            found.append(Left("kind", where, path, kind, sha256))
        else:
            ticked[question] += labels
    found += [
        _QuestionAnswer(where, path, sha256, q, tuple(dict.fromkeys(a)))
        for q, a in ticked.items()
        if a
    ]
    return found or [Left("no-label", where, path, sha256=sha256)]


def _result(result: Any, where: str) -> tuple[str, list[str], str]:
    """Question, labels, and the kind where it is not read."""
    if not isinstance(result, dict):
        raise DataError(
            "{where}: a result is no object, but {result}.", where=where, result=f"{result!r:.40}"
        )
    kind, value = str(result.get("type") or "choices"), result.get("value")
    if kind != "choices":
        return "", [], kind
    if value is None:
        return "", [], ""
    labels = maybe(value, "choices", where)
    if _REGION & value.keys():
        return "", [], Sentence("choices for a part of the image")
    return str(result.get("from_name", "")), [str(label) for label in labels], ""


def _line(row: dict[str, Any], where: str, data: Set[str]) -> list[_QuestionAnswer | Left]:
    try:
        return _minimal(row, where, data)
    except DataError as error:
        return [malformed(error, where)]


def _minimal(row: dict[str, Any], where: str, data: Set[str]) -> list[_QuestionAnswer | Left]:
    """A line of JSON-MIN: the values of the task beside the answers, by question."""
    path, sha256 = _image(row, where)
    if _unanswered(row):
        return [Left("no-label", where, path, sha256=sha256)]
    found: list[_QuestionAnswer | Left] = []
    for key, value in row.items():
        if key.strip().casefold() in _FACTS or value is None or value in ("", [], path):
            continue
        if isinstance(value, dict) and isinstance(value.get("choices"), list):
            if labels := tuple(dict.fromkeys(str(label) for label in value["choices"])):
                found.append(_QuestionAnswer(where, path, sha256, key, labels))
        elif isinstance(value, str) and key.strip().casefold() not in IMAGE_KEYS:
            asked = _QuestionAnswer(where, path, sha256, key, (value,))
            found.append(Left("other", where, path, key, sha256) if key in data else asked)
        elif isinstance(value, list | dict):
            found.append(Left("kind", where, path, _kind(value, key), sha256))
    return found or [Left("no-label", where, path, sha256=sha256)]


def _kind(value: Any, key: str) -> str:
    """The kind of a result that is not read, as Label Studio calls it: ``rectanglelabels``."""
    first = value[0] if isinstance(value, list) and value else value
    names = [name for name in first if name.endswith("labels")] if isinstance(first, dict) else []
    return names[0] if names else key


def _image(given: dict[str, Any], where: str) -> tuple[str, str]:
    """Path and content hash of a task's image."""
    folded = {key.strip().casefold(): value for key, value in given.items()}
    texts = [str(folded[key]) for key in IMAGE_KEYS if isinstance(folded.get(key), str)]
    alike = [v for v in given.values() if isinstance(v, str) and _looks_like_image(v)]
    found = texts or (alike if len(set(alike)) == 1 else [])
    if not found:
        raise DataError('{where}: no "image" in its data. Is this Label Studio JSON?', where=where)
    sha256 = folded.get("sha256")
    inside = found[0].startswith("data:")
    path = str(folded.get("path") or "") if inside else found[0]
    return path or "data:", sha256 if isinstance(sha256, str) else ""


def _looks_like_image(text: str) -> bool:
    return is_called_image(text.partition("?")[0]) or "local-files/?d=" in text


def _name_of(task: Any) -> str:
    given = task.get("data") if isinstance(task, dict) else None
    image = given.get("image") if isinstance(given, dict) else None
    return image if isinstance(image, str) else ""


def _chosen(found: Sequence[_QuestionAnswer | Left], known: Known) -> Iterator[Read]:
    """The answers to the one question that is about the class.

    It is the one whose answers are named like classes. Two such questions in one task are two things that were asked,
    and nobody here can know which one is meant.
    """
    naming: set[str] = set()
    by_task: dict[str, set[str]] = defaultdict(set)
    for one in found:
        if isinstance(one, _QuestionAnswer) and any(known(label) for label in one.labels):
            naming.add(one.question)
    for one in found:
        if isinstance(one, _QuestionAnswer) and one.question in naming:
            by_task[one.task].add(one.question)
    rivals = set().union(*(asked for asked in by_task.values() if len(asked) > 1))
    for one in found:
        yield _judged(one, naming, rivals) if isinstance(one, _QuestionAnswer) else one


def _judged(one: _QuestionAnswer, naming: set[str], rivals: set[str]) -> Read:
    if one.question in rivals:
        what = ", ".join(sorted(rivals))
        return Left("questions", one.task, one.path, what, one.sha256)
    if naming and one.question not in naming:
        return Left("other", one.task, one.path, one.question, one.sha256)
    if len(one.labels) > 1:
        return Left("ticks", one.task, one.path, ", ".join(one.labels), one.sha256)
    return Claimed(one.path, one.labels[0], one.task, one.sha256)
