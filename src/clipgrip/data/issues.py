"""What could not be used, and why: one line for each file, so that nothing is dropped silently."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from clipgrip.data.tables import csv_bytes
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
    | {"folder-of-test", "no-picture", "repeated-member"}
)
"""Reasons that are remarks: the image they name, if any, may still be used."""


@dataclass(frozen=True, order=True, slots=True)
class Issue:
    """One file or label row that was not used as it stands."""

    path: str
    reason: str
    detail: str


def issues_bytes(issues: Iterable[Issue], say: Words = ENGLISH) -> bytes:
    """``issues.csv`` with the columns path, reason, detail; the details in the reader's language."""
    rows = ((issue.path, issue.reason, say.translated(issue.detail)) for issue in issues)
    return csv_bytes(("path", "reason", "detail"), rows)


def tally(issues: Iterable[Issue]) -> str:
    """``4 corrupt, 2 empty-file``: how many of each reason, most frequent first."""
    counts = Counter(issue.reason for issue in issues)
    return ", ".join(f"{number} {reason}" for reason, number in counts.most_common())
