"""Properties that hold for any folder."""

from __future__ import annotations

import os
import shutil
import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from data_helpers import CLASSES, csv_file, encoded, listed, picture, plant, png, used
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from clipgrip.data.ingest import Ingested, ingest

CONTENTS = [png(n) for n in range(4)] + [
    encoded(picture(4), "JPEG"),
    b"",
    b"text",
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
]
PLAIN = ["a.png", "b.jpg", "A.PNG", "train", "test", "c d.png", "no suffix", "x.csv", "cat", "dog"]
ODD = ["キズ", "ガ.png", "é.png", "-1", "=x.png", ".git", ".x.png", "Thumbs.db", "__MACOSX"]
NAMES = st.sampled_from([*PLAIN, *ODD])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
TREES = st.dictionaries(PATHS, st.sampled_from(CONTENTS), min_size=1, max_size=14)


@contextmanager
def folder_of(tree: dict[str, bytes]) -> Iterator[Path]:
    """The tree on the disk, with one image that is surely usable; clashing names are left out."""
    root = Path(tempfile.mkdtemp())
    try:
        for name, data in {"sure.png": png(99), **tree}.items():
            parents = [root / part for part in Path(name).parents]
            if not (root / name).is_dir() and not any(path.is_file() for path in parents):
                plant(root, {name: data})
        yield root
    finally:
        shutil.rmtree(root)


def files_of(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def check_accounted(result: Ingested, root: Path) -> None:
    assert sorted(used(result) + listed(result)) == files_of(root)
    known = {path for row in result.manifest.rows for path in row.paths}
    assert known <= set(files_of(root))


@settings(max_examples=150, deadline=None)
@given(TREES)
def test_each_file_is_used_or_listed_exactly_once(tree: dict[str, bytes]) -> None:
    with folder_of(tree) as root:
        check_accounted(ingest(root, classes=CLASSES), root)


@settings(max_examples=80, deadline=None)
@given(TREES, st.data())
def test_the_same_holds_with_test_images_and_content_never_straddles(
    tree: dict[str, bytes], data: st.DataObject
) -> None:
    with folder_of(tree) as root, tempfile.TemporaryDirectory() as tables:
        chosen = data.draw(st.lists(st.sampled_from(files_of(root)), unique=True))
        label = st.sampled_from(["cat", "dog", ""])
        test = csv_file(Path(tables, "t.csv"), *(f'"{p}",{data.draw(label)}' for p in chosen))
        sure = csv_file(Path(tables, "l.csv"), "sure.png,cat")
        plant(root, {"surer.png": png(98)})
        assume(not chosen or any(not _hidden(path) for path in chosen))
        result = ingest(root, classes=CLASSES, labels=sure, test=test)
    hashes = [row.sha256 for row in result.manifest.rows]
    assert len(set(hashes)) == len(hashes)
    pool = [row for row in result.manifest.rows if row.split == "pool"]
    assert not set(chosen) & {path for row in pool for path in row.paths}
    assert all(row.label >= 0 for row in result.manifest.rows if row.split == "test")


def _hidden(path: str) -> bool:
    hidden = ("__MACOSX", "Thumbs.db")
    return any(part.startswith(".") or part in hidden for part in path.split("/"))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TREES)
def test_other_names_and_places_change_no_fingerprint(tree: dict[str, bytes]) -> None:
    with folder_of(tree) as root, tempfile.TemporaryDirectory() as other:
        before = ingest(root, classes=CLASSES).manifest
        for number, row in enumerate(reversed(before.rows)):
            plant(Path(other), {f"{number % 3}/{number}": row.source.read()})
        after = ingest(other, classes=CLASSES).manifest
    assert before.fingerprint == after.fingerprint
    assert [row.sha256 for row in before.rows] == [row.sha256 for row in after.rows]


@settings(max_examples=40, deadline=None)
@given(TREES, st.randoms(use_true_random=False))
def test_the_order_in_which_files_are_made_changes_nothing(
    tree: dict[str, bytes], rng: object
) -> None:
    with folder_of(tree) as one:
        files = [(path, (one / path).read_bytes()) for path in files_of(one)]
        rng.shuffle(files)  # type: ignore[attr-defined]
        with tempfile.TemporaryDirectory() as two:
            plant(Path(two), dict(files))
            results = [ingest(root, classes=CLASSES) for root in (one, two)]
    assert results[0] == results[1]


def test_two_spellings_of_one_name_are_two_files(tmp_path: Path) -> None:
    names = [unicodedata.normalize(form, "が.png") for form in ("NFC", "NFD")]
    plant(tmp_path, {name: png(n) for n, name in enumerate(names)})
    if len(os.listdir(tmp_path)) < 2:  # a file system that takes them for one
        return
    with tempfile.TemporaryDirectory() as tables:
        labels = csv_file(Path(tables, "l.csv"), f"{names[1]},dog")
        result = ingest(tmp_path, classes=CLASSES, labels=labels)
    labeled = [row.path for row in result.manifest.rows if row.label >= 0]
    assert labeled == [names[1]]
