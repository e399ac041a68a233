"""Images of one content become one row: who is shown, which label holds, what is an issue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from clipgrip.data.classes import ClassNames
from clipgrip.data.entries import Entry
from clipgrip.data.issues import Issue
from clipgrip.data.match import Statement, Statements
from clipgrip.data.rows import Row, Split
from clipgrip.sentences import Sentence, mark

UNLABELED = mark("{quarrel}; the image counts as unlabeled")
LABELS_HOLD = mark("{quarrel}; the labels hold")
TEST_LEFT_OUT = mark("{quarrel}; the test image is left out")
TEST_HOLDS = mark("{quarrel}; the test label holds")


@dataclass(frozen=True)
class Merger:
    """Decides about one content at a time; the order of the files plays no part."""

    classes: ClassNames
    labels: Statements
    test: Statements
    folders: Statements = field(default_factory=Statements)
    """What folders named like classes say; only where nobody else says anything."""

    def merge(self, sha256: str, entries: Sequence[Entry]) -> tuple[Row | None, list[Issue]]:
        """The row for a content, if it can be used, and an issue for each file not shown."""
        ordered = sorted(entries, key=lambda entry: (entry.path, entry.key))
        inside = [entry for entry in ordered if entry.key in self.test]
        if inside:
            return self._test(sha256, inside, [e for e in ordered if e.key not in self.test])
        given, by_folder = _about(ordered, self.labels), _about(ordered, self.folders)
        statements = given or by_folder
        if len({one.label for one in statements}) > 1:
            detail = Sentence(UNLABELED, quarrel=self._quarrel(statements))
            row = _row(sha256, ordered, -1, "pool")
            return row, [Issue(entry.path, "conflicting-labels", detail) for entry in ordered]
        label = statements[0].label if statements else -1
        others = [one for one in by_folder if one.label != label]
        issues = _copies(ordered[0], ordered[1:])
        if others:
            quarrel = self._quarrel([statements[0], others[0]])
            detail = Sentence(LABELS_HOLD, quarrel=quarrel)
            issues.append(Issue(ordered[0].path, "folder-disagrees", detail))
        return _row(sha256, ordered, label, "pool"), issues

    def labeled_by_folder(self, row: Row, entries: Sequence[Entry]) -> bool:
        """Whether nobody but its folder says what a row of the pool is."""
        return row.split == "pool" and row.label >= 0 and not _about(entries, self.labels)

    def _test(
        self, sha256: str, inside: list[Entry], outside: list[Entry]
    ) -> tuple[Row | None, list[Issue]]:
        copy_of = Sentence("the same content as the test image {path}", path=inside[0].path)
        left_out = [Issue(entry.path, "duplicate-of-test", copy_of) for entry in outside]
        statements = _about(inside, self.test)
        if not statements:
            detail = Sentence("listed as a test image, but without a label")
            return None, left_out + [Issue(e.path, "test-without-label", detail) for e in inside]
        if len({one.label for one in statements}) > 1:
            detail = Sentence(TEST_LEFT_OUT, quarrel=self._quarrel(statements))
            return None, left_out + [Issue(e.path, "conflicting-labels", detail) for e in inside]
        row = _row(sha256, inside + outside, statements[0].label, "test")
        return row, left_out + _copies(inside[0], inside[1:]) + self._doubt(
            statements, inside + outside
        )

    def _doubt(self, statements: list[Statement], entries: list[Entry]) -> list[Issue]:
        """A remark when the labels file, or the folder, disagrees with the test label, which holds."""
        for reason, elsewhere in (
            ("conflicting-labels", self.labels),
            ("folder-disagrees", self.folders),
        ):
            others = [one for one in _about(entries, elsewhere) if one.label != statements[0].label]
            if others:
                detail = Sentence(TEST_HOLDS, quarrel=self._quarrel([statements[0], *others]))
                return [Issue(entries[0].path, reason, detail)]
        return []

    def _quarrel(self, statements: list[Statement]) -> Sentence:
        one = statements[0]
        other = next(later for later in statements if later.label != one.label)
        names = self.classes.display
        return Sentence(
            '"{one}" by {where}, "{other}" by {other_where}',
            one=names[one.label],
            where=one.where,
            other=names[other.label],
            other_where=other.where,
        )


def _about(entries: Sequence[Entry], statements: Statements) -> list[Statement]:
    """What is said about these images, without "unlabeled"."""
    found = (one for entry in entries for one in statements.about(entry.key))
    return sorted((one for one in found if one.label >= 0), key=lambda one: (one.where, one.label))


def _row(sha256: str, entries: Sequence[Entry], label: int, split: Split) -> Row:
    paths = tuple(entry.path for entry in entries)
    return Row(sha256, paths, label, split, entries[0].source)


def _copies(shown: Entry, others: Sequence[Entry]) -> list[Issue]:
    detail = Sentence("the same content as {path}; used once", path=shown.path)
    return [Issue(entry.path, "duplicate", detail) for entry in others]
