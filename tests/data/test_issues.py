"""Issues are columns: as many as there may be, each comes back as it was, and in one order."""

from __future__ import annotations

import itertools
import tracemalloc
from pathlib import Path

import pytest

from clipgrip.data.images import UndecodableImage
from clipgrip.data.ingest import ingest
from clipgrip.data.issues import NOTES, REASONS, UNUSED, Issue, Issues
from clipgrip.errors import DataError
from clipgrip.sentences import Sentence
from clipgrip.words import Words
from tests.data.data_helpers import CLASSES, csv_file, plant, png

SAID = Sentence("{where}: there is no such image", where=Sentence("label {number}", number=3))

UNREAD_TAR = "{path} cannot be read as a tar file: {error}. Pack it anew as a plain .tar."


def test_an_issue_comes_back_as_it_was_whatever_its_name_and_its_sentence() -> None:
    given = [
        Issue("ライン/傷\n.png", "corrupt", "plain"),
        Issue("not\udcffutf8.png", "hidden", ""),
        Issue("a.png", "label-without-image", SAID),
    ]
    found = Issues(given)
    assert found == given
    assert (found[-1], found[1:]) == (given[2], given[1:])
    assert Words("ja").translated(found[2].detail) == Words("ja").translated(SAID)
    assert not Words("ja").translated(found[2].detail).isascii()


def test_a_sentence_keeps_the_error_that_it_speaks_of() -> None:
    error = UndecodableImage("corrupt", Sentence("not a regular file"))
    detail = Sentence(
        "{path} cannot be read as a tar file: {error}. Pack it anew as a plain .tar.",
        path=Path("a"),
        error=error,
    )
    (found,) = Issues([Issue("a", "corrupt", detail)])
    assert found.detail == detail
    assert Words("ja").translated(found.detail) == Words("ja").translated(detail)


def test_every_reason_is_a_remark_or_a_file_that_is_not_used() -> None:
    assert set(REASONS) == NOTES | UNUSED
    found = Issues(Issue("a", reason, "") for reason in REASONS)
    assert [one.reason for one in found.among(NOTES)] == [one for one in REASONS if one in NOTES]


def test_their_order_is_by_path_reason_and_detail_and_each_stands_once() -> None:
    paths, reasons = ("b", "a", "a/b", "傷", "\udcff"), ("hidden", "corrupt")
    every = [Issue(*one) for one in itertools.product(paths, reasons, ("y", "x"))]
    assert Issues(every, reversed(every)).in_order() == sorted(every)
    some = Issues(every[:3], every[4:5])
    assert some.tally() == "3 hidden, 1 corrupt"
    assert Words("ja").translated(some.tally()) == "隠しファイル3件、破損1件"
    assert repr(some) == "<4 issues: 3 hidden, 1 corrupt>"


def test_changes_are_made_to_one_collection_alone() -> None:
    first = Issues([Issue("a", "hidden", "")])
    second = Issues(first)
    second.append(Issue("b", "corrupt", ""))
    assert (len(first), len(second)) == (1, 2)


def test_a_list_of_files_that_are_missing_costs_few_bytes_a_row(tmp_path: Path) -> None:
    """A Python object for each issue and its sentence takes more than a kilobyte."""
    plant(tmp_path, {"there.png": png()})
    rows = [f"line/camera-1/{number:06d}.png" for number in range(4000)]
    table = csv_file(tmp_path / "list.csv", "there.png", *rows, header="path")
    tracemalloc.start()
    try:
        found = ingest(table, classes=CLASSES)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.issues.among(["missing-file"])[7].path == rows[7]
    assert kept / len(rows) < 400


def test_where_nothing_can_be_used_the_error_counts_the_reasons(tmp_path: Path) -> None:
    table = csv_file(tmp_path / "list.csv", "b.png", "a.png", header="path")
    with pytest.raises(DataError, match=r"\(2 missing-file\).*The first: a\.png: list\.csv line 3"):
        ingest(table, classes=CLASSES)
