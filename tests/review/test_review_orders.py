"""Queues are orders that are sorted once: they are those of sorting at every answer."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from clipgrip.data.rows import Row
from clipgrip.data.sources import FileSource
from clipgrip.review.view import BLOCK, Order
from clipgrip.review.web import presence
from clipgrip.review.web.presence import Presence


@pytest.mark.parametrize("n", [0, 1, 50, BLOCK + 100])
def test_it_is_the_sorted_rows_of_all_or_of_a_class_and_the_first_of_those_wanted(n: int) -> None:
    rng = np.random.default_rng(0)
    keys, labels = rng.integers(0, 20, n).astype(np.float32), rng.choice([3, 5, 9], n)
    wanted = rng.random(n) < 0.3
    order = Order.of(keys, labels.astype(np.int64))
    for klass in (None, 3, 5, 9, 4):
        of_class = np.arange(n) if klass is None else np.flatnonzero(labels == klass)
        expected = of_class[np.argsort(keys[of_class], kind="stable")]
        assert order.among(klass).tolist() == expected.tolist()
        left = expected[wanted[expected]]
        for count in (0, 1, 7, n):
            assert order.first(wanted, count, klass).tolist() == left[:count].tolist()


def test_of_many_images_each_look_is_at_the_next_and_what_is_back_is_no_longer_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "AT_ONCE", 2)
    monkeypatch.setattr(presence, "EVERY", 0.0)
    paths = [tmp_path / f"{n}.png" for n in range(5)]
    for path in (paths[0], paths[3]):
        path.write_bytes(b"")
    rows = [Row(str(n), (p.name,), -1, "pool", FileSource(str(p))) for n, p in enumerate(paths)]
    here = Presence()
    found = [here.look(rows) for _ in range(3)]
    assert found == [("1.png",), ("1.png", "2.png"), ("1.png", "2.png", "4.png")]
    paths[1].write_bytes(b"")
    os.unlink(paths[0])
    assert here.look(rows) == ("2.png", "4.png", "0.png")
