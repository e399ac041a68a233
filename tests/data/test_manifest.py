"""The manifest is a value: order, identity and versions."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from clipgrip.data.classes import ClassNames
from clipgrip.data.manifest import Manifest
from clipgrip.data.rows import HashIndex, Row, Split
from clipgrip.data.sources import BytesSource
from clipgrip.errors import DataError

CLASSES = ClassNames.from_names(["cat", "dog"])


def row(name: str, label: int = -1, split: Split = "pool") -> Row:
    return Row(name * 32, (f"{name}.jpg",), label, split, BytesSource(name.encode()))


def test_rows_stand_in_the_order_of_their_content() -> None:
    manifest = Manifest((row("cc"), row("aa", 1), row("bb", 0, "test")), CLASSES)
    assert [r.path for r in manifest.rows] == ["aa.jpg", "bb.jpg", "cc.jpg"]
    assert manifest.labels.tolist() == [1, 0, -1]
    assert manifest.labels.dtype == manifest.pool.dtype == np.int64
    assert manifest.pool.tolist() == [0, 2]
    assert manifest.test.tolist() == [1]
    assert len(manifest) == 3


def test_the_fingerprint_ignores_paths_sources_and_order() -> None:
    one = Manifest((row("aa"), row("bb", 1)), CLASSES)
    other = Manifest(
        (replace(row("bb", 1), paths=("x",), source=BytesSource(b"")), row("aa")), CLASSES
    )
    assert one.fingerprint == other.fingerprint
    assert len(one.fingerprint) == 64


def test_the_fingerprint_names_all_that_matters() -> None:
    base = Manifest((row("aa"), row("bb", 1)), CLASSES)
    others = [
        Manifest((row("aa"),), CLASSES),
        Manifest((row("aa", 0), row("bb", 1)), CLASSES),
        Manifest((row("aa"), row("bb", 1, "test")), CLASSES),
        Manifest(base.rows, ClassNames(("cat", "dog"), ("a cat", "dog"))),
        Manifest(base.rows, ClassNames.from_names(["cat", "cow"])),
    ]
    assert len({manifest.fingerprint for manifest in (base, *others)}) == 6


def test_changes_give_a_new_manifest() -> None:
    base = Manifest((row("aa"), row("bb", 1)), CLASSES)
    assert base.without(["aa" * 32]).rows == (row("bb", 1),)
    assert base.labels.tolist() == [-1, 1]
    with pytest.raises(FrozenInstanceError):
        base.rows = ()  # type: ignore[misc]


def test_contradictions_are_refused() -> None:
    with pytest.raises(DataError, match="same content"):
        Manifest((row("aa"), row("aa", 1)), CLASSES)
    with pytest.raises(DataError, match=r"aa\.jpg: label 2 is not between -1 and 1"):
        Manifest((row("aa", 2),), CLASSES)


def test_an_empty_manifest_has_typed_positions() -> None:
    manifest = Manifest((), CLASSES)
    assert manifest.pool.dtype == np.int64
    assert manifest.labels.shape == (0,)


def test_a_hash_that_is_too_long_is_never_cut_to_another_image_s() -> None:
    base = Manifest((row("aa"), row("bb", 1)), CLASSES)
    longer = "aa" * 32 + "0"
    assert base.without([longer]).rows == base.rows
    assert base.rows.among([longer, "bb" * 32]).tolist() == [False, True]
    assert base.rows.values({longer: 1}).tolist() == [-1, -1]
    assert longer not in HashIndex(base.rows.hashes)
    with pytest.raises(DataError, match="no content hash"):
        Manifest((replace(row("aa"), sha256=longer), row("bb")), CLASSES)
