"""What could not be used, and why: one line for each file, so that nothing is dropped silently."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from clipgrip.data.columns import Columns
from clipgrip.data.tables import csv_bytes
from clipgrip.data.texts import Texts
from clipgrip.sentences import Sentence
from clipgrip.words import ENGLISH, Words

REASONS: dict[str, str] = {
    "not-an-image": "not an image format that is read here",
    "corrupt": "the image is damaged or cut off",
    "too-large": "more pixels or bytes than are read",
    "empty-file": "the file has no content",
    "unreadable": "the file or folder may not be read, or a link leads nowhere",
    "changed": "the file changed after it was read first",
    "missing-file": "a listed file does not exist",
    "hidden": "a hidden file, or one that an operating system or editor made",
    "repeated-folder": "a link to a folder that is read already",
    "duplicate": "the same content as another image; used once",
    "duplicate-of-test": "the same content as a test image; left out of the pool",
    "test-without-label": "a test image without a label; left out altogether",
    "conflicting-labels": "labels contradict each other",
    "label-without-image": "a label that belongs to no image",
    "text-encoding": "a text file that is not UTF-8, and how it was read",
    "other-split": "a folder of a split that is not used",
    "class-list": "how a list of classes was read",
    "folder-disagrees": "the folder is named like another class than the labels say; the labels hold",
    "nested-class-folders": "in folders of several classes; the nearest is taken",
    "folder-like-class": "a folder named almost like a class; its images are not labeled by it",
    "folder-of-test": "below a folder named test or val; not labeled by the folder",
    "labels-not-read": "a column that may hold labels and is not called so, or one beside the labels",
    "labels-left-out": "labels that are not learned from: of another split, a model's answers, or of no class's folder",
    "labels-of-test": "a folder or table called test or val that is given to learn from",
    "labels-unseen": "labels that were a model's answers, left to a person; taken as people's",
    "labels-empty": "a table of labels that holds none, such as a sheet that nobody filled",
    "repeated-member": "a name that stands twice in a tar file; its last picture is used",
    "first-page-only": "a document with pages or an animation, of which the first is used",
    "no-picture": "an embedding whose picture cannot be shown; the embedding is used",
    "unsupported": "an image of a kind that is not read here",
    "matched-by-name": "the image was found by its file name alone, or by a name that is almost the same",
}
"""Every reason an issue can have, with its meaning."""

NOTES = frozenset(
    {"conflicting-labels", "label-without-image", "matched-by-name", "text-encoding", "class-list"}
    | {"first-page-only", "folder-disagrees", "nested-class-folders", "folder-like-class"}
    | {"folder-of-test", "no-picture", "repeated-member", "labels-not-read", "labels-left-out"}
    | {"labels-unseen", "labels-empty", "labels-of-test"}
)
"""Reasons that are remarks: the image they name, if any, may still be used."""
UNUSED = frozenset(REASONS) - NOTES
"""The others: a file was not used, or a row was left out."""


@dataclass(frozen=True, order=True, slots=True)
class Issue:
    """One file or label row that was not used as it stands."""

    path: str
    reason: str
    detail: str


class Issues(Columns[Issue]):
    """Issues in columns: each is made when it is asked for. Only `append` and `extend` change them."""

    def __init__(self, *groups: Iterable[Issue]) -> None:
        self._reasons = array("B")
        self._paths, self._details = Texts(), Texts()
        for group in groups:
            self.extend(group)

    def append(self, issue: Issue) -> None:
        """One more at the end."""
        self._reasons.append(_NUMBERS[issue.reason])
        self._paths.append(issue.path)
        self._details.append(_JSON.encode(detail_parts(issue.detail)))

    def extend(self, issues: Iterable[Issue]) -> None:
        """Several more at the end."""
        if isinstance(issues, Issues):
            self._reasons.extend(issues._reasons)
            self._paths.extend(issues._paths)
            self._details.extend(issues._details)
            return
        for issue in issues:
            self.append(issue)

    def __len__(self) -> int:
        return len(self._reasons)

    def _one(self, place: int) -> Issue:
        detail = detail_whole(json.loads(self._details[place]))
        return Issue(self._paths[place], _SLUGS[self._reasons[place]], detail)

    def __repr__(self) -> str:
        return f"<{len(self)} issues: {self.tally()}>"

    def among(self, reasons: Collection[str]) -> Issues:
        """Those for one of these reasons."""
        wanted = {_NUMBERS[reason] for reason in reasons}
        places = (n for n, reason in enumerate(self._reasons) if reason in wanted)
        return self._some(array("q", places))

    def in_order(self) -> Issues:
        """Sorted by path, reason and detail, equal ones once."""
        ordered = array("q")
        for _, alike in groupby(self._paths.order().tolist(), self._paths.__getitem__):
            places = list(alike)
            if len(places) > 1:
                known = {self[place]: place for place in places}
                places = [known[issue] for issue in sorted(known)]
            ordered.extend(places)
        return self._some(ordered)

    def tally(self) -> str:
        """``4 corrupt, 2 empty-file``: how many of each reason, most frequent first."""
        counts = Counter(self._reasons).most_common()
        return ", ".join(f"{number} {_SLUGS[reason]}" for reason, number in counts)

    def _some(self, places: Sequence[int]) -> Issues:
        made = Issues()
        made._reasons.extend(self._reasons[place] for place in places)
        made._paths, made._details = self._paths.take(places), self._details.take(places)
        return made


_JSON = json.JSONEncoder(ensure_ascii=False)
_SLUGS = tuple(REASONS)
_NUMBERS = {reason: number for number, reason in enumerate(_SLUGS)}


def detail_parts(value: object) -> object:
    """What JSON keeps of a detail: a sentence as its template and its values."""
    value = getattr(value, "sentence", value)  # an error that has one
    if isinstance(value, Sentence):
        return [value.template, {name: detail_parts(one) for name, one in value.values.items()}]
    return value if value is None or isinstance(value, str | int | float) else str(value)


def detail_whole(value: Any) -> Any:
    """What `detail_parts` was given."""
    if not isinstance(value, list):
        return value
    template, values = value
    return Sentence(template, **{name: detail_whole(one) for name, one in values.items()})


def issues_bytes(issues: Iterable[Issue], say: Words = ENGLISH) -> bytes:
    """``issues.csv`` with the columns path, reason, detail; the details in the reader's language."""
    rows = ((issue.path, issue.reason, say.translated(issue.detail)) for issue in issues)
    return csv_bytes(("path", "reason", "detail"), rows)
