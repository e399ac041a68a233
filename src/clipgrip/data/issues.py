"""Files and labels that could not be used as they are, and why: no file is dropped silently."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from clipgrip.data.lazy import LazySequence
from clipgrip.data.tables import csv_bytes
from clipgrip.data.texts import Texts
from clipgrip.sentences import Sentence, combined, mark
from clipgrip.words import ENGLISH, Words
from clipgrip_line.causes import cause

REASONS: dict[str, str] = {
    mark("not-an-image"): "not an image format that is read here",
    mark("corrupt"): "the image is damaged or cut off",
    mark("too-large"): "more pixels or bytes than are read",
    mark("empty-file"): "the file has no content",
    mark("unreadable"): "the file or folder may not be read, or a link leads nowhere",
    mark("changed"): "the file changed after it was read first",
    mark("missing-file"): "a listed file does not exist",
    mark("hidden"): "a hidden file, or one that an operating system or editor made",
    mark("repeated-folder"): "a link to a folder that is read already",
    mark("duplicate"): "the same content as another image; used once",
    mark("duplicate-of-test"): "the same content as a test image; left out of the pool",
    mark("test-without-label"): "a test image without a label; left out altogether",
    mark("conflicting-labels"): "labels contradict each other",
    mark("label-without-image"): "a label that belongs to no image",
    mark("text-encoding"): "a text file that is not UTF-8, and how it was read",
    mark("other-split"): "a folder of a split that is not used",
    mark("class-list"): "how a list of classes was read",
    mark(
        "folder-disagrees"
    ): "the folder is named like another class than the labels say; the labels hold",
    mark("nested-class-folders"): "in folders of several classes; the nearest is taken",
    mark(
        "folder-like-class"
    ): "a folder named almost like a class; its images are not labeled by it",
    mark("folder-of-test"): "below a folder named test or val; not labeled by the folder",
    mark(
        "labels-not-read"
    ): "a column that may hold labels and is not called so, or one beside the labels",
    mark(
        "labels-left-out"
    ): "labels that are not learned from: of another split, a model's answers, or of no class's folder",
    mark("labels-of-test"): "a folder or table called test or val that is given to learn from",
    mark(
        "labels-unseen"
    ): "labels that were a model's answers, left to a person; taken as people's",
    mark("labels-empty"): "a table of labels that holds none, such as a sheet that nobody filled",
    mark("repeated-member"): "a name that stands twice in a tar file; its last picture is used",
    mark("first-page-only"): "a document with pages or an animation, of which the first is used",
    mark("no-picture"): "an embedding whose picture cannot be shown; the embedding is used",
    mark("unsupported"): "an image of a kind that is not read here",
    mark(
        "matched-by-name"
    ): "the image was found by its file name alone, or by a name that is almost the same",
}
"""Every reason an issue can have, with its meaning."""

NOTES = frozenset(
    {"conflicting-labels", "label-without-image", "matched-by-name", "text-encoding", "class-list"}
    | {"first-page-only", "folder-disagrees", "nested-class-folders", "folder-like-class"}
    | {"folder-of-test", "no-picture", "repeated-member", "labels-not-read", "labels-left-out"}
    | {"labels-unseen", "labels-empty", "labels-of-test"}
)
"""Reasons that are only remarks: the image they name, if any, may still be used."""
UNUSED = frozenset(REASONS) - NOTES
"""All other reasons: the file was not used, or the row was left out."""
LOST = frozenset(
    {"corrupt", "too-large", "empty-file", "unreadable", "changed", "missing-file", "unsupported"}
)
"""Reasons for which an image was lost that somebody meant to be used."""


@dataclass(frozen=True, order=True, slots=True)
class Issue:
    """One file or label row that was not used as it stands."""

    path: str
    reason: str
    detail: str


class Issues(LazySequence[Issue]):
    """A list of issues, stored as columns. Only `append` and `extend` change it."""

    def __init__(self, *groups: Iterable[Issue]) -> None:
        self._reasons = array("B")
        self._paths, self._details = Texts(), Texts()
        for group in groups:
            self.extend(group)

    def append(self, issue: Issue) -> None:
        self._reasons.append(_NUMBERS[issue.reason])
        self._paths.append(issue.path)
        self._details.append(_JSON.encode(detail_to_json(issue.detail)))

    def extend(self, issues: Iterable[Issue]) -> None:
        if isinstance(issues, Issues):
            self._reasons.extend(issues._reasons)
            self._paths.extend(issues._paths)
            self._details.extend(issues._details)
            return
        for issue in issues:
            self.append(issue)

    def __len__(self) -> int:
        return len(self._reasons)

    def _item_at(self, position: int) -> Issue:
        detail = detail_from_json(json.loads(self._details[position]))
        return Issue(self._paths[position], _SLUGS[self._reasons[position]], detail)

    def __repr__(self) -> str:
        return f"<{len(self)} issues: {self.tally()}>"

    def among(self, reasons: Collection[str]) -> Issues:
        """The issues whose reason is one of these."""
        wanted = {_NUMBERS[reason] for reason in reasons}
        positions = (n for n, reason in enumerate(self._reasons) if reason in wanted)
        return self._items_at(array("q", positions))

    def in_order(self) -> Issues:
        """The issues sorted by path, reason and detail, without repetitions."""
        ordered = array("q")
        for _, alike in groupby(self._paths.order().tolist(), self._paths.__getitem__):
            positions = list(alike)
            if len(positions) > 1:
                known = {self[position]: position for position in positions}
                positions = [known[issue] for issue in sorted(known)]
            ordered.extend(positions)
        return self._items_at(ordered)

    def tally(self) -> Sentence:
        """``4 corrupt, 2 empty-file``: how many of each reason, most frequent first."""
        counts = Counter(self._reasons).most_common()
        parts = [Sentence("{n} {reason}", n=n, reason=Sentence(_SLUGS[one])) for one, n in counts]
        return combined(parts, ", ")

    def _items_at(self, positions: Sequence[int]) -> Issues:
        result = Issues()
        result._reasons.extend(self._reasons[position] for position in positions)
        result._paths, result._details = self._paths.take(positions), self._details.take(positions)
        return result


_JSON = json.JSONEncoder(ensure_ascii=False)
_SLUGS = tuple(REASONS)
_NUMBERS = {reason: number for number, reason in enumerate(_SLUGS)}


def detail_to_json(value: object) -> object:
    """A detail as a value for JSON; a sentence becomes its template and values, so that it can still be translated."""
    value = cause(value) if isinstance(value, BaseException) else value
    if isinstance(value, Sentence):
        return [value.template, {name: detail_to_json(one) for name, one in value.values.items()}]
    return value if value is None or isinstance(value, str | int | float) else str(value)


def detail_from_json(value: Any) -> Any:
    """The inverse of `detail_to_json`."""
    if not isinstance(value, list):
        return value
    template, values = value
    return Sentence(template, **{name: detail_from_json(one) for name, one in values.items()})


def issues_bytes(issues: Iterable[Issue], say: Words = ENGLISH) -> bytes:
    """``issues.csv`` with the columns path, reason, detail; the details in the reader's language."""
    rows = ((issue.path, issue.reason, say.translated(issue.detail)) for issue in issues)
    return csv_bytes(("path", "reason", "detail"), rows)
