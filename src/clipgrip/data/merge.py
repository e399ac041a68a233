"""Merges all files of one content into one row: which path is shown, which label counts, what is an issue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from clipgrip.data.classes import ClassNames
from clipgrip.data.entries import Entry
from clipgrip.data.issues import Issue
from clipgrip.data.match import ResolvedLabel, ResolvedLabels
from clipgrip.data.rows import Row, Split
from clipgrip.sentences import Sentence, mark

UNLABELED = mark("{quarrel}; the image counts as unlabeled")
LABELS_HOLD = mark("{quarrel}; the labels hold")
TEST_LEFT_OUT = mark("{quarrel}; the test image is left out")
TEST_HOLDS = mark("{quarrel}; the test label holds")


@dataclass(frozen=True)
class Merger:
    """Merges one content at a time. The result does not depend on the order of the files."""

    classes: ClassNames
    labels: ResolvedLabels
    test: ResolvedLabels
    folders: ResolvedLabels = field(default_factory=ResolvedLabels)
    """Labels from folder names; they count only for images without any other label."""

    def merge(self, sha256: str, entries: Sequence[Entry]) -> tuple[Row | None, list[Issue]]:
        """The row for a content, None if it is left out, and the issues about its files."""
        ordered = sorted(entries, key=lambda entry: (entry.path, entry.key))
        inside = [entry for entry in ordered if entry.key in self.test]
        if inside:
            return self._test(sha256, inside, [e for e in ordered if e.key not in self.test])
        given, by_folder = _labels_of(ordered, self.labels), _labels_of(ordered, self.folders)
        labels = given or by_folder
        if len({one.label for one in labels}) > 1:
            detail = Sentence(UNLABELED, quarrel=self._contradiction(labels))
            row = _row(sha256, ordered, -1, "pool")
            return row, [Issue(entry.path, "conflicting-labels", detail) for entry in ordered]
        label = labels[0].label if labels else -1
        others = [one for one in by_folder if one.label != label]
        issues = _copies(ordered[0], ordered[1:])
        if others:
            quarrel = self._contradiction([labels[0], others[0]])
            detail = Sentence(LABELS_HOLD, quarrel=quarrel)
            issues.append(Issue(ordered[0].path, "folder-disagrees", detail))
        return _row(sha256, ordered, label, "pool"), issues

    def labeled_by_folder(self, row: Row, entries: Sequence[Entry]) -> bool:
        """Whether a row of the pool has its label only from the name of a folder."""
        return row.split == "pool" and row.label >= 0 and not _labels_of(entries, self.labels)

    def _test(
        self, sha256: str, inside: list[Entry], outside: list[Entry]
    ) -> tuple[Row | None, list[Issue]]:
        copy_of = Sentence("the same content as the test image {path}", path=inside[0].path)
        left_out = [Issue(entry.path, "duplicate-of-test", copy_of) for entry in outside]
        labels = _labels_of(inside, self.test)
        if not labels:
            detail = Sentence("listed as a test image, but without a label")
            return None, left_out + [Issue(e.path, "test-without-label", detail) for e in inside]
        if len({one.label for one in labels}) > 1:
            detail = Sentence(TEST_LEFT_OUT, quarrel=self._contradiction(labels))
            return None, left_out + [Issue(e.path, "conflicting-labels", detail) for e in inside]
        row = _row(sha256, inside + outside, labels[0].label, "test")
        return row, left_out + _copies(inside[0], inside[1:]) + self._contradicted_test(
            labels, inside + outside
        )

    def _contradicted_test(self, labels: list[ResolvedLabel], entries: list[Entry]) -> list[Issue]:
        """A remark where the labels file or the folder contradicts the test label, which counts."""
        for reason, elsewhere in (
            ("conflicting-labels", self.labels),
            ("folder-disagrees", self.folders),
        ):
            others = [one for one in _labels_of(entries, elsewhere) if one.label != labels[0].label]
            if others:
                detail = Sentence(TEST_HOLDS, quarrel=self._contradiction([labels[0], *others]))
                return [Issue(entries[0].path, reason, detail)]
        return []

    def _contradiction(self, labels: list[ResolvedLabel]) -> Sentence:
        one = labels[0]
        other = next(later for later in labels if later.label != one.label)
        names = self.classes.display
        return Sentence(
            '"{one}" by {where}, "{other}" by {other_where}',
            one=names[one.label],
            where=one.where,
            other=names[other.label],
            other_where=other.where,
        )


def _labels_of(entries: Sequence[Entry], labels: ResolvedLabels) -> list[ResolvedLabel]:
    """The labels of these images in a fixed order, without those that say "unlabeled"."""
    found = (one for entry in entries for one in labels.about(entry.key))
    return sorted((one for one in found if one.label >= 0), key=lambda one: (one.where, one.label))


def _row(sha256: str, entries: Sequence[Entry], label: int, split: Split) -> Row:
    paths = tuple(entry.path for entry in entries)
    return Row(sha256, paths, label, split, entries[0].source)


def _copies(shown: Entry, others: Sequence[Entry]) -> list[Issue]:
    detail = Sentence("the same content as {path}; used once", path=shown.path)
    return [Issue(entry.path, "duplicate", detail) for entry in others]
